"""Asking the user on the terminal, even when the standard streams are none."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from ..errors import CredentialsError
from .progress import DISPLAY, is_ci

PROMPT_LOCK = threading.RLock()  # held while the user is asked something

_children: list[int] = []  # programs that have been given the terminal


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
    with take_terminal():
        print(question, end="", file=sys.stderr, flush=True)
        if os.name == "nt":
            return sys.stdin.readline().strip()
        with Path("/dev/tty").open(errors="replace") as terminal:
            return terminal.readline().strip()


@contextmanager
def take_terminal() -> Iterator[None]:
    """Have the terminal alone for a question, also while a child of ours is using it.

    Raises `CredentialsError` when it cannot be taken from whoever has it.
    """
    with PROMPT_LOCK, DISPLAY.hidden():
        if os.name == "nt" or not has_terminal():
            yield
            return
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            with _in_foreground(terminal), _whole_lines(terminal):
                yield
        finally:
            os.close(terminal)


@contextmanager
def lend_terminal(process_id: int) -> Iterator[None]:
    """Say that a program has the terminal as long as it runs."""
    _children.append(process_id)
    try:
        yield
    finally:
        _children.remove(process_id)


@contextmanager
def _in_foreground(terminal: int) -> Iterator[None]:
    """Take the terminal back from a job of a shell that we started, and return it to the job.

    Not from that shell itself, whose user is typing a command, nor from the one that started us.
    """
    ours, holder = os.getpgrp(), os.tcgetpgrp(terminal)
    if holder == ours or not _children:
        yield
        return
    shells = [os.getppid(), *_children]
    if holder in (os.getsid(0), *(_group(each) for each in shells)):
        raise CredentialsError(
            "A question has to be asked, and another program has the terminal.",
            why="Nothing can be typed for us meanwhile.",
            fix="Run in the foreground what needs the answer.",
        )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # it would stop us
    try:
        os.tcsetpgrp(terminal, ours)
        yield
    finally:
        with suppress(OSError):  # the job may have ended meanwhile
            os.tcsetpgrp(terminal, holder)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _group(process_id: int) -> int | None:
    try:
        return os.getpgid(process_id)
    except OSError:
        return None


@contextmanager
def _whole_lines(terminal: int) -> Iterator[None]:
    """Let the terminal hand over whole lines: c.run has made it hand over single keys."""
    import termios

    before = termios.tcgetattr(terminal)
    wanted = [*before]
    wanted[0] |= termios.ICRNL
    wanted[3] |= termios.ICANON | termios.ECHO | termios.ISIG
    restore = partial(termios.tcsetattr, terminal, termios.TCSANOW, before)
    if wanted != before:
        termios.tcsetattr(terminal, termios.TCSANOW, wanted)
    # The question may be open in another thread when this process ends, with the echo off.
    atexit.register(restore)
    try:
        yield
    finally:
        atexit.unregister(restore)
        if wanted != before:
            restore()
