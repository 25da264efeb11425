"""Temporary folders that are removed even if their process is killed: by the next one.

Only a folder that is marked as ours, belongs to this user and is locked by nobody is removed, or an
empty one, which was not marked yet. A folder that is marked may not be locked yet, so its owner
looks at the mark once it has the lock, and who removes a folder starts with the mark.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from .importing import own_imports

if TYPE_CHECKING:
    from filelock import BaseFileLock

MARK = ".tasks-aws-temporary"
TEXT = b"tasks-aws removes this folder when the process that made it has ended.\n"

_LOCK = "lock"
_LASTING_SECONDS = 24 * 3600
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_NO_LOCKS = (OSError, NotImplementedError)  # the file system has none


@contextmanager
def temporary_folder(
    parent: Path, prefix: str, *, lasting: frozenset[str] = frozenset()
) -> Iterator[Path]:
    """Make a folder that only its owner may enter, and remove it when the block ends.

    Those of killed processes with the same prefix are removed, too. Files in its folders whose
    names are `lasting` stay for a day, for processes that go on. Raises `OSError`.
    """
    _remove_abandoned(parent, prefix, lasting)
    folder, lock = _make(parent, prefix)
    owner = os.getpid()
    try:
        yield folder
    finally:
        if os.getpid() == owner:  # and no fork of it
            with suppress(OSError):
                os.utime(folder / MARK)  # the day begins
            lock.release()
            _empty(folder, lasting)


def _make(parent: Path, prefix: str) -> tuple[Path, BaseFileLock]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = _lock(folder)
        with suppress(FileNotFoundError):  # another process has found it empty, and removed it
            with open(os.open(folder / MARK, _CREATE, 0o600), "wb") as file:  # noqa: PTH123
                file.write(TEXT)
            with suppress(*_NO_LOCKS):
                lock.acquire()
            if _is_marked(folder):
                return folder, lock
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(parent: Path, prefix: str, lasting: frozenset[str]) -> None:
    with suppress(OSError):
        for folder in parent.iterdir():
            if folder.name.startswith(prefix):
                with suppress(*_NO_LOCKS):  # or somebody holds it
                    _remove_if_abandoned(folder, lasting)


def _remove_if_abandoned(folder: Path, lasting: frozenset[str]) -> None:
    status = folder.lstat()
    if not (stat.S_ISDIR(status.st_mode) and is_own(status)):
        return
    if not _is_marked(folder):
        folder.rmdir()  # which removes none that has anything in it
        return
    with _lock(folder).acquire(timeout=0):
        age = time.time() - (folder / MARK).stat().st_mtime
        is_removed = _empty(folder, lasting if age < _LASTING_SECONDS else frozenset())
    if is_removed:
        shutil.rmtree(folder, ignore_errors=True)  # Windows had to leave the file of the lock


def _empty(folder: Path, lasting: frozenset[str]) -> bool:
    """Remove a folder, or all files in its folders but the lasting ones; return which it was."""
    files = [*folder.glob("*/*")]
    if any(path.name in lasting for path in files):
        for path in files:
            if path.name not in lasting:
                with suppress(OSError):
                    path.unlink()
        return False
    (folder / MARK).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return True


def _is_marked(folder: Path) -> bool:
    """Return whether a folder has our mark; a killed process may not have written all of it."""
    try:
        with open(os.open(folder / MARK, _READ), "rb") as file:  # noqa: PTH123
            status = os.fstat(file.fileno())
            ours = stat.S_ISREG(status.st_mode) and is_own(status)
            return ours and TEXT.startswith(file.read(len(TEXT) + 1))
    except OSError:
        return False


def is_own(status: os.stat_result) -> bool:
    """Return whether a file belongs to this user; on Windows nobody knows."""
    return not hasattr(os, "getuid") or status.st_uid == os.getuid()


def _lock(folder: Path) -> BaseFileLock:
    with own_imports():
        from filelock import FileLock

    # The process may end in another thread than the one that made the folder.
    return FileLock(folder / _LOCK, mode=0o600, thread_local=False)
