"""Duplicate keys in a file: YAML and JSON silently drop the first value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from invoke.config import Config
from invoke.util import yaml  # type: ignore[attr-defined]  # PyYAML, as invoke has it

from ..errors import SettingsError
from .load import root_key
from .origins import settings_files

# A key of YAML's block style at the start of a line, and those of flow style within one.
_PAIR = (
    r"""(?P<blanks> *)(?P<dashes>(?:- +)*)(?P<key>"[^"]*"|'[^']*'|[^\s#'"{\[?&!*].*?) *:(?:\s|$)"""
)
_FLOW_KEY = r"""[{,]\s*("[^"]*"|'[^']*'|[^\s,{}\[\]'"][^,{}\[\]:]*?)\s*:"""


class _Twice(NamedTuple):
    key: str  # the full one
    lines: tuple[int, int]


def refuse_duplicates(config: Config) -> None:
    """Raise `SettingsError` if a file has one of our keys twice, such as two sections `aws`."""
    root = root_key(config)
    for path in settings_files(config):
        for twice in _find_duplicates(path) if path.suffix != ".py" else ():
            if f"{twice.key}.".startswith(f"{root}."):
                first, second = twice.lines
                raise SettingsError(
                    f"`{twice.key}` is twice in {path}, in lines {first} and {second}.",
                    why="The second one would replace all of the first.",
                    fix="Merge them into one.",
                )


@cache
def _find_duplicates(path: Path) -> tuple[_Twice, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):  # whoever reads it for invoke says so
        return ()
    if not _may_have_duplicates(text):
        return ()
    compose: Any = yaml.compose
    return tuple(_walk(compose(text, Loader=yaml.SafeLoader), "", set()))


def _may_have_duplicates(text: str) -> bool:
    """Return whether it is worth the time to parse a text, which is that of most tasks.

    It is if a key may be there twice, and if a line is not understood without a parser.
    """
    levels: list[tuple[int, set[str]]] = []
    for line in text.splitlines():
        flow = [each.strip("\"'") for each in re.findall(_FLOW_KEY, line)]
        if len(flow) > len({*flow}) or _needs_parser(line):
            return True
        if not (pair := re.match(_PAIR, line)):
            if not flow and re.search(r"^[^#]*:(?:\s|$)", line):
                return True
            continue
        column = len(pair["blanks"]) + len(pair["dashes"])
        while levels and levels[-1][0] >= column + (not pair["dashes"]):
            levels.pop()
        if not levels or levels[-1][0] < column:
            levels.append((column, set()))
        key, (_, keys) = pair["key"].strip("\"'"), levels[-1]
        if key in keys:
            return True
        keys.add(key)
    return False


def _needs_parser(line: str) -> bool:
    """Return whether a line has an escape, or in flow style a rare kind of key or an open end."""
    is_open = any(line.count(begin) != line.count(end) for begin, end in ("{}", "[]"))
    return is_open or "\\" in line or bool(re.search(r"[{,]\s*[?&!*]", line))


def _walk(node: Any, path: str, above: set[int]) -> Iterator[_Twice]:
    """Yield what is twice in a node of YAML; an alias may lead back to what is above it."""
    if id(node) in above:
        return
    above = {*above, id(node)}
    if isinstance(node, yaml.SequenceNode):
        for index, each in enumerate(node.value):
            yield from _walk(each, f"{path}[{index}]", above)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            full = f"{path}.{name}" if path else name
            if name in lines and name != "<<":
                yield _Twice(full, (lines[name], line))
            lines[name] = line
            yield from _walk(value, full, above)
