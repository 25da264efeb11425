"""Mappings that lie over each other, and where in them a value was written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .references import nested_too_deeply


class Part(NamedTuple):
    """A mapping of the settings, and its full key."""

    key: str
    values: Mapping[str, Any]


class Written(NamedTuple):
    """What the user has written for all targets, and for the one whose settings are read."""

    base: Mapping[str, Any]
    overlay: Mapping[str, Any]
    target: str | None


class Overlays:
    """What an entry of the settings, such as a function, is merged from.

    `key` is what messages call the entry, `parts` has the lowest part first.
    """

    __slots__ = ("key", "parts")

    def __init__(self, key: str = "", parts: Sequence[Part] = ()) -> None:
        self.key = key
        self.parts = tuple(parts)

    def merge(self) -> dict[str, Any]:
        """Return the parts as one mapping. Raises `SettingsError`."""
        merged: dict[str, Any] = {}
        try:
            for part in self.parts:
                merged = deep_merge(merged, part.values)
        except RecursionError as error:
            raise nested_too_deeply(self.key) from error
        return merged

    def find(self, names: Sequence[str]) -> Part | None:
        """Return the part that a value was written in; the names lead to the value."""
        depths = {_depth(part.values, names): part for part in self.parts}  # the last one of equals
        return depths[max(depths)] if any(depths) else None

    def as_written(self, text: str) -> str:
        """Return a message with its keys as the user wrote them.

        >>> prod = Part("aws.targets.prod.functions.hello", {"Timeout": "x"})
        >>> Overlays("aws.functions.hello", [prod]).as_written("`aws.functions.hello.Timeout` …")
        '`aws.targets.prod.functions.hello.Timeout` …'
        """

        def rewrite(match: re.Match[str]) -> str:
            part = self.find(re.findall(r"[^.\[\]]+", match[1]))
            return f"`{part.key if part else self.key}{match[1]}`"

        return re.sub(rf"`{re.escape(self.key)}([.\[][^`]*)`", rewrite, text)


def deep_merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Return `lower` with `upper` merged over it, key by key at every depth."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = deep_merge(below, value)
        else:
            merged[key] = value
    return merged


def _depth(values: Any, names: Sequence[str]) -> int:
    """Return how many of the names lead into a mapping, one after the other."""
    for depth, name in enumerate(names):
        if not isinstance(values, Mapping) or name not in values:
            return depth
        values = values[name]
    return len(names)
