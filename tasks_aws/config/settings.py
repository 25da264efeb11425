"""The keys of `aws`: what may be set, declared once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..text.as_typed import settings_file
from ..ui.output import suggest
from .declare import declared, setting
from .parsers import (
    choice_parser,
    duration_parser,
    parse_account_id,
    parse_bool,
    parse_bucket,
    parse_keep_fresh,
    parse_local,
    parse_policy,
    parse_policy_arns,
    parse_session_tags,
    parse_string,
    parse_strings,
    pattern_parser,
    quotas_parser,
)

if TYPE_CHECKING:
    from .functions import Function, Layer

# How long a session of a role may last, in seconds: "AssumeRole", STS API reference.
SHORTEST_SESSION = 900
DEFAULT_SESSION = 3600
LONGEST_SESSION = 43200

# Requests per second, for each account and region: "Lambda quotas", Lambda Developer Guide.
LAMBDA_QUOTAS = {"get": 100, "policy": 15, "other": 15}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Settings:
    """Everything under `aws`, with the target's overlay and the task's options applied."""

    project: Path  # the folder of tasks.py
    target: str | None = None
    # What messages call each setting that is not its default: its key, its variable or its option.
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)  # of the task, as they were given
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
    protected: bool = setting(
        parse_bool,
        "Have `destroy`, `prune` and `deploy` with `--force`, `--prune` or `--watch` confirmed: by "
        "the name of the target, typed, or without a target by the account ID. `--yes` confirms, "
        "too.",
        default=False,
    )
    duration_seconds: int | None = setting(
        duration_parser(SHORTEST_SESSION, LONGEST_SESSION),
        "How long a session lasts: seconds, or a value such as `90m` or `2h`.",
        unset="AWS's own default, one hour for roles",
        option="--duration",
    )
    # Patterns and limits up to `policy_arns` are those of the STS API; `\w` is ASCII there.
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
            r"(?!aws:)[\w+=,.@-]{2,256}",  # 64 until botocore 1.44
            "a source identity",
            "Use 2 to 256 of A-Z, a-z, 0-9, _+=,.@- that do not start with `aws:`.",
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
    read_only: bool = setting(
        parse_bool,
        "Narrow the session to AWS's managed policy ReadOnlyAccess.",
        default=False,
    )
    sign_in: str = setting(
        choice_parser("browser", "code", "never"),
        "How to sign in to IAM Identity Center, or with `aws login`, when a sign-in has ended: in "
        "a `browser`, or with a `code` and any device, as it always is over SSH. With `never`, "
        "only `login` does.",
        default="browser",
    )
    cache: str = setting(
        choice_parser("cli", "keyring", "none"),
        "Where sessions are cached: `cli` shares the AWS CLI's cache in `~/.aws/cli/cache`, "
        "`keyring` uses the system's keyring (`pip install 'tasks-aws[keyring]'`).",
        default="cli",
    )
    min_ttl_seconds: int = setting(
        duration_parser(0, LONGEST_SESSION),
        "Renew a session that lasts less than this, or less than half of its lifetime if that is "
        "shorter.",
        default=300,
    )
    keep_fresh: bool = setting(
        parse_keep_fresh,
        "Renew the credentials of child processes for as long as invoke runs, through a "
        "`credential_process` and, at the same time, as AWS containers receive them. `endpoint` "
        "means the same as `true`.",
        default=False,
    )
    bucket: str | None = setting(
        parse_bucket,
        "S3 bucket for archives above 8 MiB; without one, archives above 50 MiB cannot be "
        "deployed. Functions and layers may name another.",
        aws_references=True,
    )
    bucket_owner: str | None = setting(
        parse_account_id,
        "Account that the bucket must belong to.",
        unset="the account of the functions",
    )
    key_prefix: str | None = setting(
        parse_string,
        "Prefix of the archives' keys in the bucket. Functions and layers may have another.",
        aws_references=True,
    )
    requests_per_second: Mapping[str, int] = setting(
        quotas_parser(LAMBDA_QUOTAS),
        "Lambda's quotas for the account and region, which requests are paced by: `get` for "
        "GetFunction, `policy` for GetPolicy, `other` for all other requests but invocations.",
        default=LAMBDA_QUOTAS,
    )
    local: Mapping[str, str] = setting(
        parse_local,
        "For the task `local`: under `values`, what references stand for on the embedded AWS, such "
        "as `ssm:/name: text` for `${ssm:/name}`.",
        default={},
    )
    functions: Mapping[str, Function] = field(default_factory=dict)
    layers: Mapping[str, Layer] = field(default_factory=dict)

    def named(self, names: Iterable[str] | None) -> list[Function]:
        """Return the functions with these names, or all functions if there are none."""
        names = [names] if isinstance(names, str) else list(names or ())
        if not self.functions:
            raise SettingsError(
                "No functions are configured.",
                fix=f"Add one under `aws.functions` in {settings_file()}.",
            )
        require_functions(names, list(self.functions))
        return [self.functions[name] for name in dict.fromkeys(names or self.functions)]

    def layers_of(self, functions: Iterable[Function]) -> list[Layer]:
        """Return the layers that the functions use, each once."""
        names = dict.fromkeys(name for each in functions for name in each.layer_names)
        return [self.layers[name] for name in names]


def require_functions(names: Iterable[str], functions: list[str]) -> None:
    """Raise `SettingsError` for a name that is not one of the functions in the settings."""
    for name in names:
        if name not in functions:
            raise SettingsError(
                f"There is no function `{name}` under `aws.functions`.",
                fix=f"{suggest(name, functions)} Use one of: {', '.join(functions)}.".lstrip(),
            )


def require_target(name: str, targets: list[str]) -> None:
    """Raise `SettingsError` if a name is not one of the targets in the settings."""
    if name not in targets:
        known = f"Use one of: {', '.join(targets)}." if targets else f"Add it to {settings_file()}."
        raise SettingsError(
            f"There is no target `{name}` under `aws.targets`.",
            fix=f"{suggest(name, targets)} {known}".lstrip(),
        )


def check_role_account(
    role: str | None,
    account_id: str | None,
    *,
    role_key: str = "the role of the profile",
    account_key: str = "aws.account_id",
) -> None:
    """Raise `SettingsError` for a role in another account than the one that is allowed."""
    account = role.split(":")[4] if role and role.count(":") >= 5 else account_id
    if account_id and account != account_id:
        raise SettingsError(
            f"{role} is in account {account}, but `{account_key}` allows only {account_id}.",
            why="Credentials of another account are never obtained, exported or used.",
            fix=f"Correct {role_key} or `{account_key}`.",
        )


SETTINGS = declared(Settings)
# The keys that hold mappings, and what they hold, in Markdown.
SECTIONS = {
    "functions": "Lambda functions by name.",
    "function_defaults": "Keys of a function, as defaults for all functions.",
    "layers": "Lambda layers by name.",
    "targets": "Overlays by name, each with any of the settings here but `targets`. `--target` "
    "selects one.",
}
