"""A folder for files that only their owner may read, removed when this process ends.

It is removed at a normal end, at Ctrl-C, SIGTERM and SIGHUP. What a killed process leaves is
removed by the next one that makes such a folder. The profile for children has no secret, and stays
for a day: it leads those that go on to the reason why they have no credentials.

All such folders are in one of the user's, which is never removed: where everybody may write, as in
/tmp, others could make one with the name of a folder that was removed.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import stat
import tempfile
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from types import FrameType

from ...process.temporary import is_own, temporary_folder

_PREFIX = "keep-fresh-"
_LASTING = frozenset({"config", "credentials", "no-keys"})


def make_private_folder() -> Path:
    """Make an empty folder inside that of this process. Raises `OSError`."""
    return Path(tempfile.mkdtemp(dir=_own_folder()))


def write_private(path: Path, text: str) -> Path:
    """Write a new file that only its owner may read, and return its path."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(text)
    return path


def _users_folder() -> Path:
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "")
    folder = Path(tempfile.gettempdir()) / f"tasks-aws-{user}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    status = folder.lstat()
    if not (stat.S_ISDIR(status.st_mode) and is_own(status)):
        raise PermissionError(errno.EACCES, f"{folder} is not a folder of yours")
    folder.chmod(0o700)
    return folder


@cache
def _own_folder() -> Path:
    stack = ExitStack()
    folder = stack.enter_context(temporary_folder(_users_folder(), _PREFIX, lasting=_LASTING))

    def end(number: int, frame: FrameType | None) -> None:
        stack.close()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    atexit.register(stack.close)
    for name in ("SIGTERM", "SIGHUP"):  # at Ctrl-C invoke ends normally
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            with suppress(ValueError):  # only the main thread may
                signal.signal(number, end)
    return folder
