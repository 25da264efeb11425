"""A CloudFormation template of the role that deploys, and of what it presupposes.

Sources: CloudFormation template reference, AWS::IAM::Role, AWS::IAM::ManagedPolicy and
AWS::IAM::OIDCProvider; "Acknowledging IAM resources in CloudFormation templates".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..aws_lambda.execution_roles import ExecutionRole
from ..aws_lambda.iam_policy import Policy
from .policy_comments import comment_statements
from .trust import Role, audience_of, host_of, provider_of

TEMPLATE_MAXIMUM_BYTES = 51_200  # "CloudFormation quotas": of a template that is not in S3
POLICIES_MAXIMUM = 10  # "IAM and AWS STS quotas": managed policies attached to a role
_DEFAULT_NAME = "Deployer"
_LONGEST_LOGICAL_ID = 255 - len("Create")
# The stack may go, but what others use stays.
_KEPT = {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}


class Template(NamedTuple):
    """A template, the comments above its lines, and how a stack is made of it."""

    body: Mapping[str, Any]
    comments: Mapping[str, str]
    stack: str

    def command(self, file: str, region: str, *, too_long: bool) -> str:
        """Return the command that creates the stack from a file."""
        words = [
            *("aws cloudformation deploy --region", region, "--stack-name", self.stack),
            *("--template-file", file, "--capabilities CAPABILITY_NAMED_IAM"),
            *(["--s3-bucket BUCKET"] if too_long else []),
        ]
        return " ".join(words)


class _Parts:
    """The parts of a template as they come together."""

    def __init__(self) -> None:
        self.parameters: dict[str, Any] = {}
        self.conditions: dict[str, Any] = {}
        self.resources: dict[str, Any] = {}
        self.comments: dict[str, str] = {}


def make_template(
    trust: Mapping[str, Any],
    policies: Sequence[Policy],
    role: Role,
    execution_roles: Iterable[ExecutionRole],
) -> Template:
    """Return the template of a role with a trust policy and policies, and of execution roles."""
    parts = _Parts()
    name, path = _name_of(role)
    if provider := provider_of(trust):
        trust = _add_provider(parts, trust, provider)
    longest = role.settings.duration_seconds or 0
    parts.resources["Role"] = _resource(
        "Role",
        RoleName=name,
        Path=path,
        MaxSessionDuration=max(longest, 3600),
        AssumeRolePolicyDocument=trust,
    )
    parts.comments["Role:"] = (
        "The role that deploys. AssumeRolePolicyDocument says who may assume it."
    )
    for number, document in enumerate(policies, 1):
        policy = _resource("ManagedPolicy", Roles=[{"Ref": "Role"}], PolicyDocument=document)
        parts.resources[f"Policy{number}"] = policy
        parts.comments[f"Policy{number}:"] = "What the role may do."
    parts.comments |= comment_statements([trust, *policies])
    for each in execution_roles:
        _add_execution_role(parts, each, role.partition)
    body = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The role {name}, which deploys functions with tasks-aws",
        **({"Parameters": parts.parameters} if parts.parameters else {}),
        **({"Conditions": parts.conditions} if parts.conditions else {}),
        "Resources": parts.resources,
        "Outputs": {
            "RoleArn": {
                "Description": "The role_arn of the settings",
                "Value": {"Fn::GetAtt": ["Role", "Arn"]},
            }
        },
    }
    return Template(body, parts.comments, stack=f"{_words(name, '-')}-role")


def _name_of(role: Role) -> tuple[str, str]:
    """Return the name and the path of the role: those in the settings, if it is in the account."""
    arn = role.settings.role_arn or ""
    match = re.fullmatch(rf"arn:[\w-]+:iam::{role.account_id}:role(/.*)", arn)
    if not match:
        return _DEFAULT_NAME, "/"
    path, _, name = match[1].rpartition("/")
    return name, f"{path}/"


def _resource(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::IAM::{kind}", "Properties": properties}


def _add_provider(parts: _Parts, trust: Mapping[str, Any], arn: str) -> Mapping[str, Any]:
    """Add an OIDC provider, unless a parameter names one; return the trust policy with it."""
    host = host_of(arn)
    parts.parameters["OidcProviderArn"] = {
        "Type": "String",
        "Default": "",
        "Description": f"ARN of the OIDC provider for {host}; empty to create it",
    }
    parts.comments["OidcProviderArn:"] = (
        f"An account has one provider for each URL. If it has one for {host}, it is {arn}."
    )
    parts.conditions["CreateOidcProvider"] = {"Fn::Equals": [{"Ref": "OidcProviderArn"}, ""]}
    parts.resources["OidcProvider"] = {
        "Condition": "CreateOidcProvider",
        **_KEPT,
        **_resource("OIDCProvider", Url=f"https://{host}", ClientIdList=[audience_of(trust, host)]),
    }
    parts.comments["OidcProvider:"] = (
        "Lets AWS check the tokens of CI jobs. It allows nothing by itself."
    )
    named: Any = {"Ref": "OidcProviderArn"}
    provider = {"Fn::If": ["CreateOidcProvider", {"Ref": "OidcProvider"}, named]}
    [statement] = trust["Statement"]
    return {**trust, "Statement": [{**statement, "Principal": {"Federated": provider}}]}


def _add_execution_role(parts: _Parts, role: ExecutionRole, partition: str) -> None:
    """Add a role of functions or schedules, unless a parameter says that it exists."""
    logical = _unique(f"{_words(role.name)}ExecutionRole"[:_LONGEST_LOGICAL_ID], parts.resources)
    create = f"Create{logical}"
    parts.parameters[create] = {
        "Type": "String",
        "AllowedValues": ["true", "false"],
        "Default": "true",
        "Description": f"Whether to create the role {role.name}; false if it exists",
    }
    parts.conditions[create] = {"Fn::Equals": [{"Ref": create}, "true"]}
    policies = [
        {"PolicyName": name, "PolicyDocument": _allow(actions)}
        for name, actions in (("Destinations", role.sending), ("Schedules", role.invoking))
        if actions
    ]
    managed = [f"arn:{partition}:iam::aws:policy/{each}" for each in sorted(role.managed)]
    parts.resources[logical] = {
        "Condition": create,
        **_KEPT,
        **_resource(
            "Role",
            RoleName=role.name,
            Path=role.path,
            AssumeRolePolicyDocument=_trust(role),
            **({"ManagedPolicyArns": managed} if managed else {}),
            **({"Policies": policies} if policies else {}),
        ),
    }
    parts.comments[f"{logical}:"] = " ".join(_describe(role))
    parts.comments["- PolicyName: Destinations"] = (
        "Lets Lambda send what has failed, and results, to where the settings say."
    )
    parts.comments["- PolicyName: Schedules"] = (
        "Lets EventBridge Scheduler invoke what the settings schedule, and nothing else."
    )


def _trust(role: ExecutionRole) -> Policy:
    """Return the policy that lets the services assume a role which are to have it."""
    services = [
        *(["lambda.amazonaws.com"] if role.functions else []),
        *(["scheduler.amazonaws.com"] if role.schedules else []),
    ]
    statement = {
        "Effect": "Allow",
        "Action": ["sts:AssumeRole"],
        "Principal": {"Service": services},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _allow(actions: Mapping[str, Iterable[str]]) -> Policy:
    statements = [
        {"Effect": "Allow", "Action": [action], "Resource": sorted(arns)}
        for action, arns in sorted(actions.items())
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _describe(role: ExecutionRole) -> Iterator[str]:
    """Yield sentences on what a role is for."""
    if len(role.functions) == 1:
        yield f"What {role.functions[0]} runs with."
        yield "Add what its own code calls: no setting says that."
    elif role.functions:
        yield f"What {', '.join(role.functions)} run with."
        yield "Add what their own code calls: no setting says that."
    if role.schedules:
        yield f"What schedules invoke {', '.join(dict.fromkeys(role.schedules.values()))} with."


def _words(name: str, between: str = "") -> str:
    """Return a name as stacks and logical IDs may have it.

    >>> _words("hello_world-role"), _words("Deployer@2", "-")
    ('HelloWorldRole', 'Deployer-2')
    """
    words = re.findall(r"[A-Za-z0-9]+", name)
    return between.join(words if between else (word[:1].upper() + word[1:] for word in words))


def _unique(name: str, used: Iterable[str]) -> str:
    numbered = (f"{name}{number}" for number in range(2, 10_000))
    return name if name not in used else next(each for each in numbered if each not in used)
