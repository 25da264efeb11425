"""One parser for each lower-case key of a function or a layer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..errors import SettingsError
from .parsers import (
    BUCKET,
    Parser,
    mapping,
    mappings,
    matching,
    only_known,
    seconds,
    text,
    texts,
    truth,
    whole_number,
)

# "PutRetentionPolicy", CloudWatch Logs API.
_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731,
    1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A folder or file to package, and the folder inside the archive where it goes."""

    path: str
    inside: str = ""


def _sources(value: Any, key: str) -> tuple[Source, ...]:
    """Read paths, or mappings of a path to a folder inside the archive, or a list of either."""
    items = value if isinstance(value, list | tuple) else [value]
    found: list[Source] = []
    for item in items:
        if not isinstance(item, Mapping):
            found.append(Source(text(item, key)))
            continue
        for path, inside in item.items():
            parts = PurePosixPath(text(inside, f"{key}.{path}")).parts
            if not parts or ".." in parts or parts[0] == "/":
                raise SettingsError(
                    f"`{key}.{path}` is {inside!r}, which is not a folder inside the archive.",
                    fix="Write a relative path without `..`.",
                )
            found.append(Source(text(path, key), "/".join(parts)))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Smoke:
    """A call that a new version has to answer before the alias moves to it."""

    payload: Any = None  # any JSON value
    expect: Any = None  # what the answer has to contain; None: any answer that is no error


@dataclass(frozen=True, slots=True, eq=False)
class Canary:
    """How much of the traffic a new version gets at first, and for how long."""

    percent: int
    seconds: int


def _smoke(value: Any, key: str) -> Smoke:
    found = mapping(value, key)
    only_known(found, key, ["payload", "expect"])
    try:
        json.dumps(dict(found))
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"`{key}` holds a value that JSON has not, such as a date.", fix="Put it in quotes."
        ) from error
    return Smoke(**found)


def _canary(value: Any, key: str) -> Canary:
    match = re.fullmatch(r"(\d{1,2})\s*% for (\w+)", str(value).strip(), re.ASCII)
    if not match or not 1 <= int(match[1]) <= 99:
        raise SettingsError(
            f"`{key}` is {value!r}.", fix="Write a share and a time, such as 10% for 5m."
        )
    return Canary(int(match[1]), seconds(1, 24 * 3600)(match[2], key))


def _retention(value: Any, key: str) -> int:
    days = whole_number(1, max(_RETENTION_DAYS))(value, key)
    if days not in _RETENTION_DAYS:
        raise SettingsError(
            f"`{key}` is {days}.",
            why="CloudWatch Logs keeps events for certain numbers of days only.",
            fix=f"Write one of: {', '.join(map(str, _RETENTION_DAYS))}.",
        )
    return int(days)


_PACKAGE: dict[str, Parser] = {
    "source": _sources,
    "requirements": text,
    "allow_sdist": texts,
    "build": texts,
    "bytecode": truth,
    "archive": text,
    "include": texts,
    "exclude": texts,
    "bucket": BUCKET,
    "key_prefix": text,
}
LAYER_SETTINGS: dict[str, Parser] = _PACKAGE
FUNCTION_SETTINGS: dict[str, Parser] = {
    **_PACKAGE,
    "alias": matching(
        r"(?!\d+$)[\w-]{1,128}", "the name of an alias", "Use letters, digits, - and _."
    ),
    "smoke": _smoke,
    "canary": _canary,
    "keep_versions": whole_number(1, 10_000),
    "events": mappings,
    "url": mapping,
    "permissions": mappings,
    "log_retention_days": _retention,
    "layers": texts,
}
