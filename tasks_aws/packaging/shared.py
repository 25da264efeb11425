"""What functions packaged in one run share, so that each piece of work is done once."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from ..ui.output import warn
from .archive_index import Identity, IndexedMember

# Of an installed file: size, mtime_ns, inode. uv links the same file into many folders.
InstalledFile = tuple[int, int, int]


class SharedMember(NamedTuple):
    """A member of an archive that was written, or found unchanged, in this run."""

    archive: Path
    identity: Identity  # of the archive: another process may replace it
    indexed: IndexedMember


class Shared:
    """The state of a run."""

    def __init__(self) -> None:
        self.scratch: Path | None = None  # the folder of what is not finished yet
        self.at_end = ExitStack()
        self.members: dict[InstalledFile, SharedMember] = {}
        self._lock = threading.Lock()
        self._locks: dict[Hashable, threading.Lock] = {}
        self._made: set[Hashable] = set()
        self._unmatched: dict[str, dict[str, None]] = {}
        self._running = False

    @contextmanager
    def run(self) -> Iterator[None]:
        """Share what is made within the block, also within blocks inside of it."""
        if self._running:
            yield
            return
        self._running = True
        try:
            with self.at_end:
                yield
            for key, patterns in self._unmatched.items():
                for each in patterns:
                    warn(f"{key} names {each}, which matches no file of any function here.")
        finally:
            self._running, self.scratch = False, None
            self._unmatched.clear()
            self.members.clear()
            self._made.clear()

    def note_unmatched(self, key: str, patterns: Iterable[str]) -> None:
        """Note which patterns of a setting match nothing in one of the functions."""
        with self._lock:
            before = self._unmatched.get(key)
            found = dict.fromkeys(patterns)
            self._unmatched[key] = (
                found if before is None else {each: None for each in before if each in found}
            )

    @contextmanager
    def one_by_one(self, key: Hashable) -> Iterator[None]:
        """Run the blocks of one key one after the other."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            yield

    @contextmanager
    def one_first(self, key: Hashable) -> Iterator[None]:
        """Run the blocks of one key at once, but only after one of them has succeeded by itself."""
        with self.one_by_one(key):
            if key not in self._made:
                yield
                self._made.add(key)
                return
        yield
