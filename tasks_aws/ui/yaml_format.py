"""YAML as results of tasks have it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from invoke.util import yaml  # type: ignore[attr-defined]  # PyYAML, as invoke has it

from ..text.printable import escape_controls

_WIDTH = 90


def format_yaml(value: Any) -> str:
    """Return a value as YAML, with escapes for what a terminal would not show as text."""
    dump: Any = yaml.safe_dump
    text: str = dump(value, sort_keys=False, allow_unicode=True)
    if escape_controls(text) != text:
        text = dump(value, sort_keys=False)
    return text


def format_with_comments(value: Any, comments: Mapping[str, str]) -> str:
    """Return a JSON value as YAML, with a comment above each line that has one.

    >>> print(format_with_comments({"Files": ["a"]}, {"Files:": "All of them."}), end="")
    # All of them.
    Files:
    - a
    """
    unshared = json.loads(json.dumps(value))  # what is there twice would become an alias

    def lines() -> Iterator[str]:
        for line in format_yaml(unshared).splitlines():
            indent = " " * (len(line) - len(line.lstrip()))
            comment = comments.get(line.strip(), "")
            for each in wrap(comment, _WIDTH, break_long_words=False, break_on_hyphens=False):
                yield f"{indent}# {each}"
            yield line

    return "".join(f"{line}\n" for line in lines())
