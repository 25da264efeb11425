"""What tasks print: one line per event on stderr, results alone on stdout."""

from __future__ import annotations

import errno
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from typing import TextIO

from invoke.exceptions import Exit

from ..errors import TasksAwsError
from ..text.as_typed import with_keys_as_typed
from ..text.printable import escape_controls, printable
from ..text.terminal import is_terminal, paint, wrap
from .in_order import check_interrupted, is_brief, print_line
from .program import running_program
from .progress import DISPLAY, ProgressLine

_WARNING = "warning"
_INDENT = 10  # of what is said of an event
_PATIENCE = 2  # seconds without a word
STDOUT_CLOSED = 141  # the exit code of a shell for what SIGPIPE ended


def say(event: str, text: str, *, file: TextIO | None = None) -> None:
    """Print an event, such as ``zip       hello  1.2 MB, 131 files, 42 ms``, on stderr."""
    line = f"{event:<9} {with_keys_as_typed(text)}"
    if file:
        print(printable(line), file=file, flush=True)
        return
    colour = "yellow" if event == _WARNING else "cyan"
    print_line(
        line,
        indent=_INDENT,
        paint=lambda line: line.replace(event, paint(event, colour), 1),
    )


def print_result(
    text: str, *, end: str = "\n", paint: Callable[[str], str] = lambda text: text
) -> None:
    """Print the result of a task on stdout.

    It is printed as it is: a result may be a secret that the user has asked for, or what a
    function has returned. Only a terminal is shown its control characters instead of their effect.
    When nobody reads it any more, the command line of invoke ends without a word, as `head` ends
    other programs, and with an error where it cannot be written, as on a full disk. Elsewhere it is
    an ordinary `OSError`.
    """
    try:
        with DISPLAY.writing:
            print(paint(_fit(text, sys.stdout)), end=end, flush=True)
    except OSError as error:
        if running_program() is None:
            raise
        with suppress(OSError, ValueError):  # what is left would fail once more when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if is_closed_pipe(error):
            raise Exit(code=STDOUT_CLOSED) from None
        raise TasksAwsError(
            "Cannot write the result to standard output.", why=f"{error.strerror}."
        ) from error


def is_closed_pipe(error: OSError) -> bool:
    """Return whether an error is a broken pipe, which Windows reports as EINVAL."""
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)


def print_function_log(text: str) -> None:
    """Print what a function has logged on stderr, as `print_result` does on stdout."""
    with DISPLAY.writing:
        print(_fit(text, sys.stderr), file=sys.stderr, flush=True)


def _fit(text: str, stream: TextIO | None) -> str:
    """Return a text without what a terminal would obey and what a stream cannot encode."""
    if stream is None:  # it is closed
        return text
    # What a program puts in place of a standard stream may have no more than `write` and `flush`.
    if is_terminal(stream):
        text = escape_controls(text)
    encoding = getattr(stream, "encoding", None) or "utf-8"
    errors = getattr(stream, "errors", None) or "strict"
    try:
        text.encode(encoding, errors)
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def warn(text: str) -> None:
    """Print a warning: something to know about that stops nothing."""
    say(_WARNING, text)


@contextmanager
def track(event: str, subject: str) -> Iterator[ProgressLine]:
    """Time the block and print the event when it ends; on a terminal, show progress meanwhile.

    Each thread may have its own. Nothing is printed if the block raises an error.
    """
    check_interrupted()
    start = time.monotonic()
    with DISPLAY.show(f"{event:<9} {subject}") as line:
        yield line
    if is_brief():
        return
    details = ", ".join(filter(None, [line.result, format_duration(time.monotonic() - start)]))
    say(event, f"{subject}  {details}")


