"""A folder for files that only their owner may read, removed when this process ends.

It is removed at a normal end, at Ctrl-C, SIGTERM and SIGHUP. What a killed process leaves is
removed by the next one that makes such a folder: its lock is free by then.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import stat
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

_PREFIX = "tasks-aws-"
_LOCK = "lock"
_YOUNG = 60  # seconds; by then the owner of a folder has locked it


def make_private_folder() -> Path:
    """Make an empty folder inside that of this process. Raises `OSError`."""
    return Path(tempfile.mkdtemp(dir=_own_folder()))


def write_private(path: Path, text: str) -> Path:
    """Write a new file that only its owner may read, and return its path."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    return path


@cache
def _own_folder() -> Path:
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    lock = _lock(folder)
    lock.acquire()
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # and no fork of it
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)

    def end(number: int, frame: FrameType | None) -> None:
        remove()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    atexit.register(remove)
    for name in ("SIGTERM", "SIGHUP"):  # at Ctrl-C invoke ends normally
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):  # only the main thread may
                signal.signal(number, end)
    return folder


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            ours = not hasattr(os, "getuid") or status.st_uid == os.getuid()
            old = time.time() - status.st_mtime > _YOUNG
            if ours and old and stat.S_ISDIR(status.st_mode) and _is_free(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_free(folder: Path) -> bool:
    from filelock import Timeout

    lock = _lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    return True


def _lock(folder: Path) -> BaseFileLock:
    from filelock import FileLock

    # The process may end in another thread than the one that made the folder.
    return FileLock(folder / _LOCK, mode=0o600, thread_local=False)
