"""Zip archives whose bytes depend on nothing but the names and contents of the files.

The writer is our own because `zipfile` cannot take what another library has compressed, and
only libdeflate gives the same bytes on every processor and in every Python.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from stat import S_IFLNK, S_IFREG, S_IXUSR
from tempfile import NamedTemporaryFile
from typing import IO

import deflate

from .select import Entry

_LEVEL = 6
_DATE_1980 = (1 << 5) | 1  # the oldest that the format knows: 1980-01-01
_UNIX = 3 << 8  # "made by": else readers ignore the mode
_VERSION = 20
_VERSION_ZIP64 = 45
_STORED, _DEFLATED = 0, 8
_UTF8_NAME = 1 << 11
_MAXIMUM_ENTRIES = 0xFFFF

# APPNOTE.TXT 4.3.7, 4.3.12, 4.3.14, 4.3.15, 4.3.16
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A finished archive."""

    path: Path
    size: int  # bytes
    unzipped: int  # bytes
    files: int
    code_sha256: str  # base64, as Lambda's CodeSha256


def write(target: Path, entries: Sequence[Entry]) -> Archive:
    """Zip the entries in the order given; the target appears only when it is whole.

    The same names and contents give the same bytes: entries are dated 1980-01-01 and have mode
    0644, or 0755 if their owner may execute them.
    """
    unzipped = 0
    with _replacing(target) as file:
        directory: list[bytes] = []
        for entry in entries:
            mode, content = _read(entry)
            unzipped += len(content)
            offset = file.tell()
            local, central = _headers(entry.name, mode, content, offset)
            for part in local:
                file.write(part)
            directory.append(central)
        start = file.tell()
        file.write(b"".join(directory))
        file.write(_end(len(directory), start, file.tell() - start))
        size = file.tell()
        file.seek(0)
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return Archive(
        path=target,
        size=size,
        unzipped=unzipped,
        files=len(entries),
        code_sha256=base64.b64encode(digest.digest()).decode(),
    )


def _read(entry: Entry) -> tuple[int, bytes]:
    if entry.link is not None:
        return S_IFLNK | 0o777, entry.link.encode()
    executable = entry.path.stat().st_mode & S_IXUSR
    return S_IFREG | (0o755 if executable else 0o644), entry.path.read_bytes()


def _headers(name: str, mode: int, content: bytes, offset: int) -> tuple[list[bytes], bytes]:
    """Return the parts of one entry, and its line in the central directory."""
    encoded = name.encode()
    flags = 0 if name.isascii() else _UTF8_NAME
    method, data = _STORED, content
    if content:
        compressed = bytes(deflate.deflate_compress(content, _LEVEL))
        if len(compressed) < len(content):
            method, data = _DEFLATED, compressed
    common = (
        _VERSION,
        flags,
        method,
        0,
        _DATE_1980,
        deflate.crc32(content),
        len(data),
        len(content),
    )
    local = _LOCAL_HEADER.pack(b"PK\3\4", *common, len(encoded), 0)
    central = _CENTRAL_HEADER.pack(
        b"PK\1\2", _UNIX | _VERSION, *common, len(encoded), 0, 0, 0, 0, mode << 16, offset
    )
    return [local, encoded, data], central + encoded


def _end(count: int, start: int, size: int) -> bytes:
    """Return the end of the central directory, in its Zip64 form when there are many entries."""
    if count < _MAXIMUM_ENTRIES:
        return _END.pack(b"PK\5\6", 0, 0, count, count, size, start, 0)
    zip64 = _ZIP64_END.pack(
        b"PK\6\6",
        _ZIP64_END.size - 12,  # the size of what follows this field
        _UNIX | _VERSION_ZIP64,
        _VERSION_ZIP64,
        0,
        0,
        count,
        count,
        size,
        start,
    )
    locator = _ZIP64_LOCATOR.pack(b"PK\6\7", 0, start + size, 1)
    full = _MAXIMUM_ENTRIES
    return zip64 + locator + _END.pack(b"PK\5\6", 0, 0, full, full, size, start, 0)


@contextmanager
def _replacing(target: Path) -> Iterator[IO[bytes]]:
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
