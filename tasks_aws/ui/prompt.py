"""Prompts on the terminal, even if stdin and stdout are redirected, and in notebooks."""

from __future__ import annotations

import atexit
import getpass
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from ..errors import CredentialsError
from ..process.locking import thread_lock
from ..text.printable import printable
from ..text.terminal import is_ci
from .output import say
from .program import ending_at_ctrl_c
from .progress import DISPLAY

PROMPT_LOCK = thread_lock()  # held while a prompt is open

_POLL = 0.2  # seconds

_children: list[int] = []  # process IDs of programs that have the terminal


def has_terminal() -> bool:
    """Return whether somebody can be prompted, even if stdin and stdout are redirected."""
    return not why_no_prompt()


def why_no_prompt() -> str:
    """Return why nobody can be prompted, in half a sentence; nothing if somebody can."""
    if is_ci():
        return "nobody is prompted when CI is set"
    return "" if _is_there_a_terminal() else "there is no terminal"


def _is_there_a_terminal() -> bool:
    if _in_notebook():
        return True
    if os.name == "nt":
        # `isatty` is true of NUL, too, from which `getpass` would read for ever.
        raw = getattr(getattr(sys.stdin, "buffer", None), "raw", None)
        return type(raw).__name__ == "_WindowsConsoleIO"
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def ask(question: str) -> str:
    """Return the line that the user types, stripped; an empty string at the end of file."""
    return (_read_line(question, hidden=False) or "").strip()


def ask_with_default(question: str, default: str) -> str:
    """Return the line that the user types, stripped, or a default for an empty one.

    Raises `EOFError` at the end of file.
    """
    line = _read_line(f"{question} [{default}]: ", hidden=False)
    if line is None:
        raise EOFError
    return line.strip() or default


def agrees(question: str) -> bool:
    """Return whether the user answers a question with yes; anything else is a no."""
    return ask(f"{question} [y/N] ").lower() in ("y", "yes")


def ask_hidden(question: str) -> str:
    """Return the line that the user types without showing it. Raises `EOFError`."""
    line = _read_line(question, hidden=True)
    if line is None:
        raise EOFError
    return line


def tell(event: str, text: str) -> None:
    """Print an event where the user sees it: on the terminal, even if stderr leads elsewhere."""
    if not (sys.stderr.isatty() or _in_notebook() or os.name == "nt"):
        with (
            suppress(OSError),
            open("/dev/tty", "w", errors="backslashreplace") as terminal,  # noqa: PLW1514, PTH123
        ):
            say(event, text, file=terminal)
            return
    say(event, text)


@contextmanager
def on_terminal() -> Iterator[dict[str, Any]]:
    """Yield the streams of a program that asks the user something, as `subprocess` takes them.

    Raises `CredentialsError` if another program has the terminal.
    """
    if _in_notebook() or os.name == "nt":
        yield {"stdout": 2}  # stdout belongs to results
        return
    terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    try:
        with _in_foreground(terminal):
            yield dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    finally:
        os.close(terminal)


@contextmanager
def waiting_for_user() -> Iterator[None]:
    """Hold back other prompts and the progress, while the user has something to do.

    Ctrl-C ends the command line of invoke.
    """
    with ending_at_ctrl_c(), PROMPT_LOCK, DISPLAY.hide():
        yield


def _read_line(question: str, *, hidden: bool) -> str | None:
    """Return a line that the user types; None at the end of file.

    Raises `CredentialsError` if nobody can be prompted now.
    """
    question = printable(question)
    with waiting_for_user():
        if _in_notebook():
            return _ask_notebook(question, hidden=hidden)
        if os.name == "nt":
            return _ask_windows(question, hidden=hidden)
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
        try:
            with _in_foreground(terminal):
                return _ask_terminal(terminal, question, hidden=hidden)
        finally:
            os.close(terminal)


def _in_notebook() -> bool:
    """Return whether this is a kernel of Jupyter: it replaces `input` and `getpass`."""
    return getpass.getpass.__module__ != getpass.__name__


def _ask_notebook(question: str, *, hidden: bool) -> str | None:
    try:
        return (getpass.getpass if hidden else input)(question)
    except EOFError:
        return None
    except NotImplementedError as error:  # run by a program such as nbconvert
        raise CredentialsError(
            "Cannot prompt: nobody is running this notebook interactively.",
            fix="Pass the answer to the task (`mfa_code`, `yes`), or run the notebook in Jupyter.",
        ) from error


def _ask_windows(question: str, *, hidden: bool) -> str | None:
    if hidden:
        return getpass.getpass(question)
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline() or None


def _ask_terminal(terminal: int, question: str, *, hidden: bool) -> str | None:
    import termios

    before = termios.tcgetattr(terminal)
    wanted = [*before]
    # Whole lines, and shown or not: c.run makes the terminal return single keys.
    wanted[0] |= termios.ICRNL
    wanted[3] |= termios.ICANON | termios.ISIG | termios.ECHO
    if hidden:
        wanted[3] &= ~termios.ECHO

    def show() -> None:
        termios.tcsetattr(terminal, termios.TCSAFLUSH if hidden else termios.TCSANOW, wanted)
        os.write(terminal, question.encode())

    def restore() -> None:
        termios.tcsetattr(terminal, termios.TCSANOW, before)

    def disturbed() -> bool:
        return bool((termios.tcgetattr(terminal)[3] ^ wanted[3]) & (termios.ICANON | termios.ECHO))

    line = b""
    # The prompt may be open in another thread when this process ends, with the echo off.
    atexit.register(restore)
    try:
        with _suspendable(restore, show):
            show()
            while not line.endswith(b"\n"):
                # Who continues this process, or ends a c.run beside it, sets modes of its own.
                while not select.select([terminal], [], [], _POLL)[0]:
                    if disturbed():
                        show()
                if not (part := os.read(terminal, 4096)):
                    break
                line += part
    finally:
        atexit.unregister(restore)
        restore()
        if hidden or not line.endswith(b"\n"):  # the terminal has not shown the end of the line
            os.write(terminal, b"\n")
    return line.decode(errors="replace").rstrip("\n") if line else None


@contextmanager
def _suspendable(restore: Callable[[], None], show: Callable[[], None]) -> Iterator[None]:
    """Restore the terminal when Ctrl-Z stops this process, and show the prompt when it goes on."""
    if not (
        threading.current_thread() is threading.main_thread()  # no other may set a handler
        and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL
    ):
        yield
        return

    def suspend(number: int, frame: FrameType | None) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_kill(threading.get_ident(), number)  # stops here
        signal.signal(number, suspend)
        show()

    signal.signal(signal.SIGTSTP, suspend)
    try:
        yield
    finally:
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)


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
