"""Locks between processes, which the end of a process always frees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import TasksAwsError

LONGEST_WAIT_SECONDS = 600


@contextmanager
def file_lock(
    path: Path, *, waiting: Callable[[], None], too_long: Callable[[], TasksAwsError]
) -> Iterator[bool]:
    """Hold a lock; where none can be had, as on a read-only disk, go on without, and tell so.

    `waiting` is called when another process holds it, `too_long` makes the error for when it
    does so for ten minutes.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path, mode=0o600)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            lock.acquire(timeout=LONGEST_WAIT_SECONDS, poll_interval=0.05)
    except Timeout as error:
        raise too_long() from error
    except OSError:
        pass
    try:
        yield lock.is_locked
    finally:
        lock.release()
