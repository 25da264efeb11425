"""Parsers for the keys that only functions and layers have, and the values that they return."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..errors import SettingsError
from .parsers import (
    choice_parser,
    duration_parser,
    parse_mapping,
    parse_string,
    parser,
    pattern_parser,
    reject_unknown_keys,
    to_json,
)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A file or folder to package, and the folder of the archive that it goes into."""

    path: str
    inside: str = ""


@parser(
    "a path, a mapping of paths to folders of the archive, or a list of these",
    {
        "type": ["string", "object", "array"],
        "minLength": 1,
        "additionalProperties": {"type": "string", "minLength": 1},
        "items": {
            "type": ["string", "object"],
            "minLength": 1,
            "additionalProperties": {"type": "string", "minLength": 1},
        },
    },
)
def parse_sources(value: Any, key: str) -> tuple[Source, ...]:
    """Return what to package."""
    items = value if isinstance(value, list | tuple) else [value]
    found: list[Source] = []
    for item in items:
        if not isinstance(item, Mapping):
            found.append(Source(parse_string(item, key)))
            continue
        for path, inside in item.items():
            parts = PurePosixPath(parse_string(inside, f"{key}.{path}")).parts
            if not parts:
                raise SettingsError(
                    f"`{key}.{path}` must be a folder inside the archive, got {inside!r}.",
                    fix="Write the path alone, which puts it at the top of the archive, as in "
                    f"`source: {path}`.",
                )
            if ".." in parts or parts[0] == "/":
                raise SettingsError(
                    f"`{key}.{path}` must be a folder inside the archive, got {inside!r}.",
                    fix="Write a relative path without `..`.",
                )
            found.append(Source(parse_string(path, key), "/".join(parts)))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Smoke:
    """A call that a new version must answer before the alias moves to it."""

    payload: Any = None  # any JSON value
    expect: Any = None  # what the answer must contain; None: any answer but an error
    tenant: str | None = None  # TenantId of the call


@parser(
    "a mapping with `payload`, `expect` and `tenant`",
    {
        "type": "object",
        "properties": {"payload": {}, "expect": {}, "tenant": {"type": "string"}},
        "additionalProperties": False,
    },
)
def parse_smoke(value: Any, key: str) -> Smoke:
    """Return a smoke test."""
    found = parse_mapping(value, key)
    reject_unknown_keys(found, key, ["payload", "expect", "tenant"])
    to_json(dict(found), key)
    if "tenant" in found:
        parse_string(found["tenant"], f"{key}.tenant")
    return Smoke(**found)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Canary:
    """The share of the traffic that a new version gets at first, and for how long."""

    percent: int
    seconds: int


_CANARY = r"(0?[1-9]|[1-9]\d)\s*% for (\w+)"
_parse_canary_duration = duration_parser(1, 24 * 3600)


@parser("a share and a duration", {"type": "string", "pattern": rf"^\s*{_CANARY}\s*$"})
def parse_canary(value: Any, key: str) -> Canary:
    """Return the share and duration of a canary."""
    match = re.fullmatch(_CANARY, str(value).strip(), re.ASCII)
    if not match:
        raise SettingsError(
            f"`{key}` must be a share and a duration, got {value!r}.",
            fix="Write it as 10% for 5m, with 1 to 99 percent.",
        )
    return Canary(int(match[1]), _parse_canary_duration(match[2], key))


parse_alias = pattern_parser(
    r"(?!\d+$|[Nn][Oo][Nn][Ee]$)[\w-]{1,128}",
    "the name of an alias",
    "Use letters, digits, - and _, but not digits alone. To remove the alias, write `none`.",
)
# "PutRetentionPolicy", CloudWatch Logs API.
parse_retention = choice_parser(
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
