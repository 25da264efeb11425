"""A clock that tests move, for every Python process of a project at once.

Nobody waits: whoever lives through an hour moves the clock by an hour. Processes that a test
starts take the time from a file, in place of the system's, as far as they ask `datetime` for it:
that is what this package and botocore do.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from tests.support import Project

# Python imports a module of this name at its start, unless it was told not to.
_SITECUSTOMIZE = """
import datetime, os

class _Kind(type):
    def __instancecheck__(cls, each):
        return isinstance(each, _real)

_real = datetime.datetime

class Moved(_real, metaclass=_Kind):
    @classmethod
    def now(cls, tz=None):
        with open(os.environ["TEST_CLOCK"]) as file:
            return super().now(tz) + datetime.timedelta(seconds=float(file.read()))

    @classmethod
    def utcnow(cls):
        return cls.now(datetime.timezone.utc).replace(tzinfo=None)

datetime.datetime = Moved
"""

# For the programs of tests: moves the clock that all of them share.
MOVE = """
import os
def move(seconds):
    path = os.environ["TEST_CLOCK"]
    with open(path) as file:
        ahead = float(file.read()) + seconds
    with open(path + ".new", "w") as file:
        file.write(str(ahead))
    os.replace(path + ".new", path)
    return ahead
"""


class Clock:
    """The clock of a project."""

    def __init__(self, project: Project, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_text("0")
        (folder / "sitecustomize.py").write_text(_SITECUSTOMIZE)
        path = [str(folder), os.environ.get("PYTHONPATH", "")]
        project.environ["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        project.environ["TEST_CLOCK"] = str(self._file)

    def now(self) -> float:
        """Return the time, in seconds since the epoch."""
        return time.time() + float(self._file.read_text())

    def move(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._file.write_text(str(float(self._file.read_text()) + seconds))
