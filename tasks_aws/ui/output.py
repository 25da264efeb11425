"""What the tasks tell the user: one line per event on stderr; results alone on stdout."""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

from .progress import DISPLAY, ProgressLine, is_watched


def say(event: str, text: str) -> None:
    """Print one event, such as ``zip       hello  1.2 MB, 131 files, 42 ms``."""
    print(f"{event:<9} {text}", file=sys.stderr, flush=True)


def warn(text: str) -> None:
    """Print a warning: something that the user should know, and that stops nothing."""
    say("warning", text)


@contextmanager
def track(event: str, subject: str) -> Iterator[ProgressLine]:
    """Time a step and say how it went; on a terminal, show that it is under way.

    Many threads may have one each. Nothing is said of a step that raises: its error speaks.
    """
    start = time.monotonic()
    with DISPLAY.line(f"{event:<9} {subject}") as current:
        yield current
    details = ", ".join(filter(None, [current.result, format_duration(time.monotonic() - start)]))
    say(event, f"{subject}  {details}")


_COLOURS = {"+": "green", "-": "red", "~": "yellow"}


def print_diff(texts: Iterable[str]) -> None:
    """Print the lines of a diff below an event; on a terminal, in colours."""
    texts = list(texts)
    if not is_watched():
        for text in texts:
            print(f"{'':<9} {text}", file=sys.stderr, flush=True)
        return
    from rich.console import Console

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    for text in texts:
        console.print(f"{'':<9} {text}", style=_COLOURS.get(text[:1], ""))


def print_table(
    header: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, result: bool = False
) -> None:
    """Print rows in columns; on stdout if they are a task's result."""
    everything = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*everything, strict=True)]
    for row in everything:
        cells = (text.ljust(width) for text, width in zip(row, widths, strict=True))
        file = sys.stdout if result else sys.stderr
        print("  ".join(cells).rstrip(), file=file, flush=True)


def format_duration(seconds: float) -> str:
    """Return a time as people say it.

    >>> [format_duration(each) for each in (0.042, 7.25, 899.6, 3599.9, 5400)]
    ['42 ms', '7.2 s', '15 min', '1 h', '1 h 30 min']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def format_size(size: int) -> str:
    """Return a number of bytes as people say it, in SI units.

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
    """Return ``Did you mean `x`?`` for a misspelt word, or nothing.

    >>> suggest("regoin", ["profile", "region"])
    'Did you mean `region`?'
    """
    matches = get_close_matches(word, known, n=1)
    return f"Did you mean `{matches[0]}`?" if matches else ""


class _MaskCodes(logging.Filter):
    """Masks what looks like an MFA code in invoke's own debug output, which echoes argv."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = (
            re.sub(r"(?<!\d)\d(?:\s*\d){5}(?!\d)", "******", record.getMessage()),
            (),
        )
        return True


def keep_secrets_out_of_logs() -> None:
    """Stop the debug logs that print secrets: ``invoke -d`` switches every logger to DEBUG.

    botocore prints the answer of AssumeRole and each request's session token at that level,
    invoke prints the command line, in which there may be an MFA code.
    """
    invoke_log = logging.getLogger("invoke")
    if not any(isinstance(each, _MaskCodes) for each in invoke_log.filters):
        invoke_log.addFilter(_MaskCodes())
    # urllib3 names the URL of each request: that of `console` holds a session.
    for name in ("botocore", "urllib3.connectionpool"):
        log = logging.getLogger(name)
        log.setLevel(max(log.getEffectiveLevel(), logging.INFO))