@contextmanager
def announce_wait(what: str) -> Iterator[None]:
    """Print what the block is waiting for, once it has run for two seconds."""
    timer = threading.Timer(_PATIENCE, say, ["waiting", f"for {what} …"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


_NOTHING = ("", "-")  # cells
_COLOURS = {"+": "green", "-": "red", "~": "yellow"}


def print_diff(lines: Iterable[str]) -> None:
    """Print the lines of a diff below an event; in colour on a terminal."""
    for line in map(_cell, lines):
        style = _COLOURS.get(line[:1], "")
        print_line(
            f"{'':<{_INDENT}}{line}",
            indent=_INDENT + 2,
            paint=_painter(style),
        )


def _painter(style: str, stream: TextIO | None = None) -> Callable[[str], str]:
    """Return what paints each line of a text in a style, which may be none."""
    return lambda text: "\n".join(
        paint(line, style, stream=stream) if style else line for line in text.split("\n")
    )


def print_table(
    header: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, result: bool = False
) -> None:
    """Print rows in aligned columns; on stdout if they are the result of a task.

    Columns in which no row has anything are left out. On a terminal, what does not fit goes on in
    the next line.
    """
    printed = [header, *(tuple(map(_cell, row)) for row in rows)]
    columns = [
        [text.ljust(max(map(len, column))) for text in column]
        for column in zip(*printed, strict=True)
        if len(printed) == 1 or any(text not in _NOTHING for text in column[1:])
    ]
    for number, row in enumerate(zip(*columns, strict=True)):
        line, style = "  ".join(row).rstrip(), "" if number else "bold"
        if result:
            stdout = sys.stdout
            print_result(wrap(line, indent=2, stream=stdout), paint=_painter(style, stdout))
        else:
            print_line(line, indent=2, paint=_painter(style))


def _cell(text: str) -> str:
    """Return a text as it is shown within a line."""
    return printable(text).replace("\n", r"\n")


def format_duration(seconds: float) -> str:
    """Return a duration in words, in one or two units.

    >>> [format_duration(each) for each in (0.042, 0.9999, 7.25, 59.97, 899.6, 3599.9, 5400)]
    ['42 ms', '1.0 s', '7.2 s', '1 min', '15 min', '1 h', '1 h 30 min']
    """
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def format_size(size: int) -> str:
    """Return a number of bytes in SI units.

    >>> format_size(512), format_size(20_480), format_size(1_249_291)
    ('512 B', '20.5 kB', '1.2 MB')
    """
    if size < 1000:
        return f"{size} B"
    return f"{size / 1e3:.1f} kB" if size < 999_950 else f"{size / 1e6:.1f} MB"


def count(number: int, noun: str) -> str:
    """Return a number and its noun, in the plural where it needs one.

    >>> count(1, "file"), count(3, "file")
    ('1 file', '3 files')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def suggest(word: str, known: list[str]) -> str:
    """Return ``Did you mean `x`?`` for a misspelt word; an empty string if nothing is close.

    What two words of several parts have in common does not make them close.

    >>> suggest("regoin", ["profile", "region"]), suggest("DEV", ["dev"])
    ('Did you mean `region`?', 'Did you mean `dev`?')
    >>> suggest("FUNCTIONS_HELLO_TIMEOUT", ["FUNCTIONS_HELLO_ROLE"])
    ''
    """
    in_lower_case = {each.lower(): each for each in known}
    matches = get_close_matches(word.lower(), in_lower_case, n=len(in_lower_case) or 1)
    close = (each for each in matches if _is_close(*_differing_parts(word.lower(), each)))
    found = next(close, None)
    return "" if found is None else f"Did you mean `{in_lower_case[found]}`?"


def _is_close(word: str, other: str) -> bool:
    return bool(get_close_matches(word, [other])) or sorted(word) == sorted(other)


def _differing_parts(word: str, other: str) -> tuple[str, str]:
    """Return two words without the parts that both begin or end with, but for one part of each."""
    parts, others = (re.split(r"[\W_]+", each) for each in (word, other))
    for end in (0, -1):
        while min(len(parts), len(others)) > 1 and parts[end] == others[end]:
            del parts[end], others[end]
    return " ".join(parts), " ".join(others)
