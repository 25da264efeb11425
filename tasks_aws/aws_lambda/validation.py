"""Checking values against botocore's model of an API.

botocore itself checks types and minima only, one problem at a time; its model also has the
patterns, maxima and known values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from botocore.utils import parse_to_aware_datetime

from ..config.references import ReferenceValue, Unresolved
from ..ui.output import suggestion


class Unknown(str):
    """A problem that may be due to a botocore that is older than the setting."""

    __slots__ = ()


def problems(shape: Any, value: Any, key: str, *, partial: bool = False) -> Iterator[str]:
    """Yield what is wrong with a value, by the shape that the API's model has for it.

    `partial` values may lack members that the shape requires: others will be added. A text that
    waits for an answer of AWS is passed over.
    """
    if isinstance(value, Unresolved):
        return
    expected: dict[str, tuple[type, ...]] = {
        "structure": (Mapping,),
        "map": (Mapping,),
        "list": (list, tuple),
        "string": (str,),
        "integer": (int,),
        "long": (int,),
        "float": (int, float),
        "double": (int, float),
        "boolean": (bool,),
    }
    kind = shape.type_name
    wrong = not isinstance(value, expected.get(kind, (object,)))
    if wrong or (isinstance(value, bool) and kind != "boolean"):
        shown = repr(value)
        if shape.metadata.get("sensitive") or isinstance(value, Mapping | list | tuple):
            shown = f"of type {type(value).__name__}"
        yield f"`{key}` is {shown}, not of type {kind}."
    elif kind == "structure":
        yield from _structure(shape, value, key, partial=partial)
    elif kind == "map":
        yield from _in_range(shape, len(value), f"`{key}` has {len(value)} entries")
        for name, each in value.items():
            yield from problems(shape.key, name, f"{key}: the name {name!r}")
            yield from problems(shape.value, each, f"{key}.{name}")
    elif kind == "list":
        yield from _in_range(shape, len(value), f"`{key}` has {len(value)} entries")
        for index, each in enumerate(value):
            yield from problems(shape.member, each, f"{key}[{index}]")
    elif kind == "string":
        yield from _text(shape, value, key)
    elif kind == "timestamp":
        yield from _moment(value, key)
    elif kind in ("integer", "long", "float", "double"):
        yield from _in_range(shape, value, f"`{key}` is {value}")


def typed(shape: Any, value: Any) -> Any:
    """Return a value with numbers and truth values where references gave them as texts."""
    kind = shape.type_name
    if isinstance(value, ReferenceValue):
        return _typed_text(kind, value)
    if kind == "structure" and isinstance(value, Mapping):
        members = shape.members
        return {
            name: typed(members[name], each) if name in members else each
            for name, each in value.items()
        }
    if kind == "map" and isinstance(value, Mapping):
        return {name: typed(shape.value, each) for name, each in value.items()}
    if kind == "list" and isinstance(value, list | tuple):
        return [typed(shape.member, each) for each in value]
    return value


def _typed_text(kind: str, text: str) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "integer": int,
        "long": int,
        "float": float,
        "double": float,
        "boolean": {"true": True, "false": False}.__getitem__,
    }
    try:
        return readers.get(kind, str)(text)
    except (KeyError, ValueError):
        return text  # which `problems` will tell


def _moment(value: Any, key: str) -> Iterator[str]:
    try:
        parse_to_aware_datetime(value)
    except (ValueError, RuntimeError, TypeError):
        yield f"`{key}` is {value!r}, not a time, such as 2026-01-31T12:00:00Z."


def _structure(shape: Any, value: Mapping[str, Any], key: str, *, partial: bool) -> Iterator[str]:
    for name, each in value.items():
        if name not in shape.members:
            hint = suggestion(str(name), list(shape.members))
            yield f"`{key}.{name}` is not a parameter of the Lambda API. {hint}".rstrip()
        else:
            yield from problems(shape.members[name], each, f"{key}.{name}")
    for name in shape.required_members:
        if name not in value and not partial:
            yield f"`{key}.{name}` is missing."


def _text(shape: Any, value: str, key: str) -> Iterator[str]:
    shown = "its value" if shape.metadata.get("sensitive") else repr(value)
    if shape.enum and value not in shape.enum:
        hint = suggestion(value, list(shape.enum)) or f"Known are: {_some(shape.enum)}."
        yield Unknown(f"`{key}`: the installed botocore does not know {shown}. {hint}")
    yield from _in_range(shape, len(value), f"`{key}` has {len(value)} characters")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield f"`{key}` is {shown}, which does not match {pattern}"


def _in_range(shape: Any, number: float, what: str) -> Iterator[str]:
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    if (lowest is not None and number < lowest) or (highest is not None and number > highest):
        bounds = (
            f"{lowest} to {highest}"
            if None not in (lowest, highest)
            else (f"at least {lowest}" if highest is None else f"at most {highest}")
        )
        yield f"{what}, but AWS allows {bounds}."


def _matches(pattern: str, value: str) -> bool:
    try:
        return bool(re.fullmatch(pattern, value))
    except re.error:  # a few of the model's patterns are Java's
        return True


def _some(names: Iterable[str]) -> str:
    return ", ".join(list(names)[-8:])
