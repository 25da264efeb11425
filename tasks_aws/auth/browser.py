"""The user's browser, started with the environment from before `assume`.

It runs other people's code and outlives the session, and so does the child process that looks for
it.
"""

from __future__ import annotations

import subprocess
import sys

from .environment import users_environment

_URL = "TASKS_AWS_URL"  # a variable: other users can read a command line
_PROGRAM = (
    "import os, signal, sys, webbrowser; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    f"sys.exit(not webbrowser.open(os.environ.pop('{_URL}')))"
)


def start_browser(url: str) -> subprocess.Popen[bytes]:
    """Open a URL in the user's browser. The process fails if that does not work."""
    return subprocess.Popen(
        [sys.executable, "-I", "-c", _PROGRAM],  # -I: not a webbrowser.py of the project's
        env={**users_environment(), _URL: url},
        stdout=2,  # stdout belongs to results
    )


def open_in_browser(url: str) -> bool:
    """Open a URL in the user's browser, and return whether that worked."""
    return start_browser(url).wait() == 0
