"""What is known of the archive that was written last: an index file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from .atomic_file import replacing
from .zip_format import Member

# size, mtime_ns, ctime_ns, inode
Signature = tuple[int, int, int, int]

# A file that changed this shortly before it was looked at may change again in the same tick:
# some file systems count in steps of two seconds. Its signature is not kept, so that it is read
# again the next time; git calls such an entry of its own index racily clean.
_UNSETTLED_NS = 2_000_000_000


class Known(NamedTuple):
    """A member of the archive, and the file that it was made from."""

    member: Member
    offset: int  # of its local header in the archive
    sha256: str  # hex, of its content
    signature: Signature | None  # None: it proves nothing


@dataclass(frozen=True, kw_only=True, eq=False)
class Index:
    """All members of an archive, in their order, and the digests of the whole."""

    size: int  # bytes
    code_sha256: str  # base64, of the archive
    digest: str  # hex, of names, modes and contents
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
            digest=found["digest"],
            known=[
                Known(Member(*member), offset, sha256, signature and tuple(signature))
                for member, offset, sha256, signature in found["members"]
            ],
        )
    except (KeyError, IndexError, OSError, TypeError, ValueError):
        return None


def save(
    target: Path,
    known: Sequence[Known],
    *,
    codec: str,
    code_sha256: str,
    digest: str,
    started: int,
) -> Index:
    """Write the index of an archive that has just been written, and return it.

    `started` is when the first file was looked at, in nanoseconds.
    """
    identity = _identity(target)
    settled = started - _UNSETTLED_NS
    content = {
        "codec": codec,
        "archive": identity,
        "code_sha256": code_sha256,
        "digest": digest,
        "members": [
            each
            if each.signature is None or max(each.signature[1:3]) < settled
            else each._replace(signature=None)
            for each in known
        ],
    }
    with replacing(_path(target)) as file:
        file.write(json.dumps(content, separators=(",", ":")).encode())
    return Index(size=identity[0], code_sha256=code_sha256, digest=digest, known=known)


def _path(target: Path) -> Path:
    return target.with_suffix(".index")


def _identity(target: Path) -> list[int]:
    status = target.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ino]
