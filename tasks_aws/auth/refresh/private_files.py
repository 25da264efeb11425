"""A folder for files that only their owner may read, removed when this process ends.

It is removed at a normal end, at Ctrl-C, SIGTERM and SIGHUP. What a killed process leaves is
removed by the next one that makes such a folder.
"""

from __future__ import annotations

import atexit
import os
import signal
import tempfile
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from types import FrameType

from ...temporary import temporary_folder

_PREFIX = "tasks-aws-keep-fresh-"


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
    stack = ExitStack()
    folder = stack.enter_context(temporary_folder(Path(tempfile.gettempdir()), _PREFIX))

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
