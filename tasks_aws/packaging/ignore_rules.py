"""Gitignore rules, as git applies them: https://git-scm.com/docs/gitignore.

Libraries match a path as a whole, with all folders above it. Git walks the tree from the top and
asks for each name only while no folder above it is ignored, so `!*/` brings back a folder and
nothing in it. These rules are asked in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

_ASTERISKS = re.compile(r"[*]+")
_ANY_FOLDERS = re.compile(r"(?:[*]{2,}/)+")
_CLASS = re.compile(r"\[:([^\]]*):\]")

# The characters of a bracket expression such as `[[:digit:]x-z]`, as parts of one of Python's.
_CLASSES = {
    "alnum": "a-zA-Z0-9",
    "alpha": "a-zA-Z",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": r"\x21-\x7e",
    "lower": "a-z",
    "print": r"\x20-\x7e",
    "punct": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    "space": r" \t\n\v\f\r",
    "upper": "A-Z",
    "xdigit": "a-fA-F0-9",
}


class _NeverMatchesError(Exception):
    """A pattern such as `[a` is valid in git, and matches nothing."""


class _Rule(NamedTuple):
    ignores: bool  # false: the pattern begins with an exclamation mark
    regex: str  # of the whole name


class IgnoreRules:
    """Patterns in order, of which the last one that matches a name decides."""

    def __init__(self, patterns: Iterable[str]) -> None:
        rules = [rule for each in patterns if (rule := _parse(each))]
        # Neighbours that decide alike are one expression: it is matched for each file of a tree.
        self._runs: list[tuple[bool, Callable[[str], object]]] = [
            (ignores, re.compile("|".join(each.regex for each in run), re.DOTALL).fullmatch)
            for ignores, run in groupby(reversed(rules), attrgetter("ignores"))
        ]

    def decide(self, name: str) -> bool | None:
        """Return whether to ignore a name, or None if no pattern matches it.

        The name is relative, and that of a folder ends with a slash. No folder above it is ignored.
        """
        for ignores, match in self._runs:
            if match(name):
                return ignores
        return None


def read_patterns(path: Path) -> list[str]:
    """Return the lines of an ignore file; none if there is no such file."""
    if not path.is_file():
        return []
    lines = path.read_bytes().decode("utf-8-sig").split("\n")
    return [line.removesuffix("\r") for line in lines]


def _parse(line: str) -> _Rule | None:
    """Return the rule of a line; None for a comment, and for a pattern that matches nothing."""
    if line.startswith("#"):
        return None
    # Spaces at the end do not count, except after a backslash.
    stripped = re.fullmatch(r"((?:\\.|[^\\])*?) *", line, re.DOTALL)
    pattern = stripped[1] if stripped else line
    ignores = not pattern.startswith("!")
    pattern = pattern if ignores else pattern[1:]
    is_folder = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    if not pattern:
        return None
    try:
        if "/" in pattern:
            regex = _translate(pattern.removeprefix("/"))
        else:  # of the last part of the name
            regex = f"(?:.*/)?{_translate(_ASTERISKS.sub('*', pattern))}"
    except _NeverMatchesError:
        return None
    # Asterisks must not take the slash that marks a folder: `a/*` does not match `a/`.
    return _Rule(ignores, f"(?:{regex})(?<!/){'/' if is_folder else '/?'}")


def _translate(pattern: str) -> str:
    """Return the regular expression for a pattern, as wildmatch.c of git reads it."""
    parts = []
    at = 0
    while at < len(pattern):
        starts = at == 0 or pattern[at - 1] == "/"
        if starts and (found := _ANY_FOLDERS.match(pattern, at)):
            parts.append("(?:.*/)?")
            at = found.end()
        elif found := _ASTERISKS.match(pattern, at):
            ends = found.end() == len(pattern) or pattern.startswith("\\/", found.end())
            parts.append(".*" if starts and ends and len(found[0]) > 1 else "[^/]*")
            at = found.end()
        elif pattern[at] == "[":
            members, at = _translate_brackets(pattern, at + 1)
            parts.append(members)
        elif pattern[at] == "?":
            parts.append("[^/]")
            at += 1
        else:
            at += pattern[at] == "\\"
            if at == len(pattern):
                raise _NeverMatchesError
            parts.append(re.escape(pattern[at]))
            at += 1
    return "".join(parts)


def _translate_brackets(pattern: str, at: int) -> tuple[str, int]:
    """Return the expression for the brackets that were opened before `at`, and where they end."""
    negated = pattern.startswith(("!", "^"), at)
    at += negated
    members: list[str] = []
    previous = ""  # the start of a range, if a hyphen follows
    first = True
    while first or not pattern.startswith("]", at):
        first = False
        named = _CLASS.match(pattern, at)
        if named:
            if named[1] not in _CLASSES:
                raise _NeverMatchesError
            members.append(_CLASSES[named[1]])
            at, previous = named.end(), ""
            continue
        is_range = (
            bool(previous) and pattern.startswith("-", at) and pattern[at + 1 : at + 2] not in "]"
        )
        at += is_range
        at += pattern.startswith("\\", at)
        if at >= len(pattern):
            raise _NeverMatchesError
        character = pattern[at]
        at += 1
        if is_range:
            if previous <= character:
                members.append(f"{re.escape(previous)}-{re.escape(character)}")
            previous = ""
        else:
            members.append(re.escape(character))
            previous = character
    if not members:
        return ("[^/]" if negated else "(?!)"), at + 1
    inside = "".join(members)
    return (f"[^/{inside}]" if negated else f"(?!/)[{inside}]"), at + 1
