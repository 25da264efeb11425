"""Locks between processes. The operating system releases them when a process ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import TasksAwsError

LONGEST_WAIT_SECONDS = 600

_POLL_SECONDS = 0.05


@contextmanager
def file_lock(
    path: Path, *, waiting: Callable[[], None], too_long: Callable[[], TasksAwsError]
) -> Iterator[bool]:
    """Hold a lock, and yield whether it is held: a read-only disk, for example, allows none.

    `waiting` is called when another process holds the lock. `too_long` returns the error to raise
    when that process does not release it within `LONGEST_WAIT_SECONDS`.
    """
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
