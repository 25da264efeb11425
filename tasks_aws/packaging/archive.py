"""Writing a zip archive whose bytes depend only on the names, modes and contents of its files.

The standard library's `zipfile` accepts no data that is already compressed. This writer needs
that: to compress with libdeflate, which gives the same bytes on every processor and under every
Python, and to copy unchanged files from the previous archive.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from . import archive_index
from .archive_index import Index, IndexedMember, identify, identity_of
from .atomic_file import HashingWriter, replace_atomically
from .compress import InspectedFile, compress_all, compressor_versions, inspect_file, is_much
from .files import Entry
from .shared import InstalledFile, Shared, SharedMember
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


# A member in another archive: that archive, opened, and where it is in there.
Copied = tuple[IO[bytes], IndexedMember]


def write_archive(
    target: Path,
    entries: Sequence[Entry],
    shared: Shared | None = None,
    installed: Set[str] = frozenset(),
) -> Archive:
    """Zip the entries in the order given; the target appears only when it is complete.

    The same names and contents give the same bytes: entries are dated 1980-01-01 and have mode
    0644, or 0755 if their owner may execute them. Members whose content has not changed are
    copied from the previous archive, and a file with the same stat is not even read. Those of the
    entries `installed`, whose files nobody changes, are also copied from the archives of a run.
    """
    shared = shared or Shared()
    started = time.time_ns()
    writer = describe_writer()
    index = archive_index.load(target, writer=writer)
    previous = index.by_name if index else {}
    files = [inspect_file(entry, previous) for entry in entries]
    reusable = [each.indexed for each in files]
    if index and reusable == index.members:
        _share(target, files, index.members, shared, installed)
        return _archive_of(target, index)
    if index and _headers(reusable) == _headers(index.members):  # only stats differ: a checkout
        code_sha256, members = index.code_sha256, [each for each in reusable if each]
        _share(target, files, members, shared, installed)
    else:
        code_sha256, members = _write_sharing(
            target, files, shared, installed, reuse=index is not None
        )
    written = archive_index.save(
        target,
        members,
        writer=writer,
        code_sha256=code_sha256,
        digest=_hash_contents(members),
        started=started,
        scratch=shared.scratch,
    )
    return _archive_of(target, written)


def describe_writer() -> str:
    """Return what determines the bytes of an archive, besides the files."""
    return f"format {hash_format()}; {compressor_versions()}"


def _headers(members: Sequence[IndexedMember | None]) -> list[Member | None]:
    return [each and each.member for each in members]


def _share(
    target: Path,
    files: Sequence[InspectedFile],
    members: Sequence[IndexedMember],
    shared: Shared,
    installed: Set[str],
) -> None:
    """Let the other archives of a run copy what is in this one."""
    identity = identify(target)
    for file, member in zip(files, members, strict=True):
        if file.entry.name in installed and (key := _installed_file(file)):
            shared.members.setdefault(key, SharedMember(target, identity, member))


def _installed_file(file: InspectedFile) -> InstalledFile | None:
    if file.signature is None:  # a link
        return None
    size, modified, _, inode = file.signature
    return size, modified, inode


def _write_sharing(
    target: Path,
    files: list[InspectedFile],
    shared: Shared,
    installed: Set[str],
    *,
    reuse: bool,
) -> tuple[str, list[IndexedMember]]:
    """Write an archive, after another one that is compressing what it may have in common."""

    def write() -> tuple[str, list[IndexedMember]]:
        code_sha256, members = _write(target, files, found, shared.scratch, reuse=reuse)
        _share(target, files, members, shared, installed)
        return code_sha256, members

    found = _find_shared(files, shared, installed)
    if _has_much_to_compress(files, found):
        with shared.one_by_one("compressing"):
            found = _find_shared(files, shared, installed)
            if _has_much_to_compress(files, found):
                return write()
    return write()


def _find_shared(
    files: Iterable[InspectedFile], shared: Shared, installed: Set[str]
) -> dict[str, SharedMember]:
    """Return, by name, what can be copied from other archives of the run."""
    found: dict[str, SharedMember] = {}
    for file in files:
        if file.indexed is None and file.entry.name in installed:
            key = _installed_file(file)
            if key and (member := shared.members.get(key)):
                found[file.entry.name] = member
    return found


def _has_much_to_compress(files: Iterable[InspectedFile], found: Container[str]) -> bool:
    return is_much(each for each in files if each.indexed is None and each.entry.name not in found)


def _write(
    target: Path,
    files: list[InspectedFile],
    found: Mapping[str, SharedMember],
    scratch: Path | None,
    *,
    reuse: bool,
) -> tuple[str, list[IndexedMember]]:
    """Write an archive; copy members from the one that it replaces, and from others of the run."""
    with ExitStack() as stack:
        copied = _open_shared(found, stack)
        if reuse:
            previous = stack.enter_context(target.open("rb"))
            copied |= {each.entry.name: (previous, each.indexed) for each in files if each.indexed}
        output = HashingWriter(stack.enter_context(replace_atomically(target, scratch)))
        members = list(_write_members(files, copied, output, scratch or target.parent))
        start = output.written
        output.write(b"".join(encode_central_header(each.member, each.offset) for each in members))
        output.write(encode_end(len(members), start, output.written - start))
        return base64.b64encode(output.digest()).decode(), members


def _open_shared(found: Mapping[str, SharedMember], stack: ExitStack) -> dict[str, Copied]:
    """Open the archives in which members were found; leave out those of archives that are gone."""
    archives: dict[Path, IO[bytes] | None] = {}
    copied: dict[str, Copied] = {}
    for name, each in found.items():
        if each.archive not in archives:
            archives[each.archive] = _open_same(each, stack)
        if archive := archives[each.archive]:
            copied[name] = (archive, each.indexed)
    return copied


def _open_same(found: SharedMember, stack: ExitStack) -> IO[bytes] | None:
    """Open an archive of the run, unless another process has replaced it."""
    with suppress(OSError):
        archive = stack.enter_context(found.archive.open("rb"))
        if identity_of(os.fstat(archive.fileno())) == found.identity:
            return archive
    return None


def _write_members(
    files: list[InspectedFile],
    copied: Mapping[str, Copied],
    output: HashingWriter,
    scratch: Path,
) -> Iterator[IndexedMember]:
    compressed = compress_all([each for each in files if each.entry.name not in copied], scratch)
    for file in files:
        offset = output.written
        if file.entry.name in copied:
            archive, (found, start, sha256, _) = copied[file.entry.name]
            member = found._replace(name=file.entry.name, mode=file.mode)
            if member.name == found.name:
                output.copy(archive, start, member.span)
            else:
                output.write(encode_local_header(member))
                output.copy(archive, start + found.span - found.compressed, found.compressed)
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
