"""Finding out which files have changed since the previous archive, and compressing these."""

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

from .archive_index import IndexedMember, Signature
from .atomic_file import Buffer, hash_file, read_blocks
from .files import Entry
from .zip_format import DEFLATED, STORED, Member

# libdeflate's level 5 is a seventh faster than its level 6, and gives less than `zip -6`.
_LEVEL = 5

# libdeflate takes a file as a whole. Larger files are streamed through zlib-ng, which also gives
# the same bytes on every machine.
_WHOLE_BYTES = 32 << 20
_STREAM_LEVEL = 6

# How much is in progress at once: enough to keep all threads busy beside one large file, little
# enough to bound the memory.
_AHEAD_BYTES = 48 << 20
_BATCH_BYTES = 512 << 10
_BATCH_FILES = 64
_WORTH_THREADS_BYTES = 4 << 20


class InspectedFile(NamedTuple):
    """A file as it is now, and its member in the previous archive if it has not changed."""

    entry: Entry
    mode: int  # as the archive stores it
    size: int  # bytes
    signature: Signature | None
    indexed: IndexedMember | None


class CompressedMember(NamedTuple):
    """A new member with its data."""

    member: Member
    sha256: str  # hex, of the content
    data: Iterable[Buffer]  # can be read once


def compressor_versions() -> str:
    """Return the compressors, their versions and levels."""
    whole = f"libdeflate {_LEVEL}, deflate {getattr(deflate, '__version__', '')}"
    return f"{whole}; zlib-ng {zlib_ng.ZLIBNG_RUNTIME_VERSION} {_STREAM_LEVEL}"


def inspect_file(entry: Entry, previous: Mapping[str, IndexedMember]) -> InspectedFile:
    """Return the state of an entry's file, compared with the previous archive's members.

    A file with the same signature is not read. A file with another signature but the same size
    is read and compared by content: it may be unchanged, as after a checkout or a copy.
    """
    # Not Path.stat: creating that many Path objects takes longer than the stat calls.
    status = os.stat(entry.path, follow_symlinks=entry.link is None)  # noqa: PTH116
    signature: Signature | None
    if entry.link is None:
        executable = entry.executable or status.st_mode & S_IXUSR
        mode = S_IFREG | (0o755 if executable else 0o644)
        size = status.st_size
        signature = (size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    else:
        mode, size, signature = S_IFLNK | 0o777, len(entry.link.encode()), None
    indexed = previous.get(entry.name)
    if indexed is None or indexed.member.mode != mode or indexed.member.size != size:
        indexed = None
    elif signature is None or indexed.signature != signature:
        same = indexed.sha256 == _hash_content(entry, size)
        indexed = indexed._replace(signature=signature) if same else None
    return InspectedFile(entry, mode, size, signature, indexed)


def is_much(files: Iterable[InspectedFile]) -> bool:
    """Return whether compressing files is worth all processors."""
    return sum(each.size for each in files) >= _WORTH_THREADS_BYTES


def compress_all(files: list[InspectedFile], scratch: Path) -> Iterator[CompressedMember]:
    """Compress files and yield the members in order; large amounts on all processors.

    The compressors and hashlib release the GIL. What is in progress or waits to be consumed comes
    from at most `_AHEAD_BYTES` of files; streamed files wait in a temporary file in `scratch`.
    """
    compress = partial(_compress, scratch=scratch)
    if not is_much(files):
        yield from map(compress, files)
        return
    ahead: deque[tuple[Future[list[CompressedMember]], int]] = deque()
    waiting = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in _batches(files):
            size = sum(min(each.size, _WHOLE_BYTES) for each in batch)
            while ahead and waiting + size > _AHEAD_BYTES:
                waiting -= ahead[0][1]
                yield from ahead.popleft()[0].result()
            ahead.append((pool.submit(list, map(compress, batch)), size))
            waiting += size
        while ahead:
            yield from ahead.popleft()[0].result()


def _batches(files: list[InspectedFile]) -> Iterator[list[InspectedFile]]:
    """Group neighbours: passing a small file to a thread costs more than compressing it."""
    batch: list[InspectedFile] = []
    size = 0
    for each in files:
        if batch and (size + each.size > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch


def _compress(file: InspectedFile, scratch: Path) -> CompressedMember:
    if file.size > _WHOLE_BYTES:
        return _compress_stream(file.entry, file.mode, scratch)
    content = _read(file.entry)
    data: Buffer = deflate.deflate_compress(content, _LEVEL) if content else b""
    method = DEFLATED
    if len(data) >= len(content):
        method, data = STORED, content
    crc = deflate.crc32(content) if content else 0
    member = Member(file.entry.name, file.mode, crc, method, len(data), len(content))
    return CompressedMember(member, hashlib.sha256(content).hexdigest(), [data])


def _compress_stream(entry: Entry, mode: int, scratch: Path) -> CompressedMember:
    """Compress into a temporary file: the header precedes the data and contains its length."""
    compressor = zlib_ng.compressobj(_STREAM_LEVEL, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS)
    digest, crc, size = hashlib.sha256(), 0, 0
    output = TemporaryFile(dir=scratch)  # noqa: SIM115  # closed by _read_once
    with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123  # as with stat
        for block in read_blocks(file):
            digest.update(block)
            crc = deflate.crc32(block, crc)
            size += len(block)
            output.write(compressor.compress(block))
    output.write(compressor.flush())
    member = Member(entry.name, mode, crc, DEFLATED, output.tell(), size)
    output.seek(0)
    return CompressedMember(member, digest.hexdigest(), _read_once(output))


def _read_once(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from read_blocks(file)


def _hash_content(entry: Entry, size: int) -> str:
    if size > _WHOLE_BYTES:
        with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123  # as with stat
            return hash_file(file).hex()
    return hashlib.sha256(_read(entry)).hexdigest()


def _read(entry: Entry) -> bytes:
    if entry.link is not None:
        return entry.link.encode()
    with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123  # as with stat
        return file.readall()
