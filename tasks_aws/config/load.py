"""The `aws` key of invoke's configuration, read once into frozen, checked values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import SettingsError
from ..ui.output import suggest
from .functions import Function, Layer, read_functions, read_layers
from .parsers import SETTINGS, mapping, only_known
from .references import Local


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settings:
    """Everything under `aws`, with the target's overlay and the task's options applied."""

    project: Path  # the folder of tasks.py
    target: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    region: str | None = None
    account_id: str | None = None
    duration_seconds: int | None = None
    role_session_name: str | None = None
    mfa_serial: str | None = None
    mfa_command: str | None = None
    mfa_session: bool = False  # one code for many roles
    external_id: str | None = None
    source_identity: str | None = None
    session_tags: Mapping[str, str] = field(default_factory=dict)
    transitive_tag_keys: tuple[str, ...] = ()
    policy: Mapping[str, Any] | None = None
    policy_arns: tuple[str, ...] = ()
    cache: str = "cli"
    min_ttl_seconds: int = 300
    keep_fresh: bool | Literal["endpoint"] = False  # children's credentials renew themselves
    bucket: str | None = None  # S3, for archives of all functions that name none
    key_prefix: str | None = None
    functions: Mapping[str, Function] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)

    def named(self, names: Iterable[str] | None) -> list[Function]:
        """Return the functions of these names, or all of them when none is named."""
        names = [names] if isinstance(names, str) else list(names or ())
        if not self.functions:
            raise SettingsError(
                "No function is configured.",
                fix="Describe at least one under `aws.functions` in invoke.yaml.",
            )
        for name in names:
            if name not in self.functions:
                raise SettingsError(
                    f"There is no function `{name}` under `aws.functions`.",
                    fix=suggest(name, list(self.functions))
                    or f"Name one of: {', '.join(self.functions)}.",
                )
        return [self.functions[name] for name in dict.fromkeys(names or self.functions)]

    def layers_of(self, functions: Iterable[Function]) -> list[Layer]:
        """Return the layers that functions name, each once."""
        names = dict.fromkeys(name for each in functions for name in each.layer_names)
        return [self.layers[name] for name in names]


# Settings that hold for every function and layer that has none of its own.
_OF_FUNCTIONS = ("bucket", "key_prefix")

# Options that are named otherwise than their setting.
_OPTIONS = {"duration_seconds": "--duration", "role_session_name": "--session-name"}


def load(
    config: Mapping[str, Any],
    *,
    project: Path,
    target: str | None = None,
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Read the settings: option > target > invoke's configuration > ``INVOKE_AWS_*``.

    All but options may hold references; see `tasks_aws.references`.
    `config` is the value of the key `aws` as invoke merged it: it holds the variables
    ``INVOKE_AWS_*`` for the keys that a file names, since invoke ignores all others; those are
    read here. `options` are the task's options that were given, by setting name.

    Raises `SettingsError` for the first thing that is wrong, naming its full key.
    """
    base = mapping(config, "aws")
    overlay = _overlay(base, target)
    _only_known_variables(environ)
    local = Local(project, target, environ)
    merged: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for key in SETTINGS:
        variable = f"INVOKE_AWS_{key.upper()}"
        if variable in environ:
            merged[key], labels[key] = environ[variable], variable
        # Of a truth value that a file has, invoke takes every text for true, even "false".
        is_cast = variable in environ and isinstance(base.get(key), bool)
        if base.get(key) is not None and not is_cast:
            merged[key], labels[key] = base[key], f"aws.{key}"
        if overlay.get(key) is not None:
            merged[key], labels[key] = overlay[key], f"aws.targets.{target}.{key}"
        if key in merged:
            merged[key] = local.read(merged[key], labels[key], later=key in _OF_FUNCTIONS)
    for key, value in (options or {}).items():
        merged[key], labels[key] = value, _OPTIONS.get(key, f"--{key.replace('_', '-')}")
    if isinstance(merged.get("policy"), str):
        merged["policy"] = _policy_file(project / merged["policy"], labels["policy"])
    values = {key: SETTINGS[key](value, labels[key]) for key, value in merged.items()}
    shared = {key: value for key, value in values.items() if key in _OF_FUNCTIONS}
    functions = read_functions(base, overlay, target, shared, local)
    layers = read_layers(base, overlay, target, shared, local)
    settings = Settings(
        project=project, target=target, functions=functions, layers=layers, **values
    )
    _check_together(settings, labels)
    return settings


def _only_known_variables(environ: Mapping[str, str]) -> None:
    """Refuse a misspelt variable: without its `account_id` there would be no guard."""
    known = [f"INVOKE_AWS_{key.upper()}" for key in SETTINGS]
    below = tuple(
        f"INVOKE_AWS_{key}" for key in ("FUNCTIONS", "FUNCTION_DEFAULTS", "LAYERS", "TARGETS")
    )
    for name in environ:
        if name.startswith("INVOKE_AWS_") and name not in known and not name.startswith(below):
            raise SettingsError(
                f"{name} is not a variable of tasks-aws.",
                fix=suggest(name, known) or f"Known are: {', '.join(known)}.",
            )


def _overlay(base: Mapping[str, Any], target: str | None) -> Mapping[str, Any]:
    below = ("functions", "function_defaults", "layers")
    only_known(base, "aws", [*SETTINGS, *below, "targets"])
    targets = mapping(base.get("targets"), "aws.targets")
    for name in targets:
        overlay = mapping(targets[name], f"aws.targets.{name}")
        only_known(overlay, f"aws.targets.{name}", [*SETTINGS, *below])
    if target is None:
        return {}
    if target not in targets:
        raise SettingsError(
            f"There is no target `{target}` under `aws.targets`.",
            fix=suggest(target, list(targets))
            or (
                f"Name one of: {', '.join(targets)}." if targets else "Describe it in invoke.yaml."
            ),
        )
    return mapping(targets[target], f"aws.targets.{target}")


def _policy_file(path: Path, label: str) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"`{label}` names {path}, which is not a JSON file that can be read.",
            why=str(error),
            fix="Correct the path or the file, or write the policy as a mapping.",
        ) from error


def _check_together(settings: Settings, labels: Mapping[str, str]) -> None:
    lifetime = settings.duration_seconds or 3600
    if settings.min_ttl_seconds >= lifetime:
        raise SettingsError(
            f"`aws.min_ttl_seconds` ({settings.min_ttl_seconds}) is not below the session's "
            f"duration of {lifetime} seconds.",
            why="Every use of the credentials would renew them.",
            fix="Set a smaller `aws.min_ttl_seconds` or a longer `aws.duration_seconds`.",
        )
    for function in settings.functions.values():
        for name in function.layer_names:
            if name not in settings.layers:
                raise SettingsError(
                    f"`{function.key}.layers` names {name}, which is not under `aws.layers`.",
                    why="Layers that others publish are named by the ARN of a version.",
                    fix=suggest(name, list(settings.layers)) or "Describe it there.",
                )
    missing = [key for key in settings.transitive_tag_keys if key not in settings.session_tags]
    if missing:
        raise SettingsError(
            f"`{labels['transitive_tag_keys']}` names {', '.join(missing)}, "
            "which `aws.session_tags` does not have.",
            fix="Add the tag, or remove its key from the list.",
        )
