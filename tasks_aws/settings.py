"""The `aws` key of invoke's configuration, read once into frozen, checked values.

Lower-case keys are ours and are named as in ``~/.aws/config``; capitalised keys of a function
are parameters of the Lambda API and are checked in `tasks_aws.functions.model`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import SettingsError
from .output import suggestion
from .parsers import FUNCTION_SETTINGS, SETTINGS, Source, mapping, only_known


# eq=False here and below: comparing is not needed, and making the methods for it would take
# a good part of the time that a cached `assume` takes.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Function:
    """One entry of `aws.functions`: what to package, and the Lambda API's own parameters."""

    name: str
    source: tuple[Source, ...]
    requirements: str | None = None  # None: the lock or requirements in the source, if any
    allow_sdist: tuple[str, ...] = ()  # packages that may be built from source
    build: tuple[str, ...] = ()  # commands run in the staging folder
    bytecode: bool = False  # compiled in, by the runtime's own Python
    archive: str | None = None  # a zip that is used as it is
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    parameters: Mapping[str, Any]  # capitalised keys, as the Lambda API spells them

    @property
    def key(self) -> str:
        """Return where a user finds this function in the settings."""
        return f"aws.functions.{self.name}"


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
    functions: Mapping[str, Function] = field(default_factory=dict)

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
                    fix=suggestion(name, list(self.functions))
                    or f"Name one of: {', '.join(self.functions)}.",
                )
        return [self.functions[name] for name in names or self.functions]


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

    `config` is the value of the key `aws` as invoke merged it: it holds the variables
    ``INVOKE_AWS_*`` for the keys that a file names, since invoke ignores all others; those are
    read here. `options` are the task's options that were given, by setting name.

    Raises `SettingsError` for the first thing that is wrong, naming its full key.
    """
    base = mapping(config, "aws")
    overlay = _overlay(base, target)
    _only_known_variables(environ)
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
    for key, value in (options or {}).items():
        merged[key], labels[key] = value, _OPTIONS.get(key, f"--{key.replace('_', '-')}")
    if isinstance(merged.get("policy"), str):
        merged["policy"] = _policy_file(project / merged["policy"], labels["policy"])
    values = {key: SETTINGS[key](value, labels[key]) for key, value in merged.items()}
    settings = Settings(
        project=project, target=target, functions=_functions(base, overlay, target), **values
    )
    _check_together(settings, labels)
    return settings


def _only_known_variables(environ: Mapping[str, str]) -> None:
    """Refuse a misspelt variable: without its `account_id` there would be no guard."""
    known = [f"INVOKE_AWS_{key.upper()}" for key in SETTINGS]
    below = ("INVOKE_AWS_FUNCTIONS", "INVOKE_AWS_FUNCTION_DEFAULTS", "INVOKE_AWS_TARGETS")
    for name in environ:
        if name.startswith("INVOKE_AWS_") and name not in known and not name.startswith(below):
            raise SettingsError(
                f"{name} is not a variable of tasks-aws.",
                fix=suggestion(name, known) or f"Known are: {', '.join(known)}.",
            )


def _overlay(base: Mapping[str, Any], target: str | None) -> Mapping[str, Any]:
    only_known(base, "aws", [*SETTINGS, "functions", "function_defaults", "targets"])
    targets = mapping(base.get("targets"), "aws.targets")
    for name in targets:
        overlay = mapping(targets[name], f"aws.targets.{name}")
        known = [*SETTINGS, "functions", "function_defaults"]
        only_known(overlay, f"aws.targets.{name}", known)
    if target is None:
        return {}
    if target not in targets:
        raise SettingsError(
            f"There is no target `{target}` under `aws.targets`.",
            fix=suggestion(target, list(targets))
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
    missing = [key for key in settings.transitive_tag_keys if key not in settings.session_tags]
    if missing:
        raise SettingsError(
            f"`{labels['transitive_tag_keys']}` names {', '.join(missing)}, "
            "which `aws.session_tags` does not have.",
            fix="Add the tag, or remove its key from the list.",
        )


# ---- functions -------------------------------------------------------------------------------


def _functions(
    base: Mapping[str, Any], overlay: Mapping[str, Any], target: str | None
) -> dict[str, Function]:
    defaults = _deep_merge(
        mapping(base.get("function_defaults"), "aws.function_defaults"),
        mapping(overlay.get("function_defaults"), f"aws.targets.{target}.function_defaults"),
    )
    named = _deep_merge(
        mapping(base.get("functions"), "aws.functions"),
        mapping(overlay.get("functions"), f"aws.targets.{target}.functions"),
    )
    return {
        name: _function(name, _deep_merge(defaults, mapping(value, f"aws.functions.{name}")))
        for name, value in named.items()
    }


def _function(name: str, values: Mapping[str, Any]) -> Function:
    key = f"aws.functions.{name}"
    if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):  # it names files of ours, too
        raise SettingsError(
            f"`{key}` is not a name that a function may have.",
            fix="Use 1 to 64 of A-Z a-z 0-9 _ and -.",
        )
    own = {each: values[each] for each in values if not each[:1].isupper()}
    only_known(own, key, list(FUNCTION_SETTINGS))
    parsed = {
        each: FUNCTION_SETTINGS[each](value, f"{key}.{each}")
        for each, value in own.items()
        if value is not None
    }
    code = values.get("Code")
    prebuilt = parsed.get("archive") or (isinstance(code, Mapping) and "ImageUri" in code)
    if not parsed.setdefault("source", ()) and not prebuilt:
        raise SettingsError(
            f"`{key}.source` is missing.",
            why="It says which folder to package.",
            fix="Set it to a folder, relative to the folder of tasks.py.",
        )
    parameters = {
        each: value for each, value in values.items() if each[:1].isupper() and value is not None
    }
    return Function(name=name, parameters=parameters, **parsed)


def _deep_merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = _deep_merge(below, value) if both else value  # type: ignore[arg-type]
    return merged
