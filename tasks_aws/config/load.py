"""The `aws` key of invoke's configuration, parsed once into frozen, checked values."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import SettingsError
from ..ui.output import suggest
from .declare import Setting
from .functions import LAYER_KEYS, parse_functions, parse_layers
from .parsers import parse_mapping, reject_unknown_keys
from .references import LocalResolver
from .settings import DEFAULT_SESSION, SECTIONS, SETTINGS, Settings

_OVERLAID = [each for each in SECTIONS if each != "targets"]


def load(
    config: Mapping[str, Any],
    *,
    project: Path,
    target: str | None = None,
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Load the settings: option > target > invoke's configuration > ``INVOKE_AWS_*``.

    All but options may hold references, see `tasks_aws.config.references`. `config` is the value of
    the key `aws` as invoke merged it. invoke reads a variable ``INVOKE_AWS_*`` only if a file has
    the key, so the others are read here. `options` are the given options of the task, by setting.
    `environ` is also that of the programs that Git runs for ``${git:sha}``.

    Raises `SettingsError` for the first thing that is wrong, with its full key.
    """
    base = parse_mapping(config, "aws")
    overlay = _select_target(base, target)
    _reject_unknown_variables(environ)
    local = LocalResolver(project, target, environ)
    merged: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for key, each in SETTINGS.items():
        variable = f"INVOKE_AWS_{key.upper()}"
        if variable in environ:
            merged[key], labels[key] = _from_variable(environ[variable], variable, each), variable
        # invoke casts a variable to the type that a file has: any string to True, even "false".
        is_cast = variable in environ and isinstance(base.get(key), bool)
        is_variable = is_cast or str(base.get(key)) == environ.get(variable)
        if base.get(key) is not None and not is_variable:
            merged[key], labels[key] = base[key], f"aws.{key}"
        if overlay.get(key) is not None:
            merged[key], labels[key] = overlay[key], f"aws.targets.{target}.{key}"
        if key in merged:
            merged[key] = local.resolve(merged[key], labels[key], allow_aws=each.aws_references)
    for key, value in (options or {}).items():
        option = SETTINGS[key].option or f"--{key.replace('_', '-')}"
        merged[key], labels[key] = value, option
    if isinstance(merged.get("policy"), str):
        merged["policy"] = _read_policy(project / merged["policy"], labels["policy"])
    values = {key: SETTINGS[key].parse(value, labels[key]) for key, value in merged.items()}
    # A setting that functions and layers have, too, applies to those without their own.
    shared = {key: value for key, value in values.items() if key in LAYER_KEYS}
    settings = Settings(
        project=project,
        target=target,
        functions=parse_functions(base, overlay, target, shared, local),
        layers=parse_layers(base, overlay, target, shared, local),
        **values,
    )
    _check_together(settings, labels)
    return settings


def _from_variable(text: str, name: str, setting: Setting) -> Any:
    """Return the value of a variable: JSON for a mapping or a list."""
    kinds = setting.parse.schema.get("type", ())
    if text.strip()[:1] not in ("{", "[") or not ("object" in kinds or "array" in kinds):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"`{name}` is not valid JSON.", why=str(error)) from error


def _reject_unknown_variables(environ: Mapping[str, str]) -> None:
    """Raise `SettingsError` for a misspelt variable: that of `account_id` would be no guard."""
    known = [f"INVOKE_AWS_{key.upper()}" for key in SETTINGS]
    sections = tuple(f"INVOKE_AWS_{key.upper()}" for key in SECTIONS)
    for name in environ:
        if name.startswith("INVOKE_AWS_") and name not in known and not name.startswith(sections):
            raise SettingsError(
                f"Unknown variable {name}.",
                fix="Pass --target to the task."
                if name == "INVOKE_AWS_TARGET"
                else suggest(name, known) or f"Use one of: {', '.join(known)}.",
            )


def _select_target(base: Mapping[str, Any], target: str | None) -> Mapping[str, Any]:
    """Return the overlay of the target; check the keys of all of them."""
    reject_unknown_keys(base, "aws", [*SETTINGS, *SECTIONS])
    targets = parse_mapping(base.get("targets"), "aws.targets")
    overlays = {
        name: parse_mapping(value, f"aws.targets.{name}") for name, value in targets.items()
    }
    for name, overlay in overlays.items():
        reject_unknown_keys(overlay, f"aws.targets.{name}", [*SETTINGS, *_OVERLAID])
    if target is None:
        return {}
    if target not in overlays:
        known = f"Use one of: {', '.join(overlays)}." if overlays else "Add it to invoke.yaml."
        raise SettingsError(
            f"There is no target `{target}` under `aws.targets`.",
            fix=f"{suggest(target, list(overlays))} {known}".lstrip(),
        )
    return overlays[target]


def _read_policy(path: Path, label: str) -> Any:
    if path.is_dir():
        raise SettingsError(
            f"`{label}` must be a mapping or the path of a JSON file; {path} is a folder.",
            fix="Name the file, or remove the key.",
        )
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"`{label}` must be a mapping or the path of a JSON file; cannot read {path}.",
            why=str(error),
        ) from error


def _check_together(settings: Settings, labels: Mapping[str, str]) -> None:
    lifetime = settings.duration_seconds or DEFAULT_SESSION
    if settings.min_ttl_seconds >= lifetime:
        raise SettingsError(
            f"`aws.min_ttl_seconds` must be less than the session's {lifetime} seconds, got "
            f"{settings.min_ttl_seconds}.",
            why="Otherwise every use of the credentials would renew them.",
            fix="Set a smaller `aws.min_ttl_seconds` or a longer `aws.duration_seconds`.",
        )
    if settings.read_only and (settings.policy or settings.policy_arns):
        other = labels["policy" if settings.policy else "policy_arns"]
        raise SettingsError(
            f"`{labels['read_only']}` and `{other}` cannot be combined.",
            why="AWS adds session policies up: a session with both may do what either allows.",
            fix="Leave out one of them.",
        )
    for function in settings.functions.values():
        for name in function.layer_names:
            if name not in settings.layers:
                raise SettingsError(
                    f"`{function.key}.layers` names {name}, which is not under `aws.layers`.",
                    why="A layer from elsewhere is named by the ARN of one of its versions.",
                    fix=suggest(name, list(settings.layers)) or "Add it there.",
                )
    missing = [key for key in settings.transitive_tag_keys if key not in settings.session_tags]
    if missing:
        raise SettingsError(
            f"`{labels['transitive_tag_keys']}` names {', '.join(missing)}, which "
            "`aws.session_tags` does not contain.",
            fix="Add the tag, or remove its key from the list.",
        )
