"""Prompts on the terminal, even if stdin and stdout are redirected."""

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

PROMPT_LOCK = threading.RLock()  # held while a prompt is open

_children: list[int] = []  # process IDs of programs that have the terminal


def has_terminal() -> bool:
    """Return whether somebody can be prompted, even if stdin and stdout are redirected."""
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
    """Return the line that the user types, stripped; an empty string at the end of file."""
    with take_terminal():
        print(question, end="", file=sys.stderr, flush=True)
        if os.name == "nt":
            return sys.stdin.readline().strip()
        with Path("/dev/tty").open(errors="replace") as terminal:
            return terminal.readline().strip()


@contextmanager
def take_terminal() -> Iterator[None]:
    """Have the terminal to ourselves for a prompt, even while a child process is using it.

    Raises `CredentialsError` if it cannot be taken from the program that is using it.
    """
    with PROMPT_LOCK, DISPLAY.hide():
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
    """Let a child process have the terminal while the block runs."""
    _children.append(process_id)
    try:
        yield
    finally:
        _children.remove(process_id)


@contextmanager
def _in_foreground(terminal: int) -> Iterator[None]:
    """Take the terminal from a job of a shell that we started, and give it back to the job.

    It is not taken from that shell itself, whose user is typing a command, nor from the shell
    that started us.
    """
    ours, holder = os.getpgrp(), os.tcgetpgrp(terminal)
    if holder == ours or not _children:
        yield
        return
    shells = [os.getppid(), *_children]
    if holder in (os.getsid(0), *(_group(each) for each in shells)):
        raise CredentialsError(
            "Cannot prompt: another program is using the terminal.",
            fix="Run the command that needs the answer in the foreground.",
        )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # it would stop us
    try:
        os.tcsetpgrp(terminal, ours)
        yield
    finally:
        with suppress(OSError):  # the job may have ended
            os.tcsetpgrp(terminal, holder)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _group(process_id: int) -> int | None:
    try:
        return os.getpgid(process_id)
    except OSError:
        return None


@contextmanager
def _whole_lines(terminal: int) -> Iterator[None]:
    """Make the terminal return whole lines: c.run makes it return single keys."""
    import termios

    before = termios.tcgetattr(terminal)
    wanted = [*before]
    wanted[0] |= termios.ICRNL
    wanted[3] |= termios.ICANON | termios.ECHO | termios.ISIG
    restore = partial(termios.tcsetattr, terminal, termios.TCSANOW, before)
    if wanted != before:
        termios.tcsetattr(terminal, termios.TCSANOW, wanted)
    # The prompt may be open in another thread when this process ends, with the echo off.
    atexit.register(restore)
    try:
        yield
    finally:
        atexit.unregister(restore)
        if wanted != before:
            restore()
