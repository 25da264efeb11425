"""Terminals: whether somebody is watching, whether they show colours, and how wide they are."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TextIO

_STYLES = {"bold": 1, "red": 31, "green": 32, "yellow": 33, "cyan": 36}
_NARROWEST = 20  # columns; on fewer, every line is left to the terminal


def is_ci() -> bool:
    """Return whether this runs in CI, where nobody answers even if there is a terminal."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether a stream leads to a terminal; what replaces one may not know."""
    return bool(getattr(stream, "isatty", bool)())


def is_watched(stream: TextIO | None = None) -> bool:
    """Return whether somebody watches stderr, or another stream, so that lines may move."""
    return is_terminal(stream or sys.stderr) and not is_ci()


def paint(text: str, *styles: str, stream: TextIO | None = None) -> str:
    """Return a text in these styles for stderr, or another stream, if that shows colours."""
    if not text or not _has_colours(stream or sys.stderr):
        return text
    codes = ";".join(str(_STYLES[each]) for each in styles)
    return f"\x1b[{codes}m{text}\x1b[0m"


def _has_colours(stream: TextIO | None) -> bool:
    """Return whether a terminal shows colours, by the variables that rich heeds, too."""
    terminal = os.environ.get("TERM", "")
    if not is_terminal(stream) or os.environ.get("NO_COLOR") or terminal in ("dumb", "unknown"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return not is_ci() and bool(terminal or os.environ.get("WT_SESSION"))


def wrap(text: str, *, indent: int, stream: TextIO | None = None) -> str:
    """Return a text with the line breaks that a terminal would set, but none within a word.

    What is longer than a line, such as a URL, stays whole, so that it can be copied. Elsewhere than
    on a terminal nothing changes.
    """
    stream = stream or sys.stderr
    if not is_terminal(stream):
        return text
    width = _width(stream)
    if width < _NARROWEST:
        return text
    return "\n".join(_wrap_line(line, width, indent) for line in text.split("\n"))


def _wrap_line(line: str, width: int, indent: int) -> str:
    if len(line) <= width:
        return line
    longest = max(map(len, line.split()), default=0)
    lines = textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * max(0, min(indent, width - longest)),
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def _width(stream: TextIO) -> int:
    """Return how many columns the terminal of a stream has."""
    if os.environ.get("COLUMNS", "").isdecimal():
        return int(os.environ["COLUMNS"])
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns
