"""A file that is hashed while it is written, and appears only when it is whole."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

Buffer = bytes | bytearray

UNFINISHED = "unfinished-"  # what the names of files and folders begin with until they are whole

_BLOCK_BYTES = 1 << 20


def blocks(file: IO[bytes], size: int = sys.maxsize) -> Iterator[bytes]:
    """Read a file, from where it stands, in pieces; `size` bytes at most."""
    while size and (block := file.read(min(size, _BLOCK_BYTES))):
        yield block
        size -= len(block)


def sha256_of(file: IO[bytes]) -> bytes:
    """Return the digest of a file, read in pieces."""
    digest = hashlib.sha256()
    for block in blocks(file):
        digest.update(block)
    return digest.digest()


class HashedFile:
    """A file that knows the digest of what was written to it.

    What is copied from the file that it replaces is copied in as long runs as it stands there.
    """

    def __init__(self, file: IO[bytes], previous: IO[bytes] | None) -> None:
        self._file = file
        self._previous = previous
        self._run = (0, 0)  # start and end in the previous file, not copied yet
        self._sha256 = hashlib.sha256()
        self.written = 0  # bytes, those of the run included

    def copy(self, start: int, size: int) -> None:
        """Write what stands there in the previous file."""
        if start != self._run[1]:
            self._copy_run()
            self._run = (start, start)
        self._run = (self._run[0], start + size)
        self.written += size

    def write(self, data: Buffer) -> None:
        """Write new bytes."""
        self._copy_run()
        self._put(data)
        self.written += len(data)

    def digest(self) -> bytes:
        """Return the SHA-256 of all that was written."""
        self._copy_run()
        return self._sha256.digest()

    def _copy_run(self) -> None:
        start, end = self._run
        self._run = (0, 0)
        if self._previous and start < end:
            self._previous.seek(start)
            for block in blocks(self._previous, end - start):
                self._put(block)

    def _put(self, data: Buffer) -> None:
        self._file.write(data)
        self._sha256.update(data)


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Write a file beside the target that takes its place when all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=target.parent, prefix=UNFINISHED, delete=False) as file:
        try:
            yield file
        except BaseException:
            Path(file.name).unlink()
            raise
    finished = Path(file.name)
    finished.chmod(0o644)
    finished.replace(target)
