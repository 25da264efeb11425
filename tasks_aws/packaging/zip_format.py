"""The parts of the zip format that a reproducible archive needs (PKWARE's APPNOTE.TXT, 4.3)."""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

STORED, DEFLATED = 0, 8

_DATE = (1 << 5) | 1  # 1980-01-01, the earliest date that the format can store
_UNIX = 3 << 8  # "made by": otherwise readers ignore the mode
_VERSION = 20
_VERSION_ZIP64 = 45
_UTF8_NAME = 1 << 11
_MAXIMUM_ENTRIES = 0xFFFF

# 4.3.7, 4.3.12, 4.3.14, 4.3.15, 4.3.16
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_CENTRAL_HEADER = struct.Struct("<4s6H3L5H2L")
_ZIP64_END = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")


class Member(NamedTuple):
    """One file in an archive, as its headers describe it."""

    name: str
    mode: int  # type and permissions, as in st_mode
    crc: int
    method: int  # STORED or DEFLATED
    compressed: int  # bytes in the archive
    size: int  # bytes of the file

    @property
    def span(self) -> int:
        """Return the number of bytes in the archive, including the local header."""
        return _LOCAL_HEADER.size + len(self.name.encode()) + self.compressed


def hash_format() -> str:
    """Return a digest of what is written beside the files: it changes with a date or a header.

    Archives of another format are not reused; otherwise two machines would give two archives.
    """
    samples = [Member(name, 0o100644, 1, DEFLATED, compressed=2, size=3) for name in ("a", "ä")]
    headers = [encode(each) for each in samples for encode in (encode_local_header, _encode_first)]
    ends = [encode_end(count, 1, 2) for count in (1, _MAXIMUM_ENTRIES)]
    return hashlib.sha256(b"".join([*headers, *ends])).hexdigest()


def encode_local_header(member: Member) -> bytes:
    """Return the header that precedes a member's data."""
    name = member.name.encode()
    return _LOCAL_HEADER.pack(b"PK\3\4", *_common_fields(member), len(name), 0) + name


def encode_central_header(member: Member, offset: int) -> bytes:
    """Return a member's record in the central directory; `offset` is of its local header."""
    name = member.name.encode()
    versions = (_UNIX | _VERSION, *_common_fields(member))
    mode = member.mode << 16
    return _CENTRAL_HEADER.pack(b"PK\1\2", *versions, len(name), 0, 0, 0, 0, mode, offset) + name


def encode_end(count: int, start: int, size: int) -> bytes:
    """Return the end of the central directory, in Zip64 form when there are many entries."""
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


def _common_fields(member: Member) -> tuple[int, ...]:
    flags = 0 if member.name.isascii() else _UTF8_NAME
    sizes = (member.crc, member.compressed, member.size)
    return (_VERSION, flags, member.method, 0, _DATE, *sizes)


def _encode_first(member: Member) -> bytes:
    return encode_central_header(member, 0)
