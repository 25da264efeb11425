"""The key `aws` of invoke's configuration, parsed once into frozen, checked values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from invoke.config import Config

from ..errors import SettingsError
from ..process.importing import own_imports
from ..ui.output import suggest
from .mistakes import Mistakes
from .overlays import Written
from .parsers import find_unknown_keys, parse_mapping
from .references import LocalResolver, UnsetError
from .settings import (
    DEFAULT_SESSION,
    SECTIONS,
    SETTINGS,
    Settings,
    check_role_account,
    require_target,
)
from .variables import (
    OF_TASKS_AWS,
    find_misplaced,
    find_unknown_variables,
    parse_variable,
    sections_as_variables_say,
)

_IF_YOUR_OWN = (
    "If `aws` is a key of the project's own, write the settings of tasks-aws under `tasks_aws`."
)
_FUNCTION_SECTIONS = [each for each in SECTIONS if each != "targets"]


def root_key(config: Mapping[str, Any] | Config) -> str:
    """Return the key of our settings in invoke's configuration.

    A project whose `aws` is its own calls ours `tasks_aws`; then `aws` is left alone. A variable
    says so as well as a file does.
    """
    is_named = "tasks_aws" in config or any(name.startswith(OF_TASKS_AWS) for name in os.environ)
    return "tasks_aws" if is_named else "aws"


def load(
    config: Any,
    *,
    project: Path,
    target: str | None = None,
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    root: str = "aws",
    own: Any = None,
) -> Settings:
    """Load the settings: option > target > invoke's configuration > ``INVOKE_AWS_*``.

    All but options may hold references, see `tasks_aws.config.references`. `config` is the value of
    the key `root` as invoke merged it. invoke reads a variable ``INVOKE_AWS_*`` only if a file has
    the key, so the others are read here. `options` are the given options of the task, by setting.
    `own` is the value of `aws` where that is not the root, but a key of the project's own.
    `environ` is also that of the programs that Git runs for ``${git:sha}``.

    Raises one `SettingsError` with all that is wrong, each with the key that the user wrote. It has
    the mistakes of other targets, too, except for variables that only these need.
    """
    settings, mistakes = read(
        config, project=project, target=target, options=options, environ=environ, root=root, own=own
    )
    for other in find_targets(config) if mistakes else ():
        _, found = read(config, project=project, target=other, environ=environ, root=root, own=own)
        mistakes.add(each for each in found if not isinstance(each, UnsetError))
    mistakes.raise_all()
    return settings


def find_targets(config: Any) -> list[str]:
    """Return the names of the targets, as far as there are any."""
    targets = config.get("targets") if isinstance(config, Mapping) else None
    return [*targets] if isinstance(targets, Mapping) else []


def read(
    config: Any,
    *,
    project: Path,
    target: str | None = None,
    options: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    root: str = "aws",
    own: Any = None,
) -> tuple[Settings, Mistakes]:
    """Read the settings as `load` does; return them without what is wrong, and the mistakes."""
    mistakes, options = Mistakes(), options or {}
    base: Mapping[str, Any] = {}
    with mistakes.collected():
        base = parse_mapping(config, root)
    prefix = f"INVOKE_{root.upper()}_"
    with suppress(RecursionError):  # a mistake of its own
        base = {**base, **sections_as_variables_say(base, prefix, environ)}
    written = Written(base, _select_target(base, root, target, mistakes), target)
    if root != "aws":
        mistakes.add(find_misplaced(environ, base, own if isinstance(own, Mapping) else {}))
    mistakes.add(find_unknown_variables(environ, base, prefix))
    local = LocalResolver(project, target, environ)
    values, labels = _read_keys(written, options, local, prefix, mistakes)
    settings = Settings(project=project, target=target, labels=labels, options=options, **values)
    if any(key in part for part in written[:2] for key in _FUNCTION_SECTIONS):
        with own_imports():
            from .functions import LAYER_KEYS, parse_functions, parse_layers

        # A setting that functions and layers have, too, applies to those without their own.
        shared = {key: value for key, value in values.items() if key in LAYER_KEYS}
        settings = replace(
            settings,
            functions=parse_functions(written, shared, local, mistakes),
            layers=parse_layers(written, shared, local, mistakes),
        )
    mistakes.add(_find_unknown_layers(settings))
    if values.keys() == labels.keys():  # all are right by themselves
        mistakes.add(_check_together(settings))
        with mistakes.collected():
            check_role_account(
                settings.role_arn,
                settings.account_id,
                role_key=f"`{labels.get('role_arn')}`",
                account_key=labels.get("account_id", ""),
            )
    return settings, mistakes


def _read_keys(
    written: Written,
    options: Mapping[str, Any],
    local: LocalResolver,
    prefix: str,
    mistakes: Mistakes,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the parsed values of all keys but the sections, and what messages call each value."""
    values: dict[str, Any] = {}
    labels: dict[str, str] = {}
    for key, each in SETTINGS.items():
        with mistakes.collected():
            if key in options:
                value, labels[key] = options[key], each.option or f"--{key.replace('_', '-')}"
            elif found := _find_value(key, written, local.environ, prefix + key.upper()):
                value, labels[key] = found
            if key in labels:
                if key not in options:
                    value = local.resolve(value, labels[key], allow_aws=each.aws_references)
                if key == "policy" and isinstance(value, str):
                    value = _read_policy(local.project / value, labels[key])
                values[key] = each.parse(value, labels[key])
    return values, labels


