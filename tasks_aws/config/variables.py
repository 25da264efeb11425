"""The variables ``INVOKE_AWS_*``, which invoke reads for keys of a file alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ..errors import SettingsError
from ..ui.output import suggest
from .declare import Setting
from .parsers import BOOLEANS
from .settings import SECTIONS, SETTINGS

OF_TASKS_AWS = "INVOKE_TASKS_AWS_"  # their prefix where `aws` is a key of the project's own


def parse_variable(text: str, name: str, setting: Setting) -> Any:
    """Return the value of a variable: JSON for a mapping or a list."""
    if text.strip()[:1] not in ("{", "[") or setting.is_scalar:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"`{name}` is not valid JSON.", why=str(error)) from error


def sections_as_variables_say(
    base: Mapping[str, Any], prefix: str, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return the sections, with booleans as their variables have them.

    invoke casts a variable to the type that a file has: any string to True, even "false".
    """

    def uncast(value: Any, path: str) -> Any:
        if isinstance(value, Mapping):
            return {key: uncast(each, f"{path}_{key}") for key, each in value.items()}
        text = environ.get(path.upper()) if isinstance(value, bool) else None
        return value if text is None else BOOLEANS.get(text.lower(), text)

    if not any(name.startswith(prefix) for name in environ):
        return {}
    return {key: uncast(base[key], prefix + key) for key in SECTIONS if key in base}


def find_unknown_variables(
    environ: Mapping[str, str], base: Mapping[str, Any], prefix: str
) -> Iterator[SettingsError]:
    """Yield an error for each misspelt variable: that of `account_id` would be no guard."""
    known = [f"{prefix}{key.upper()}" for key in SETTINGS]
    sections = tuple(f"{prefix}{key.upper()}" for key in SECTIONS)
    nested: set[str] = set()
    if any(name.startswith(sections) for name in environ):
        with suppress(RecursionError):  # a mistake of its own
            written = {key: base[key] for key in SECTIONS if key in base}
            nested.update(_list_variables(prefix.rstrip("_"), written))
    for name in environ:
        if name.startswith(sections) and name not in nested:
            yield SettingsError(
                f"The variable {name} sets nothing.",
                why="Under functions, layers and targets, invoke applies a variable only to a key "
                "that a file has.",
                fix=suggest(name, sorted(nested)) or "Write the key into a file first.",
            )
        elif name.startswith(prefix) and name not in known and name not in nested:
            yield SettingsError(
                f"Unknown variable {name}.",
                fix="Pass --target to the task."
                if name == f"{prefix}TARGET"
                else suggest(name, known) or f"Use one of: {', '.join(known)}.",
            )


def find_misplaced(
    environ: Mapping[str, str], base: Mapping[str, Any], own: Mapping[str, Any]
) -> Iterator[SettingsError]:
    """Yield an error for each of our settings that is under `aws` where the root is `tasks_aws`."""
    if own and not base and all(key in SETTINGS or key in SECTIONS for key in own):
        yield SettingsError(
            "`aws` has settings of tasks-aws, and is not read.",
            why="Beside `tasks_aws`, or a variable INVOKE_TASKS_AWS_…, `aws` is a key of the "
            "project's own.",
            fix="Move all settings of tasks-aws under one of the two keys.",
        )
    known: set[str] = set()
    with suppress(RecursionError):
        known.update(_list_variables("INVOKE_AWS", own))
    for name in environ:
        key = name.removeprefix("INVOKE_AWS_")
        is_ours = key.lower() in SETTINGS or key.lower().startswith(tuple(SECTIONS))
        if key != name and is_ours and name not in known:
            yield SettingsError(
                f"The variable {name} sets nothing.",
                why="The settings of tasks-aws are under `tasks_aws` here, and `aws` is a key of "
                "the project's own.",
                fix=f"Call it {OF_TASKS_AWS}{key}.",
            )


def _list_variables(path: str, value: Any) -> Iterator[str]:
    """Yield the variables that invoke reads for the values of a mapping."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _list_variables(f"{path}_{key}", each)
    else:
        yield path.upper()
