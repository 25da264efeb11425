"""Why nothing is set: our key is missing in a file, is misspelt, or has no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from invoke.config import Config

from ..errors import SettingsError
from ..ui.output import suggest
from .load import root_key
from .origins import project_file, values_by_file
from .settings import SECTIONS, Settings
from .unread import KEYS, why_unset


def refuse_if_unset(config: Config, settings: Settings) -> None:
    """Raise `SettingsError` if there is no setting at all, or none but those beside a typo.

    `settings` are those without a target, and without mistakes.
    """
    values: Any = config.get(root_key(config)) or {}
    if any(values.get(each) for each in SECTIONS):
        return
    if misspelt := _find_misspelt(config):
        file, key, fix = misspelt
        why = f"{file} has the key `{key}`, and none that is called `{root_key(config)}`."
    elif settings.labels:
        return
    else:
        why = why_unset(config) or _describe(config)
        fix = (
            f"Write them under the key `{root_key(config)}`, or start a project with `init` in an "
            "empty folder."
        )
    raise SettingsError("There are no settings to check.", why=why, fix=fix)


def _find_misspelt(config: Config) -> tuple[Path, str, str] | None:
    """Return a file, its key that is almost ours, and a question that names ours."""
    for path, values in values_by_file(config).items():
        others = {*values} - {*config.global_defaults()}
        for key in () if {*KEYS} & others else sorted(map(str, others)):
            if fix := suggest(key, KEYS):
                return path, key, fix
    return None


def _describe(config: Config) -> str:
    file, key = project_file(config), root_key(config)
    if not file.is_file():
        return f"{file} does not exist. Settings go there, under the key `{key}`."
    if key in values_by_file(config).get(file, {}):
        return f"The key `{key}` in {file} has no value."
    return f"{file} has no key `{key}`."
