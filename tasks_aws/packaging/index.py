"""What is known of the archive that was written last: an index file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from .zip_format import Member

# size, mtime_ns, ctime_ns, inode
Signature = tuple[int, int, int, int]

# A file that changed this shortly before it was looked at may change again in the same tick:
# some file systems count in steps of two seconds. Such a file is read again the next time.
_UNSETTLED_NS = 2_000_000_000


class Known(NamedTuple):
    """A member of the archive, and the file that it was made from."""

    member: Member
    offset: int  # of its local header in the archive
    sha256: str  # hex, of its content
    signature: Signature
    settled: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Index:
    """All members of an archive, in their order."""

    size: int
    code_sha256: str
    known: Sequence[Known]

    @cached_property
    def by_name(self) -> Mapping[str, Known]:
        """Return the members by name."""
        return {known.member.name: known for known in self.known}


def load(target: Path, *, codec: str) -> Index | None:
    """Return the index of an archive, or None if it is not of this very file and codec."""
    try:
        found = json.loads(_path(target).read_bytes())
        if found["codec"] != codec or found["archive"] != _identity(target):
            return None
        return Index(
            size=found["archive"][0],
            code_sha256=found["code_sha256"],
            known=[_known(row, found["started"]) for row in found["members"]],
        )
    except (KeyError, IndexError, OSError, TypeError, ValueError):
        return None


def save(
    target: Path, known: Sequence[Known], *, codec: str, code_sha256: str, started: int
) -> Index:
    """Write the index of an archive that has just been written, and return it.

    `started` is when the first file was looked at, in nanoseconds.
    """
    identity = _identity(target)
    rows = [
        [
            each.member.name,
            each.member.mode,
            each.member.crc,
            each.member.method,
            each.member.packed,
            each.member.size,
            each.offset,
            each.sha256,
            *each.signature,
        ]
        for each in known
    ]
    content = {
        "codec": codec,
        "archive": identity,
        "code_sha256": code_sha256,
        "started": started,
        "members": rows,
    }
    path = _path(target)
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(content, separators=(",", ":")))
    unfinished.replace(path)
    return Index(size=identity[0], code_sha256=code_sha256, known=known)


def _path(target: Path) -> Path:
    return target.with_suffix(".index")


def _identity(target: Path) -> list[int]:
    status = target.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]


def _known(row: list[Any], started: int) -> Known:
    name, mode, crc, method, packed, size, offset, sha256, *signature = row
    changed = max(signature[1], signature[2])
    return Known(
        member=Member(name=name, mode=mode, crc=crc, method=method, packed=packed, size=size),
        offset=offset,
        sha256=sha256,
        signature=(signature[0], signature[1], signature[2], signature[3]),
        settled=changed < started - _UNSETTLED_NS,
    )
