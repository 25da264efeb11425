"""Zip archives whose bytes depend on nothing but the names and contents of the files.

The writer is our own because `zipfile` cannot take what another library has compressed, and
only libdeflate gives the same bytes on every processor and in every Python. Nor can `zipfile`
take over from the archive before what has not changed.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from . import archive_index as indexes
from .archive_index import Index, Known
from .atomic_file import HashedFile, replacing
from .compress import File, codec, look, packed
from .files import Entry
from .zip_format import Member, central_header, end, local_header


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A finished archive."""

    path: Path
    size: int  # bytes
    unzipped: int  # bytes
    files: int
    code_sha256: str  # base64, as Lambda's CodeSha256
    digest: str  # hex, of names, modes and contents: no compressor has a part in it
    sizes: Sequence[tuple[str, int]] = field(repr=False)  # of its files, by name, in bytes


def write(target: Path, entries: Sequence[Entry]) -> Archive:
    """Zip the entries in the order given; the target appears only when it is whole.

    The same names and contents give the same bytes: entries are dated 1980-01-01 and have mode
    0644, or 0755 if their owner may execute them. An index beside the target says what is in
    it; what it has of the same content is copied from there and not compressed again, and a file
    whose stat is the same is not even read.
    """
    started = time.time_ns()
    index = indexes.load(target, codec=codec())
    before = index.by_name if index else {}
    files = [look(entry, before) for entry in entries]
    known = [each.known for each in files]
    if index and known == index.known:
        return _archive(target, index)
    if index and _headers(known) == _headers(index.known):  # as after a checkout
        code_sha256, members = index.code_sha256, [each for each in known if each]
    else:
        code_sha256, members = _write(target, files, again=index is not None)
    written = indexes.save(
        target,
        members,
        codec=codec(),
        code_sha256=code_sha256,
        digest=_digest(members),
        started=started,
    )
    return _archive(target, written)


def _headers(known: Sequence[Known | None]) -> list[Member | None]:
    return [each and each.member for each in known]


def _write(target: Path, files: list[File], *, again: bool) -> tuple[str, list[Known]]:
    """Write an archive, taking known members from the one that it replaces."""
    with ExitStack() as stack:
        previous = stack.enter_context(target.open("rb")) if again else None
        output = HashedFile(stack.enter_context(replacing(target)), previous)
        members = list(_write_members(files, output, target.parent))
        start = output.written
        output.write(b"".join(central_header(each.member, each.offset) for each in members))
        output.write(end(len(members), start, output.written - start))
        return base64.b64encode(output.digest()).decode(), members


def _write_members(files: list[File], output: HashedFile, scratch: Path) -> Iterator[Known]:
    new = packed([each for each in files if each.known is None], scratch)
    for file in files:
        offset = output.written
        if file.known:
            member, before, sha256, _ = file.known
            output.copy(before, member.span)
        else:
            member, sha256, data = next(new)
            output.write(local_header(member))
            for block in data:
                output.write(block)
        yield Known(member, offset, sha256, file.signature)


def _digest(members: Iterable[Known]) -> str:
    digest = hashlib.sha256()
    for known in members:
        digest.update(f"{known.member.name}\0{known.member.mode:o}\0{known.sha256}\n".encode())
    return digest.hexdigest()


def _archive(target: Path, index: Index) -> Archive:
    return Archive(
        path=target,
        size=index.size,
        unzipped=sum(known.member.size for known in index.known),
        files=len(index.known),
        code_sha256=index.code_sha256,
        digest=index.digest,
        sizes=[(known.member.name, known.member.size) for known in index.known],
    )
