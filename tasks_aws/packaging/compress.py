"""What becomes of each file: it is known from the archive before, or it is compressed."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from stat import S_IFLNK, S_IFREG, S_IXUSR
from tempfile import TemporaryFile
from typing import IO, NamedTuple

import deflate
from zlib_ng import zlib_ng

from .archive_index import Known, Signature
from .atomic_file import Buffer, blocks, sha256_of
from .files import Entry
from .zip_format import DEFLATED, STORED, Member

# libdeflate's level 5 is faster than its 6 by a seventh, and smaller than what `zip -6` makes.
_LEVEL = 5

# libdeflate takes a file whole. A larger one is compressed in pieces by zlib-ng, which has the same
# bytes on every machine, too.
_WHOLE_BYTES = 32 << 20
_LEVEL_IN_PIECES = 6

# What is in work at once: enough for the threads while one has a large file, little enough for
# the memory.
_AHEAD_BYTES = 48 << 20
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
    data: Iterable[Buffer]  # to be taken once


def codec() -> str:
    """Return what, beside the files, decides on the bytes of an archive."""
    whole = f"libdeflate {_LEVEL}, deflate {getattr(deflate, '__version__', '')}"
    return f"{whole}; zlib-ng {zlib_ng.ZLIBNG_RUNTIME_VERSION} {_LEVEL_IN_PIECES}"


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
        same = known.sha256 == _sha256(entry, size)
        known = known._replace(signature=signature) if same else None
    return File(entry, mode, size, signature, known)


def packed(files: list[File], scratch: Path) -> Iterator[Packed]:
    """Compress files and yield the members in order, on every processor if that is worth it.

    The compressors and hashlib let other threads run. What is in work or waits to be taken comes
    from `_AHEAD_BYTES` of files at most; what is compressed in pieces waits in a file in `scratch`.
    """
    pack = partial(_pack, scratch=scratch)
    if sum(each.size for each in files) < _WORTH_THREADS_BYTES:
        yield from map(pack, files)
        return
    ahead: deque[tuple[Future[list[Packed]], int]] = deque()
    waiting = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in _batches(files):
            size = sum(min(each.size, _WHOLE_BYTES) for each in batch)
            while ahead and waiting + size > _AHEAD_BYTES:
                waiting -= ahead[0][1]
                yield from ahead.popleft()[0].result()
            ahead.append((pool.submit(list, map(pack, batch)), size))
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


def _pack(file: File, scratch: Path) -> Packed:
    if file.size > _WHOLE_BYTES:
        return _pack_in_pieces(file.entry, file.mode, scratch)
    content = _content(file.entry)
    data: Buffer = deflate.deflate_compress(content, _LEVEL) if content else b""
    method = DEFLATED
    if len(data) >= len(content):
        method, data = STORED, content
    crc = deflate.crc32(content) if content else 0
    member = Member(file.entry.name, file.mode, crc, method, packed=len(data), size=len(content))
    return Packed(member, hashlib.sha256(content).hexdigest(), [data])


def _pack_in_pieces(entry: Entry, mode: int, scratch: Path) -> Packed:
    """Compress into a temporary file: the header, which says how long it is, comes before it."""
    compressor = zlib_ng.compressobj(_LEVEL_IN_PIECES, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS)
    digest, crc, size = hashlib.sha256(), 0, 0
    output = TemporaryFile(dir=scratch)  # noqa: SIM115  # closed when it has been read
    with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123  # as with stat
        for block in blocks(file):
            digest.update(block)
            crc = deflate.crc32(block, crc)
            size += len(block)
            output.write(compressor.compress(block))
    output.write(compressor.flush())
    member = Member(entry.name, mode, crc, DEFLATED, packed=output.tell(), size=size)
    output.seek(0)
    return Packed(member, digest.hexdigest(), _taken(output))


def _taken(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from blocks(file)


def _sha256(entry: Entry, size: int) -> str:
    if size > _WHOLE_BYTES:
        with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123  # as with stat
            return sha256_of(file).hex()
    return hashlib.sha256(_content(entry)).hexdigest()


def _content(entry: Entry) -> bytes:
    if entry.link is not None:
        return entry.link.encode()
    with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123  # as with stat
        return file.readall()
