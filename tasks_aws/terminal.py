"""Asking the user on the terminal, even when the standard streams are none."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .board import BOARD, is_ci


def has_terminal() -> bool:
    """Tell whether there is somebody to ask, even when stdin and stdout are no terminal."""
    if is_ci():
        return False
    if os.name == "nt":
        return sys.stdin.isatty()
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def ask(question: str) -> str:
    """Return the line that the user types, without blanks around it; nothing for an end of file."""
    with BOARD.hidden():
        print(question, end="", file=sys.stderr, flush=True)
        if os.name == "nt":
            return sys.stdin.readline().strip()
        with Path("/dev/tty").open(errors="replace") as terminal:
            return terminal.readline().strip()
