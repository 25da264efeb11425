"""Writing a zip archive whose bytes depend only on the names, modes and contents of its files.

The standard library's `zipfile` accepts no data that is already compressed. This writer needs
that: to compress with libdeflate, which gives the same bytes on every processor and under every
Python, and to copy unchanged files from the previous archive.
"""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from . import archive_index
from .archive_index import Index, IndexedMember
from .atomic_file import HashingWriter, replace_atomically
from .compress import InspectedFile, compress_all, compressor_versions, inspect_file
from .files import Entry
from .zip_format import (
    Member,
    encode_central_header,
    encode_end,
    encode_local_header,
    hash_format,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A finished archive."""

    path: Path
    size: int  # bytes
    unzipped: int  # bytes
    files: int
    code_sha256: str  # base64, as Lambda's CodeSha256
    digest: str  # hex, of names, modes and contents: independent of the compressor
    sizes: Sequence[tuple[str, int]] = field(repr=False)  # of its files, by name, in bytes


def write_archive(target: Path, entries: Sequence[Entry]) -> Archive:
    """Zip the entries in the order given; the target appears only when it is complete.

    The same names and contents give the same bytes: entries are dated 1980-01-01 and have mode
    0644, or 0755 if their owner may execute them. Members whose content has not changed are
    copied from the previous archive, and a file with the same stat is not even read.
    """
    started = time.time_ns()
    writer = describe_writer()
    index = archive_index.load(target, writer=writer)
    previous = index.by_name if index else {}
    files = [inspect_file(entry, previous) for entry in entries]
    reusable = [each.indexed for each in files]
    if index and reusable == index.members:
        return _archive_of(target, index)
    if index and _headers(reusable) == _headers(index.members):  # only stats differ: a checkout
        code_sha256, members = index.code_sha256, [each for each in reusable if each]
    else:
        code_sha256, members = _write(target, files, reuse=index is not None)
    written = archive_index.save(
        target,
        members,
        writer=writer,
        code_sha256=code_sha256,
        digest=_hash_contents(members),
        started=started,
    )
    return _archive_of(target, written)


def describe_writer() -> str:
    """Return what determines the bytes of an archive, besides the files."""
    return f"format {hash_format()}; {compressor_versions()}"


def _headers(members: Sequence[IndexedMember | None]) -> list[Member | None]:
    return [each and each.member for each in members]


def _write(
    target: Path, files: list[InspectedFile], *, reuse: bool
) -> tuple[str, list[IndexedMember]]:
    """Write an archive, and copy indexed members from the one that it replaces."""
    with ExitStack() as stack:
        previous = stack.enter_context(target.open("rb")) if reuse else None
        output = HashingWriter(stack.enter_context(replace_atomically(target)), previous)
        members = list(_write_members(files, output, target.parent))
        start = output.written
        output.write(b"".join(encode_central_header(each.member, each.offset) for each in members))
        output.write(encode_end(len(members), start, output.written - start))
        return base64.b64encode(output.digest()).decode(), members


def _write_members(
    files: list[InspectedFile], output: HashingWriter, scratch: Path
) -> Iterator[IndexedMember]:
    compressed = compress_all([each for each in files if each.indexed is None], scratch)
    for file in files:
        offset = output.written
        if file.indexed:
            member, previous, sha256, _ = file.indexed
            output.copy(previous, member.span)
        else:
            member, sha256, data = next(compressed)
            output.write(encode_local_header(member))
            for block in data:
                output.write(block)
        yield IndexedMember(member, offset, sha256, file.signature)


def _hash_contents(members: Iterable[IndexedMember]) -> str:
    digest = hashlib.sha256()
    for each in members:
        digest.update(f"{each.member.name}\0{each.member.mode:o}\0{each.sha256}\n".encode())
    return digest.hexdigest()


def _archive_of(target: Path, index: Index) -> Archive:
    sizes = [(each.member.name, each.member.size) for each in index.members]
    return Archive(
        path=target,
        size=index.size,
        unzipped=sum(size for _, size in sizes),
        files=len(sizes),
        code_sha256=index.code_sha256,
        digest=index.digest,
        sizes=sizes,
    )
