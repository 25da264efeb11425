"""Imports of our own code and of what it depends on, without what makes them slow in a task."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .garbage_collection import paused_collection


@contextmanager
def own_imports() -> Iterator[None]:
    """Import with bytecode, and without Python's search for cyclic garbage.

    invoke tells Python to write no bytecode, so that none of tasks.py is left behind. Installed by
    uv, or as editable, our modules and botocore's have none and would be compiled at each run. It
    is written for what this block imports, unless the user has told Python to write none.
    """
    _BYTECODE.begin()
    try:
        with paused_collection():
            yield
    finally:
        _BYTECODE.end()


class _Bytecode:
    """Whether Python writes bytecode: changed by the first of several threads, until the last."""

    def __init__(self) -> None:
        self._lock, self._blocks, self._before = threading.Lock(), 0, False

    def begin(self) -> None:
        with self._lock:
            if not self._blocks:
                self._before = sys.dont_write_bytecode
                sys.dont_write_bytecode = _is_forbidden()
            self._blocks += 1

    def end(self) -> None:
        with self._lock:
            self._blocks -= bool(self._blocks)  # a fork may end a block of its parent
            if not self._blocks:
                sys.dont_write_bytecode = self._before

    def begin_fork(self) -> None:
        """Forget other threads, which do not go on in a fork."""
        self._lock = threading.Lock()
        if self._blocks:
            self._blocks, sys.dont_write_bytecode = 0, self._before


def _is_forbidden() -> bool:
    return bool(sys.flags.dont_write_bytecode or os.environ.get("PYTHONDONTWRITEBYTECODE"))


_BYTECODE = _Bytecode()
if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_BYTECODE.begin_fork)
