"""Comparing what an Update call takes, of which it changes only what it is given."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..changes import Change, differences


def compared(
    key: str, wanted: Mapping[str, Any], actual: Mapping[str, Any]
) -> tuple[tuple[Change, ...], dict[str, Any]]:
    """Return what differs, and the parameters to send for it."""
    changes: list[Change] = []
    parameters = {}
    for name, value in wanted.items():
        found = [*differences(f"{key}.{name}", unordered(value), unordered(actual.get(name)))]
        if found:
            parameters[name] = value
            changes += found
    return tuple(changes), parameters


def unordered(value: Any) -> Any:
    """Return a value with its lists sorted, at every depth: to AWS they are sets.

    >>> unordered({"Topics": ["b", "a"]})
    {'Topics': ['a', 'b']}
    """
    if isinstance(value, Mapping):
        return {key: unordered(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return sorted(map(unordered, value), key=lambda each: json.dumps(each, sort_keys=True))
    return value
