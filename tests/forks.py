"""What happens in a fork of the process that runs the tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable


def in_fork(function: Callable[[], bool]) -> bool:
    """Return what a function returns in a fork of this process, in which it may take 10 seconds."""
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        code = 2
        try:
            code = 0 if function() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
