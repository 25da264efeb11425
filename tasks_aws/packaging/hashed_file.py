"""A file that is hashed while it is written, and appears only when it is whole."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

Buffer = bytes | bytearray | memoryview | mmap.mmap


class HashedFile:
    """A file that knows the digest of what was written to it.

    What is copied from the archive before is written in as long runs as it stands there.
    """

    def __init__(self, file: IO[bytes], previous: memoryview | None) -> None:
        self._file = file
        self._previous = previous if previous is not None else memoryview(b"")
        self._run = (0, 0)  # start and end in the archive before, not written yet
        self._sha256 = hashlib.sha256()
        self.written = 0  # bytes, those of the run included

    def copy(self, start: int, size: int) -> None:
        """Write what stands there in the archive before."""
        if start != self._run[1]:
            self._flush()
            self._run = (start, start)
        self._run = (self._run[0], start + size)
        self.written += size

    def write(self, data: Buffer) -> None:
        """Write new bytes."""
        self._flush()
        self._put(data)
        self.written += len(data)

    def digest(self) -> bytes:
        """Return the SHA-256 of all that was written."""
        self._flush()
        return self._sha256.digest()

    def _flush(self) -> None:
        start, end_ = self._run
        self._run = (0, 0)
        if end_ > start:
            self._put(self._previous[start:end_])

    def _put(self, data: Buffer) -> None:
        self._file.write(data)
        self._sha256.update(data)


@contextmanager
def replacing(target: Path) -> Iterator[IO[bytes]]:
    """Write a file beside the target that takes its place when all went well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=target.parent, prefix=f"{target.name}.", delete=False) as file:
        try:
            yield file
        except BaseException:
            Path(file.name).unlink()
            raise
    finished = Path(file.name)
    finished.chmod(0o644)
    finished.replace(target)
