"""The calls of STS that open a session, and which setting each of them carries.

A setting that none of the calls for a source carries is refused: without it, the session would be
another one than was asked for. Sources: the STS API reference, and the IAM user guide, "Compare STS
credentials".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

from ..config.settings import SETTINGS, Settings
from ..errors import SettingsError

ASSUME_ROLE = "AssumeRole"
WEB_IDENTITY = "AssumeRoleWithWebIdentity"
SESSION_TOKEN = "GetSessionToken"  # noqa: S105
FEDERATION = "GetFederationToken"
SCOPED = "GetScopedCredentials"

# The settings that each call carries, and its parameters for them.
CARRIED: Mapping[str, Mapping[str, str]] = {
    ASSUME_ROLE: {
        "policy": "Policy",
        "policy_arns": "PolicyArns",
        "session_tags": "Tags",
        "transitive_tag_keys": "TransitiveTagKeys",
        "source_identity": "SourceIdentity",
        "external_id": "ExternalId",
        "role_session_name": "RoleSessionName",
        "duration_seconds": "DurationSeconds",
    },
    WEB_IDENTITY: {
        "policy": "Policy",
        "policy_arns": "PolicyArns",
        "role_session_name": "RoleSessionName",
        "duration_seconds": "DurationSeconds",
    },
    FEDERATION: {
        "policy": "Policy",
        "policy_arns": "PolicyArns",
        "session_tags": "Tags",
        "role_session_name": "Name",
        "duration_seconds": "DurationSeconds",
    },
    SESSION_TOKEN: {"duration_seconds": "DurationSeconds"},
    SCOPED: {"policy": "Policy", "duration_seconds": "DurationSeconds"},
}
_READ_ONLY = "arn:{partition}:iam::aws:policy/ReadOnlyAccess"


class Start(Enum):
    """What a session starts from, in the words of the documentation."""

    ROLE = "a role"
    WEB_IDENTITY = "a web identity"
    KEYS = "access keys"
    KEYS_WITH_MFA = "access keys with an MFA device"
    TEMPORARY = "temporary credentials"


Call = tuple[str, dict[str, Any]]  # an operation of STS, and the arguments that settings give it


def values_asked(settings: Settings, partition: str) -> dict[str, Any]:
    """Return the values of the settings that a session is to have, as STS takes them.

    With `read_only`, the policies include ReadOnlyAccess, in the given partition.
    """
    arns = [*settings.policy_arns]
    if settings.read_only:
        arns.append(_READ_ONLY.format(partition=partition))
    values: dict[str, Any] = {
        "policy": json.dumps(settings.policy) if settings.policy else None,
        "policy_arns": [{"arn": arn} for arn in arns],
        "session_tags": [
            {"Key": key, "Value": text} for key, text in sorted(settings.session_tags.items())
        ],
        "transitive_tag_keys": list(settings.transitive_tag_keys),
        "source_identity": settings.source_identity,
        "external_id": settings.external_id,
        "role_session_name": settings.role_session_name,
        "duration_seconds": settings.duration_seconds,
    }
    return {name: value for name, value in values.items() if value}


def operations(start: Start, asked: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the calls, in their order, that open a session with what is asked.

    A federation session without a policy may do nothing, and GetFederationToken takes no MFA code.
    Temporary credentials are used as they are unless they are to be narrowed.
    """
    if start is Start.ROLE:
        return (ASSUME_ROLE,)
    if start is Start.WEB_IDENTITY:
        return (WEB_IDENTITY,)
    if start is Start.KEYS:
        return (FEDERATION,) if "policy" in asked or "policy_arns" in asked else (SESSION_TOKEN,)
    narrowing = (SCOPED,) if "policy" in asked else ()
    if start is Start.KEYS_WITH_MFA:
        return (SESSION_TOKEN, *narrowing)
    return (SCOPED,) if "duration_seconds" in asked else narrowing


def calls(start: Start, asked: Mapping[str, Any], *, subject: object) -> list[Call]:
    """Return the calls with their arguments, each value in the first call that carries it.

    Raises `SettingsError` for a value that none of them carries; `subject` is what it was for.
    """
    left = dict(asked)
    found: list[Call] = []
    for operation in operations(start, asked):
        carried = CARRIED[operation]
        arguments = {carried[name]: left.pop(name) for name in list(left) if name in carried}
        found.append((operation, arguments))
    if left:
        raise _not_carried(next(iter(left)), start, found, subject)
    return found


def carrier(start: Start, name: str, *, besides: Sequence[str] = ()) -> str | None:
    """Return the call that carries a setting, alone or with others, or None if it is refused."""
    found = operations(start, dict.fromkeys([name, *besides]))
    return next((each for each in found if name in CARRIED[each]), None)


def setting_of(operation: str, parameter: str) -> str:
    """Return the setting that becomes a parameter of a call, as messages name it."""
    names = (name for name, each in CARRIED[operation].items() if each == parameter)
    return _label(next(names, parameter))


def _label(name: str) -> str:
    option = SETTINGS[name].option if name in SETTINGS else ""
    return f"`aws.{name}`" + (f" ({option})" if option else "")


def _not_carried(name: str, start: Start, made: Sequence[Call], subject: object) -> SettingsError:
    label = "`--read-only` or `aws.policy_arns`" if name == "policy_arns" else _label(name)
    takers = [operation for operation, carried in CARRIED.items() if name in carried]
    used = " and ".join(operation for operation, _ in made)
    ways = "Set `aws.role_arn` to a role that these credentials may assume"
    if start is Start.KEYS and name in CARRIED[FEDERATION]:
        ways += ", or restrict the session with `aws.policy` or `aws.policy_arns`"
    if start is Start.WEB_IDENTITY:
        ways = "Set `aws.role_arn` to another role, which this one may assume"
    if name == "policy_arns" and SCOPED in operations(start, {"policy": ""}):
        ways += ", or use `aws.policy`"
    return SettingsError(
        f"{label} cannot be applied to {subject}.",
        why=f"It starts from {start.value}: "
        + (f"{used} does not take this setting, " if used else "no call of STS is made, ")
        + f"only {', '.join(takers[:-1])}{' and ' if takers[1:] else ''}{takers[-1]} would.",
        fix=f"{ways}; or remove the setting.",
    )
