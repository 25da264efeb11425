"""What becomes of each file: it is known from the archive before, or it is compressed."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from stat import S_IFLNK, S_IFREG, S_IXUSR
from typing import NamedTuple

import deflate

from .hashed_file import Buffer
from .index import Known, Signature
from .select import Entry
from .zip_format import DEFLATED, STORED, Member

# libdeflate's level 5 is faster than its 6 by a seventh, and smaller than what `zip -6` makes.
_LEVEL = 5

# What is in work at once: enough for the threads while one has a large file, little enough for
# the memory.
_AHEAD_BYTES = 64 << 20
_BATCH_BYTES = 512 << 10
_BATCH_FILES = 64
_WORTH_THREADS_BYTES = 4 << 20


class File(NamedTuple):
    """A file as it is now, and the member that it is already in the archive before, if any."""

    entry: Entry
    mode: int  # as the archive has it
    size: int  # bytes
    signature: Signature | None
    known: Known | None


class Packed(NamedTuple):
    """A member that is new, with its data."""

    member: Member
    sha256: str  # hex, of the content
    data: Buffer


def codec() -> str:
    """Return what, beside the files, decides on the bytes of an archive."""
    return f"libdeflate {_LEVEL}, deflate {getattr(deflate, '__version__', '')}"


def look(entry: Entry, before: Mapping[str, Known]) -> File:
    """Return an entry's file, which is known if its mode and content are those from before.

    A file whose signature is the same is not read. One whose signature differs is read if its
    size still allows it to be the same, as after a checkout or a copy.
    """
    # Not Path.stat: to make a Path for each of many files takes longer than their stats.
    status = os.stat(entry.path, follow_symlinks=entry.link is None)  # noqa: PTH116
    signature: Signature | None
    if entry.link is None:
        mode = S_IFREG | (0o755 if status.st_mode & S_IXUSR else 0o644)
        size = status.st_size
        signature = (size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    else:
        mode, size, signature = S_IFLNK | 0o777, len(entry.link.encode()), None
    known = before.get(entry.name)
    if known is None or known.member.mode != mode or known.member.size != size:
        known = None
    elif signature is None or known.signature != signature:
        same = known.sha256 == hashlib.sha256(_content(entry)).hexdigest()
        known = known._replace(signature=signature) if same else None
    return File(entry, mode, size, signature, known)


def packed(files: list[File]) -> Iterator[Packed]:
    """Compress files and yield the members in order, on every processor if that is worth it.

    libdeflate and hashlib let other threads run. What is in work or waits to be taken comes from
    `_AHEAD_BYTES` of files at most, or from a single one that is larger: libdeflate takes a file
    whole, and zlib, which would take it in pieces, has other bytes on other machines.
    """
    if sum(each.size for each in files) < _WORTH_THREADS_BYTES:
        yield from map(_pack, files)
        return
    ahead: deque[tuple[Future[list[Packed]], int]] = deque()
    waiting = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in _batches(files):
            size = sum(each.size for each in batch)
            while ahead and waiting + size > _AHEAD_BYTES:
                first, first_size = ahead.popleft()
                yield from first.result()
                waiting -= first_size
            ahead.append((pool.submit(_pack_all, batch), size))
            waiting += size
        while ahead:
            yield from ahead.popleft()[0].result()


def _batches(files: list[File]) -> Iterator[list[File]]:
    """Join neighbours: handing a small file to a thread costs more than packing it."""
    batch: list[File] = []
    size = 0
    for each in files:
        if batch and (size + each.size > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch


def _pack_all(files: list[File]) -> list[Packed]:
    return [_pack(each) for each in files]


def _pack(file: File) -> Packed:
    content = _content(file.entry)
    data: Buffer = deflate.deflate_compress(content, _LEVEL) if content else b""
    method = DEFLATED
    if len(data) >= len(content):
        method, data = STORED, content
    crc = deflate.crc32(content) if content else 0
    member = Member(file.entry.name, file.mode, crc, method, packed=len(data), size=len(content))
    return Packed(member, hashlib.sha256(content).hexdigest(), data)


def _content(entry: Entry) -> bytes:
    if entry.link is not None:
        return entry.link.encode()
    with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123  # as with stat
        return file.readall()
