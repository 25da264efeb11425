"""The `aws` key of invoke's configuration, parsed once into frozen, checked values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import SettingsError
from ..ui.output import suggest
from .declare import declared, setting
from .functions import LAYER_KEYS, Function, Layer, parse_functions, parse_layers
from .parsers import (
    choice_parser,
    duration_parser,
    parse_account_id,
    parse_bool,
    parse_bucket,
    parse_keep_fresh,
    parse_mapping,
    parse_policy,
    parse_policy_arns,
    parse_session_tags,
    parse_string,
    parse_strings,
    pattern_parser,
    reject_unknown_keys,
)
from .references import LocalResolver


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Settings:
    """Everything under `aws`, with the target's overlay and the task's options applied."""

    project: Path  # the folder of tasks.py
    target: str | None = None
    profile: str | None = setting(
        parse_string,
        "Profile of the AWS config files that the credentials start from.",
        unset="AWS's default credential chain",
    )
    role_arn: str | None = setting(
        pattern_parser(
            r"arn:aws[a-z-]*:iam::\d{12}:role/[\x21-\x7e]{1,512}",
            "a role ARN",
            "Use the form arn:aws:iam::<12-digit account>:role/<name>.",
        ),
        "Role to assume.",
        unset="the profile's own role or keys",
    )
    region: str | None = setting(
        pattern_parser(
            r"[a-z]{2,}(-[a-z0-9]+)*-\d+", "an AWS region", "Write it like eu-central-1."
        ),
        "AWS region.",
        unset="the region of the environment or the profile",
    )
    account_id: str | None = setting(
        parse_account_id,
        "The only account that is allowed. Credentials of another one are never exported or used.",
        unset="any account",
    )
    duration_seconds: int | None = setting(
        duration_parser(900, 43200),
        "How long a session lasts: seconds, or a value such as `90m` or `2h`.",
        unset="AWS's own default, one hour for roles",
        option="--duration",
    )
    # Patterns and limits here and below are those of the STS API; `\w` is ASCII there.
    role_session_name: str | None = setting(
        pattern_parser(
            r"[\w+=,.@-]{2,64}",
            "a role session name",
            "Use 2 to 64 of A-Z, a-z, 0-9 and _+=,.@- without spaces.",
        ),
        "Name of the role session, which CloudTrail shows.",
        unset="your login name",
        option="--session-name",
    )
    mfa_serial: str | None = setting(
        pattern_parser(
            r"[\w+=/:,.@-]{9,256}",
            "the serial number of an MFA device",
            "Use the ARN of the device: arn:aws:iam::<account>:mfa/<name>.",
        ),
        "Serial number of your MFA device.",
        unset="the profile's `mfa_serial`",
    )
    mfa_command: str | None = setting(
        parse_string,
        "Command that prints an MFA code, such as `ykman oath accounts code --single AWS`.",
        unset="a prompt on the terminal",
    )
    mfa_session: bool = setting(
        parse_bool,
        "Use one MFA code for many roles: open a session of your own keys for twelve hours, and "
        "assume the roles with it. AWS limits such roles to one hour.",
        default=False,
    )
    external_id: str | None = setting(
        pattern_parser(
            r"[\w+=,.@:/-]{2,1224}", "an external ID", "Use 2 to 1224 of A-Z, a-z, 0-9, _+=,.@:/-"
        ),
        "External ID that the role's trust policy requires.",
    )
    source_identity: str | None = setting(
        pattern_parser(
            r"(?!aws:)[\w+=,.@-]{2,64}",
            "a source identity",
            "Use 2 to 64 of A-Z, a-z, 0-9, _+=,.@- that do not start with `aws:`.",
        ),
        "Source identity of the session, which CloudTrail shows for all that is done with it.",
    )
    session_tags: Mapping[str, str] = setting(parse_session_tags, "Session tags.", default={})
    transitive_tag_keys: tuple[str, ...] = setting(
        parse_strings, "Keys of session tags that are passed on to the next role.", default=()
    )
    policy: Mapping[str, Any] | None = setting(
        parse_policy, "Session policy, which narrows what the role may do."
    )
    policy_arns: tuple[str, ...] = setting(
        parse_policy_arns, "Managed policies that narrow what the role may do.", default=()
    )
    cache: str = setting(
        choice_parser("cli", "keyring", "none"),
        "Where sessions are cached: `cli` shares the AWS CLI's cache in `~/.aws/cli/cache`, "
        "`keyring` uses the system's keyring (`pip install 'tasks-aws[keyring]'`).",
        default="cli",
    )
    min_ttl_seconds: int = setting(
        duration_parser(0, 43200),
        "Renew a session that lasts less than this, or less than half of its lifetime if that is "
        "shorter.",
        default=300,
    )
    keep_fresh: bool | Literal["endpoint"] = setting(
        parse_keep_fresh,
        "Renew the credentials of child processes for as long as invoke runs: with `true` through "
        "a `credential_process`, with `endpoint` through a server on the loopback interface.",
        default=False,
    )
    bucket: str | None = setting(
        parse_bucket,
        "S3 bucket for archives above 8 MiB; without one, archives above 50 MiB cannot be "
        "deployed. Functions and layers may name another.",
        aws_references=True,
    )
    key_prefix: str | None = setting(
        parse_string,
        "Prefix of the archives' keys in the bucket. Functions and layers may have another.",
        aws_references=True,
    )
    functions: Mapping[str, Function] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)

    def named(self, names: Iterable[str] | None) -> list[Function]:
        """Return the functions with these names, or all functions if there are none."""
        names = [names] if isinstance(names, str) else list(names or ())
        if not self.functions:
            raise SettingsError(
                "No functions are configured.", fix="Add one under `aws.functions` in invoke.yaml."
            )
        for name in names:
            if name not in self.functions:
                raise SettingsError(
                    f"There is no function `{name}` under `aws.functions`.",
                    fix=suggest(name, list(self.functions))
                    or f"Use one of: {', '.join(self.functions)}.",
                )
        return [self.functions[name] for name in dict.fromkeys(names or self.functions)]

    def layers_of(self, functions: Iterable[Function]) -> list[Layer]:
        """Return the layers that the functions use, each once."""
        names = dict.fromkeys(name for each in functions for name in each.layer_names)
        return [self.layers[name] for name in names]


SETTINGS = declared(Settings)
# The keys that hold mappings, and what they hold, in Markdown.
SECTIONS = {
    "functions": "Lambda functions by name.",
    "function_defaults": "Keys of a function, as defaults for all functions.",
    "layers": "Lambda layers by name.",
    "targets": "Overlays by name, each with any of the settings here but `targets`. `--target` "
    "selects one.",
}
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
            merged[key], labels[key] = environ[variable], variable
        # invoke casts a variable to the type that a file has: any string to True, even "false".
        is_cast = variable in environ and isinstance(base.get(key), bool)
        if base.get(key) is not None and not is_cast:
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


def _reject_unknown_variables(environ: Mapping[str, str]) -> None:
    """Raise `SettingsError` for a misspelt variable: that of `account_id` would be no guard."""
    known = [f"INVOKE_AWS_{key.upper()}" for key in SETTINGS]
    sections = tuple(f"INVOKE_AWS_{key.upper()}" for key in SECTIONS)
    for name in environ:
        if name.startswith("INVOKE_AWS_") and name not in known and not name.startswith(sections):
            raise SettingsError(
                f"Unknown variable {name}.",
                fix=suggest(name, known) or f"Use one of: {', '.join(known)}.",
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
            fix=suggest(target, list(overlays)) or known,
        )
    return overlays[target]


def _read_policy(path: Path, label: str) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"`{label}` must be a mapping or the path of a JSON file; cannot read {path}.",
            why=str(error),
        ) from error


def _check_together(settings: Settings, labels: Mapping[str, str]) -> None:
    lifetime = settings.duration_seconds or 3600
    if settings.min_ttl_seconds >= lifetime:
        raise SettingsError(
            f"`aws.min_ttl_seconds` must be less than the session's {lifetime} seconds, got "
            f"{settings.min_ttl_seconds}.",
            why="Otherwise every use of the credentials would renew them.",
            fix="Set a smaller `aws.min_ttl_seconds` or a longer `aws.duration_seconds`.",
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
