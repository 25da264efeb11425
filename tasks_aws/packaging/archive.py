"""Zip archives whose bytes depend on nothing but the names and contents of the files.

The writer is our own because `zipfile` cannot take what another library has compressed, and
only libdeflate gives the same bytes on every processor and in every Python. Nor can `zipfile`
take over from the archive before what has not changed.
"""

from __future__ import annotations

import base64
import hashlib
import mmap
import os
import time
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from stat import S_IFLNK, S_IFREG, S_IXUSR
from typing import NamedTuple

import deflate

from ..errors import PackageError
from . import index as indexes
from .hashed_file import Buffer, HashedFile, replacing
from .index import Index, Known, Signature
from .select import Entry
from .zip_format import DEFLATED, STORED, Member, central_header, end, local_header

LEVEL = 6

# What is in work at once: enough for the threads while one has a large file, little enough for
# the memory.
_AHEAD_BYTES = 64 << 20
_BATCH_BYTES = 512 << 10
_BATCH_FILES = 64
_WORTH_THREADS_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A finished archive."""

    path: Path
    size: int  # bytes
    unzipped: int  # bytes
    files: int
    code_sha256: str  # base64, as Lambda's CodeSha256
    digest: str  # hex, of names, modes and contents: no compressor has a part in it


class _Work(NamedTuple):
    """One entry, with what its stat says and what is known of it from before."""

    entry: Entry
    mode: int
    size: int
    signature: Signature
    known: Known | None


class _Done(NamedTuple):
    """One member, and its data unless the archive before has them."""

    member: Member
    sha256: str
    signature: Signature
    data: Buffer | None
    known: Known | None


def write(target: Path, entries: Sequence[Entry]) -> Archive:
    """Zip the entries in the order given; the target appears only when it is whole.

    The same names and contents give the same bytes: entries are dated 1980-01-01 and have mode
    0644, or 0755 if their owner may execute them. An index beside the target says what is in
    it; what it has of the same content is copied from there and not compressed again, and a file
    whose stat is the same is not even read.
    """
    started = time.time_ns()
    index = indexes.load(target, codec=_codec())
    work = [_look(entry, index) for entry in entries]
    if index and _unchanged(index, work):
        return _archive(target, index)
    known: list[Known] = []
    with _previous(target, index) as previous, replacing(target) as output:
        hashing = HashedFile(output, previous)
        directory: list[bytes] = []
        for done in _side_by_side(work):
            offset = hashing.written
            directory.append(central_header(done.member, offset))
            if done.data is None and done.known:
                hashing.copy(done.known.offset, done.member.span)
            elif done.data is not None:
                hashing.write(local_header(done.member))
                hashing.write(done.data)
            known.append(
                Known(
                    member=done.member, offset=offset, sha256=done.sha256, signature=done.signature
                )
            )
        start = hashing.written
        hashing.write(b"".join(directory))
        hashing.write(end(len(directory), start, hashing.written - start))
        code_sha256 = base64.b64encode(hashing.digest()).decode()
    written = indexes.save(target, known, codec=_codec(), code_sha256=code_sha256, started=started)
    return _archive(target, written)


def read(path: Path) -> tuple[Archive, list[tuple[str, int]]]:
    """Return a zip that others made, and the names and sizes of its files.

    Raises `PackageError` when it is none, or has a name that leads outside.
    """
    digest, code_sha256 = hashlib.sha256(), hashlib.sha256()
    try:
        code_sha256.update(path.read_bytes())
        with zipfile.ZipFile(path) as found:
            files = [each for each in found.infolist() if not each.is_dir()]
            for info in sorted(files, key=lambda info: info.filename):
                content = hashlib.sha256(found.read(info)).hexdigest()
                mode = info.external_attr >> 16
                digest.update(f"{info.filename}\0{mode:o}\0{content}\n".encode())
    except (OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise PackageError(
            f"{path} is not a zip that can be read.", why=str(error), fix="Build it again."
        ) from error
    names = [PurePosixPath(info.filename) for info in files]
    if not files or any(name.is_absolute() or ".." in name.parts for name in names):
        raise PackageError(
            f"{path} is empty, or has a file that would be unpacked elsewhere.",
            why="Lambda refuses it.",
            fix="Build it again.",
        )
    archive = Archive(
        path=path,
        size=path.stat().st_size,
        unzipped=sum(info.file_size for info in files),
        files=len(files),
        code_sha256=base64.b64encode(code_sha256.digest()).decode(),
        digest=digest.hexdigest(),
    )
    return archive, [(info.filename, info.file_size) for info in files]


def _codec() -> str:
    return f"libdeflate {LEVEL}, deflate {getattr(deflate, '__version__', '')}"


def _archive(target: Path, index: Index) -> Archive:
    digest = hashlib.sha256()
    for known in index.known:
        digest.update(f"{known.member.name}\0{known.member.mode:o}\0{known.sha256}\n".encode())
    return Archive(
        path=target,
        size=index.size,
        unzipped=sum(known.member.size for known in index.known),
        files=len(index.known),
        code_sha256=index.code_sha256,
        digest=digest.hexdigest(),
    )


def _look(entry: Entry, index: Index | None) -> _Work:
    # Not Path.stat: to make a Path for each of many files takes longer than their stats.
    status = os.stat(entry.path, follow_symlinks=entry.link is None)  # noqa: PTH116
    if entry.link is not None:
        mode, size = S_IFLNK | 0o777, len(entry.link.encode())
    else:
        mode = S_IFREG | (0o755 if status.st_mode & S_IXUSR else 0o644)
        size = status.st_size
    return _Work(
        entry=entry,
        mode=mode,
        size=size,
        signature=(size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino),
        known=index.by_name.get(entry.name) if index else None,
    )


def _is_same(work: _Work) -> bool:
    """Tell, without reading a file, whether it is known to be what it was."""
    known = work.known
    if known is None or known.member.mode != work.mode:
        return False
    if work.entry.link is not None:
        return known.sha256 == hashlib.sha256(work.entry.link.encode()).hexdigest()
    return known.settled and known.signature == work.signature


def _unchanged(index: Index, work: list[_Work]) -> bool:
    """Tell, without reading a file, whether the archive is what would be written."""
    names = [known.member.name for known in index.known]
    return names == [each.entry.name for each in work] and all(map(_is_same, work))


def _pack(work: _Work) -> _Done:
    known = work.known
    if known and _is_same(work):
        return _Done(
            member=known.member,
            sha256=known.sha256,
            signature=work.signature,
            data=None,
            known=known,
        )
    content = _content(work)
    sha256 = hashlib.sha256(content).hexdigest()
    if known and known.sha256 == sha256 and known.member.mode == work.mode:
        return _Done(
            member=known.member, sha256=sha256, signature=work.signature, data=None, known=known
        )
    method, data = STORED, content
    if content:
        compressed = deflate.deflate_compress(content, LEVEL)
        if len(compressed) < len(content):
            method, data = DEFLATED, compressed
    member = Member(
        name=work.entry.name,
        mode=work.mode,
        crc=deflate.crc32(content) if content else 0,
        method=method,
        packed=len(data),
        size=len(content),
    )
    return _Done(member=member, sha256=sha256, signature=work.signature, data=data, known=None)


def _content(work: _Work) -> Buffer:
    if work.entry.link is not None:
        return work.entry.link.encode()
    return Path(work.entry.path).read_bytes()


def _side_by_side(work: list[_Work]) -> Iterator[_Done]:
    """Pack all, in order, on every processor: libdeflate and hashlib let other threads run."""
    if sum(each.size for each in work if not _is_same(each)) < _WORTH_THREADS_BYTES:
        yield from map(_pack, work)
        return
    ahead: deque[tuple[Future[list[_Done]], int]] = deque()
    waiting = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for batch in _batches(work):
            size = sum(each.size for each in batch)
            while ahead and waiting + size > _AHEAD_BYTES:
                first, first_size = ahead.popleft()
                yield from first.result()
                waiting -= first_size
            ahead.append((pool.submit(_pack_all, batch), size))
            waiting += size
        for first, _ in ahead:
            yield from first.result()


def _pack_all(work: list[_Work]) -> list[_Done]:
    return [_pack(each) for each in work]


def _batches(work: list[_Work]) -> Iterator[list[_Work]]:
    """Join neighbours: handing a small file to a thread costs more than packing it."""
    batch: list[_Work] = []
    size = 0
    for each in work:
        if batch and (size + each.size > _BATCH_BYTES or len(batch) >= _BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += each.size
    if batch:
        yield batch


@contextmanager
def _previous(target: Path, index: Index | None) -> Iterator[memoryview | None]:
    """Give the bytes of the archive before, if there is an index of it."""
    if index is None:
        yield None
        return
    with (
        target.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as view,
    ):
        yield view
