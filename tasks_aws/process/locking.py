"""Locks between processes, and locks between threads that a fork does not leave locked.

The operating system releases the former when a process ends.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from ..errors import TasksAwsError
from .importing import own_imports

LONGEST_WAIT_SECONDS = 600

_POLL_SECONDS = 0.05


def in_forks(function: Callable[[], object]) -> None:
    """Call a function in each fork of this process, in which only the forking thread goes on."""
    if hasattr(os, "register_at_fork"):  # Windows has no forks
        os.register_at_fork(after_in_child=function)


def thread_lock() -> threading.RLock:
    """Return a lock that is free in a fork, where the thread that holds it does not go on."""
    lock = threading.RLock()
    _LOCKS.add(lock)
    return lock


def _free_locks() -> None:
    for lock in _LOCKS:
        lock._at_fork_reinit()  # type: ignore[attr-defined]  # as Python's own modules do


_LOCKS: WeakSet[threading.RLock] = WeakSet()
in_forks(_free_locks)


@contextmanager
def file_lock(
    path: Path, *, waiting: Callable[[], None], too_long: Callable[[], TasksAwsError]
) -> Iterator[bool]:
    """Hold a lock, and yield whether it is held: a read-only disk, for example, allows none.

    `waiting` is called when another process holds the lock. `too_long` returns the error to raise
    when that process does not release it within `LONGEST_WAIT_SECONDS`.
    """
    with own_imports():
        from filelock import FileLock, Timeout

    lock = FileLock(path, mode=0o600)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire(timeout=LONGEST_WAIT_SECONDS, poll_interval=_POLL_SECONDS)
    except Timeout as error:
        raise too_long() from error
    except OSError:
        pass
    try:
        yield lock.is_locked
    finally:
        lock.release()


def is_free(path: Path) -> bool:
    """Return whether nobody holds a lock, as far as this process can tell."""
    with own_imports():
        from filelock import FileLock, Timeout

    try:
        with FileLock(path, mode=0o600).acquire(timeout=0):
            return True
    except (OSError, Timeout):
        return False
