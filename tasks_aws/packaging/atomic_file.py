"""Writing a file so that it appears only when it is complete."""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

Buffer = bytes | bytearray

UNFINISHED = "unfinished-"  # prefix of files and folders that are not complete yet

_BLOCK_BYTES = 1 << 20


def read_blocks(file: IO[bytes], size: int = sys.maxsize) -> Iterator[bytes]:
    """Read a file from its current position in blocks, up to `size` bytes."""
    while size and (block := file.read(min(size, _BLOCK_BYTES))):
        yield block
        size -= len(block)


def hash_file(file: IO[bytes]) -> bytes:
    """Return the SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    for block in read_blocks(file):
        digest.update(block)
    return digest.digest()


def unfinished_path(folder: Path) -> Path:
    """Return a new path in a folder. What is made there has the mode of the umask.

    What `tempfile` makes has another mode: nobody else can read it.
    """
    return folder / f"{UNFINISHED}{secrets.token_hex(8)}"


@contextmanager
def replace_atomically(target: Path, scratch: Path | None = None) -> Iterator[IO[bytes]]:
    """Write a temporary file that replaces the target when the block succeeds.

    The temporary file is in `scratch`, which is on the same disk, or beside the target.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_path(scratch or target.parent)
    try:
        with unfinished.open("xb") as file:
            yield file
    except BaseException:
        unfinished.unlink(missing_ok=True)  # once it is closed: Windows removes no open file
        raise
    unfinished.replace(target)


class HashingWriter:
    """Writes a file and computes its SHA-256.

    Data can be copied from other files; adjacent ranges are copied in one go.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._source: IO[bytes] | None = None  # of the range to copy next
        self._pending = (0, 0)  # its start and end
        self._sha256 = hashlib.sha256()
        self.written = 0  # bytes, including the pending range

    def copy(self, source: IO[bytes], start: int, size: int) -> None:
        """Write a range of another file."""
        if source is not self._source or start != self._pending[1]:
            self._copy_pending()
            self._source, self._pending = source, (start, start)
        self._pending = (self._pending[0], start + size)
        self.written += size

    def write(self, data: Buffer) -> None:
        """Write new data."""
        self._copy_pending()
        self._append(data)
        self.written += len(data)

    def digest(self) -> bytes:
        """Return the SHA-256 of everything written."""
        self._copy_pending()
        return self._sha256.digest()

    def _copy_pending(self) -> None:
        if self._source:
            start, end = self._pending
            self._source.seek(start)
            for block in read_blocks(self._source, end - start):
                self._append(block)
            self._source = None

    def _append(self, data: Buffer) -> None:
        self._file.write(data)
        self._sha256.update(data)