def _find_value(
    key: str, written: Written, environ: Mapping[str, str], variable: str
) -> tuple[Any, str] | None:
    """Return the value of a setting that comes first, and what messages call it."""
    base, overlay, target = written
    # See `sections_as_variables_say`.
    is_cast = variable in environ and isinstance(base.get(key), bool)
    is_variable = is_cast or str(base.get(key)) == environ.get(variable)
    if overlay.get(key) is not None:
        return overlay[key], f"aws.targets.{target}.{key}"
    if base.get(key) is not None and not is_variable:
        return base[key], f"aws.{key}"
    if variable in environ:
        return parse_variable(environ[variable], variable, SETTINGS[key]), variable
    return None


def _select_target(
    base: Mapping[str, Any], root: str, target: str | None, mistakes: Mistakes
) -> Mapping[str, Any]:
    """Return the overlay of the target; check the keys of all of them."""
    keys = [*SETTINGS, *SECTIONS]
    hint = _IF_YOUR_OWN if root == "aws" else ""
    mistakes.add(find_unknown_keys(base, root, keys, hint=hint))
    targets: Mapping[str, Any] = {}
    with mistakes.collected():
        targets = parse_mapping(base.get("targets"), "aws.targets")
    overlays: dict[str, Mapping[str, Any]] = {}
    for name, value in targets.items():
        key = f"aws.targets.{name}"
        with mistakes.collected():
            overlays[name] = parse_mapping(value, key)
            mistakes.add(find_unknown_keys(overlays[name], key, [*SETTINGS, *_FUNCTION_SECTIONS]))
    if target is not None:
        with mistakes.collected():
            require_target(target, list(targets))
    return {} if target is None else overlays.get(target, {})


def _read_policy(path: Path, label: str) -> Any:
    if path.is_dir():
        raise SettingsError(
            f"`{label}` must be a mapping or the path of a JSON file; {path} is a folder.",
            fix="Name the file, or remove the key.",
        )
    try:
        return json.loads(path.read_bytes())  # PowerShell writes UTF-16
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"`{label}` must be a mapping or the path of a JSON file; cannot read {path}.",
            why=str(error),
        ) from error


def _check_together(settings: Settings) -> Iterator[SettingsError]:
    lifetime = settings.duration_seconds or DEFAULT_SESSION
    labels = settings.labels
    if settings.min_ttl_seconds >= lifetime:
        yield SettingsError(
            f"`{labels.get('min_ttl_seconds', 'aws.min_ttl_seconds')}` must be less than the "
            f"session's {lifetime} seconds, got {settings.min_ttl_seconds}.",
            why="Otherwise every use of the credentials would renew them.",
            fix="Set a smaller `aws.min_ttl_seconds` or a longer `aws.duration_seconds`.",
        )
    if settings.read_only and (settings.policy or settings.policy_arns):
        other = labels["policy" if settings.policy else "policy_arns"]
        yield SettingsError(
            f"`{labels['read_only']}` and `{other}` cannot be combined.",
            why="AWS adds session policies up: a session with both may do what either allows.",
            fix="Leave out one of them.",
        )
    missing = [key for key in settings.transitive_tag_keys if key not in settings.session_tags]
    if missing:
        yield SettingsError(
            f"`{labels['transitive_tag_keys']}` names {', '.join(missing)}, which "
            "`aws.session_tags` does not contain.",
            fix="Add the tag, or remove its key from the list.",
        )


def _find_unknown_layers(settings: Settings) -> Iterator[SettingsError]:
    for function in settings.functions.values():
        for name in function.layer_names:
            if name not in settings.layers:
                key = function.overlays.as_written(f"`{function.key}.layers`")
                yield SettingsError(
                    f"{key} names {name}, which is not under `aws.layers`.",
                    why="A layer from elsewhere is named by the ARN of one of its versions.",
                    fix=suggest(name, list(settings.layers)) or "Add it there.",
                )
