"""The index beside an archive: what is in it, so that unchanged files need no compressing."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from .atomic_file import replace_atomically
from .zip_format import Member

# size, mtime_ns, ctime_ns, inode
Signature = tuple[int, int, int, int]

# Of an archive: size, mtime_ns, inode
Identity = tuple[int, int, int]

# A file that changed this recently may change again without a new time stamp: some file systems
# store times in steps of two seconds. Its signature is dropped, so that the next run reads the
# file. git calls such an index entry racily clean.
_UNSETTLED_NS = 2_000_000_000


class IndexedMember(NamedTuple):
    """A member of the archive, and the state of the file that it was made from."""

    member: Member
    offset: int  # of its local header in the archive
    sha256: str  # hex, of its content
    signature: Signature | None  # None: compare the content


@dataclass(frozen=True, kw_only=True, eq=False)
class Index:
    """All members of an archive in order, and the digests of the archive."""

    size: int  # bytes
    code_sha256: str  # base64, of the archive
    digest: str  # hex, of names, modes and contents
    members: Sequence[IndexedMember]

    @cached_property
    def by_name(self) -> Mapping[str, IndexedMember]:
        """Return the members by name."""
        return {each.member.name: each for each in self.members}


def load(target: Path, *, writer: str) -> Index | None:
    """Return the index of an archive, or None unless this writer wrote exactly this archive."""
    try:
        found = json.loads(_path(target).read_bytes())
        if found["writer"] != writer or found["archive"] != list(identify(target)):
            return None
        return Index(
            size=found["archive"][0],
            code_sha256=found["code_sha256"],
            digest=found["digest"],
            members=[
                IndexedMember(Member(*member), offset, sha256, signature and tuple(signature))
                for member, offset, sha256, signature in found["members"]
            ],
        )
    except (KeyError, IndexError, OSError, TypeError, ValueError):
        return None


def save(
    target: Path,
    members: Sequence[IndexedMember],
    *,
    writer: str,
    code_sha256: str,
    digest: str,
    started: int,
    scratch: Path | None = None,
) -> Index:
    """Write the index of an archive that has just been written, and return it.

    `writer` identifies everything besides the files that determines the bytes. `started` is the
    time in nanoseconds at which the first file was inspected, `scratch` the folder of what is not
    finished yet.
    """
    identity = identify(target)
    settled = started - _UNSETTLED_NS
    content = {
        "writer": writer,
        "archive": identity,
        "code_sha256": code_sha256,
        "digest": digest,
        "members": [
            each
            if each.signature is None or max(each.signature[1:3]) < settled
            else each._replace(signature=None)
            for each in members
        ],
    }
    with replace_atomically(_path(target), scratch) as file:
        file.write(json.dumps(content, separators=(",", ":")).encode())
    return Index(size=identity[0], code_sha256=code_sha256, digest=digest, members=members)


def identify(archive: Path) -> Identity:
    """Return what tells an archive from one that replaces it."""
    return identity_of(archive.stat())


def identity_of(status: os.stat_result) -> Identity:
    """Return what tells an archive from others, by its status."""
    return (status.st_size, status.st_mtime_ns, status.st_ino)


def _path(target: Path) -> Path:
    return target.with_suffix(".index")
