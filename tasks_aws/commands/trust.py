"""Trust policies: who may assume the role that deploys.

Sources: the IAM user guide, "AWS global condition context keys", "Available keys for AWS STS" and
"Reserved roles of IAM Identity Center"; GitHub's "OpenID Connect reference"; GitLab's "Configure
OpenID Connect in AWS".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..config.functions import Function
from ..config.references import Unresolved
from ..config.settings import Settings
from ..errors import SettingsError
from ..ui.output import warn

_GITHUB, _GITLAB = "token.actions.githubusercontent.com", "gitlab.com"
_REF = r"(?::([\w./*-]+))?"
_EVERY_BRANCH = "*"


class Role(NamedTuple):
    """The role that is to be assumed."""

    settings: Settings
    partition: str
    account_id: str


def make_trust_policy(who: str, role: Role) -> Mapping[str, Any]:
    """Return the trust policy for those whom `--trust` names. Raises `SettingsError`."""
    make, words = parse_who(who)
    return {"Version": "2012-10-17", "Statement": [make(role, *words)]}


def parse_who(who: str) -> tuple[Callable[..., Mapping[str, Any]], Sequence[str]]:
    """Return what makes the statement for `--trust`, and its arguments. Raises `SettingsError`."""
    for pattern, make in _FORMS.items():
        if match := re.fullmatch(pattern, who, re.ASCII):
            return make, match.groups()
    raise SettingsError(
        f"`--trust` does not know {who!r}.",
        fix="Use people, github:OWNER/REPO[:REF], gitlab:GROUP/PROJECT[:REF] or "
        "sso:PERMISSION_SET.",
    )


def provider_of(trust: Mapping[str, Any]) -> str | None:
    """Return the ARN of the OIDC provider whose tokens a trust policy takes, if it takes some."""
    provider: str | None = trust["Statement"][0]["Principal"].get("Federated")
    return provider


def host_of(provider: str) -> str:
    """Return the host that an OIDC provider takes tokens of."""
    return provider.partition("oidc-provider/")[2]


def audience_of(trust: Mapping[str, Any], host: str) -> str:
    """Return the audience that the tokens of a host need."""
    return str(trust["Statement"][0]["Condition"]["StringEquals"][f"{host}:aud"])


def account_of(arn: str) -> str | None:
    """Return the account that the ARN of an IAM role, user or MFA device names."""
    match = re.match(r"arn:[\w-]+:iam::(\d{12}):", arn)
    return match[1] if match else None


def accounts_of_roles(functions: Iterable[Function]) -> set[str]:
    """Return the accounts of the functions' execution roles, as far as they are known."""
    roles = (each.parameters.get("Role") for each in functions)
    known = (account_of(str(each)) for each in roles if not isinstance(each, Unresolved))
    return {*filter(None, known)}


def _trust_people(role: Role) -> dict[str, Any]:
    # The people's users are where their MFA devices are.
    account = account_of(role.settings.mfa_serial or "") or role.account_id
    with_mfa = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    return _trust_principals("People", role, account, with_mfa)


def _trust_permission_set(role: Role, name: str) -> dict[str, Any]:
    # In some regions, the path of such a role has the region as a further part.
    path = f"role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_{name}_*"
    of_set = {
        "ArnLike": {"aws:PrincipalArn": f"arn:{role.partition}:iam::{role.account_id}:{path}"}
    }
    return _trust_principals("PermissionSet", role, role.account_id, of_set)


def _trust_principals(
    sid: str, role: Role, account: str, condition: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """Return a statement for principals of an account, with what the settings send to STS."""
    settings = role.settings
    actions = ["sts:AssumeRole"]
    conditions = {**condition}
    if settings.external_id:
        conditions["StringEquals"] = {"sts:ExternalId": settings.external_id}
    if settings.source_identity:
        actions.append("sts:SetSourceIdentity")
        conditions["StringLike"] = {"sts:SourceIdentity": "*"}
    if settings.session_tags:
        actions.append("sts:TagSession")
    principal = {"AWS": f"arn:{role.partition}:iam::{account}:root"}
    return _statement(sid, actions, principal, conditions)


def _trust_github(role: Role, repository: str, ref: str | None) -> dict[str, Any]:
    _warn_of_branches(f"github:{repository}", ref)
    full = ref if ref and ref.startswith("refs/") else f"refs/heads/{ref or _EVERY_BRANCH}"
    return _trust_tokens(
        "GitHub", role, _GITHUB, "sts.amazonaws.com", f"repo:{repository}:ref:{full}"
    )


def _trust_gitlab(role: Role, project: str, ref: str | None) -> dict[str, Any]:
    _warn_of_branches(f"gitlab:{project}", ref)
    tag = re.fullmatch(r"refs/tags/(.+)", ref or "")
    name = (ref or _EVERY_BRANCH).removeprefix("refs/heads/")
    kind = f"ref_type:tag:ref:{tag[1]}" if tag else f"ref_type:branch:ref:{name}"
    subject = f"project_path:{project}:{kind}"
    return _trust_tokens("GitLab", role, _GITLAB, f"https://{_GITLAB}", subject)


def _trust_tokens(sid: str, role: Role, host: str, audience: str, subject: str) -> dict[str, Any]:
    """Return a statement for the OpenID Connect tokens with an audience and a subject."""
    provider = f"arn:{role.partition}:iam::{role.account_id}:oidc-provider/{host}"
    conditions: dict[str, dict[str, str]] = {"StringEquals": {f"{host}:aud": audience}}
    conditions.setdefault("StringLike" if "*" in subject else "StringEquals", {})[f"{host}:sub"] = (
        subject
    )
    action = ["sts:AssumeRoleWithWebIdentity"]
    return _statement(sid, action, {"Federated": provider}, conditions)


def _statement(
    sid: str,
    actions: list[str],
    principal: Mapping[str, str],
    conditions: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Principal": principal,
        "Condition": conditions,
    }


def _warn_of_branches(who: str, ref: str | None) -> None:
    if ref is None:
        warn(f"Every branch may assume the role. To trust one branch, name it: --trust {who}:main")


# Patterns of what `--trust` takes; their groups are the arguments after the role.
_FORMS: Mapping[str, Callable[..., dict[str, Any]]] = {
    r"people": _trust_people,
    rf"github:([\w.-]+/[\w.-]+){_REF}": _trust_github,
    rf"gitlab:([\w.-]+(?:/[\w.-]+)+){_REF}": _trust_gitlab,
    r"sso:([\w+=,.@-]{1,32})": _trust_permission_set,
}
