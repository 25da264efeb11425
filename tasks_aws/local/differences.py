"""Where MiniStack enforces other permissions than AWS.

It takes some calls for others, restricts these to no resource that AWS's policies name, does not
know some condition keys, and takes the ARN of a parameter for its name. A policy that is right on
AWS gets here what MiniStack wants instead, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

Policy = Mapping[str, Any]

# An action that AWS wants, and what MiniStack takes the call for.
MINISTACK_DIFFERS = {
    "lambda:CreateFunction": "lambda:CreateFunction",
    "lambda:AddLayerVersionPermission": "lambda:PublishLayerVersion",
    "lambda:DeleteFunctionConcurrency": "lambda:PutFunctionConcurrency",
    "lambda:GetEventSourceMapping": "lambda:ListEventSourceMappings",
    **{
        f"lambda:{name}": instead
        for instead, names in {
            "lambda:CreateFunctionUrlConfig": (
                "DeleteFunctionUrlConfig",
                "UpdateFunctionUrlConfig",
            ),
            "lambda:DeleteFunction": (
                "DeleteFunctionEventInvokeConfig",
                "DeleteProvisionedConcurrencyConfig",
            ),
            "lambda:GetFunction": (
                "GetFunctionEventInvokeConfig",
                "GetFunctionRecursionConfig",
                "GetProvisionedConcurrencyConfig",
                "GetRuntimeManagementConfig",
                "ListDurableExecutionsByFunction",
                "ListFunctionUrlConfigs",
            ),
            "lambda:GetFunctionCodeSigningConfig": (
                "DeleteFunctionCodeSigningConfig",
                "PutFunctionCodeSigningConfig",
            ),
            "lambda:ListAliases": ("DeleteAlias", "GetAlias", "UpdateAlias"),
            "lambda:ListLayers": ("GetLayerVersion", "GetLayerVersionPolicy", "ListLayerVersions"),
            "lambda:UpdateFunctionCode": (
                "PutFunctionEventInvokeConfig",
                "PutFunctionRecursionConfig",
                "PutProvisionedConcurrencyConfig",
                "PutRuntimeManagementConfig",
            ),
        }.items()
        for name in names
    },
}
# Actions that it may allow though a policy does not: it has one for several of AWS's, or for every
# resource, and it does not ask who may pass a role.
LENIENT = {*MINISTACK_DIFFERS, *MINISTACK_DIFFERS.values(), "iam:PassRole"}
_UNKNOWN_KEYS = ("lambda:FunctionArn",)


def for_ministack(policies: Sequence[Policy]) -> list[Policy]:
    """Return policies for AWS with what MiniStack wants instead."""
    adapted: list[Policy] = [
        {**each, "Statement": [_with_arns(_without_keys(one)) for one in _statements(each)]}
        for each in policies
    ]
    wanted = sorted(
        {
            instead
            for action, instead in MINISTACK_DIFFERS.items()
            if any(_allows(each, action) for policy in policies for each in _statements(policy))
        }
    )
    if wanted:
        extra = {"Effect": "Allow", "Action": wanted, "Resource": "*"}
        adapted.append({"Version": "2012-10-17", "Statement": [extra]})
    return adapted


def _statements(policy: Policy) -> Sequence[Mapping[str, Any]]:
    found = policy.get("Statement", ())
    return [*map(_in_its_partition, [found] if isinstance(found, Mapping) else found)]


def _in_its_partition(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a statement with the ARNs of MiniStack's only partition beside those of others."""
    named = [*_listed(statement.get("Resource", ()))]
    there = (re.sub(r"^arn:aws-[\w-]+:", "arn:aws:", each) for each in named)
    added = [each for each in there if each not in named]
    return {**statement, "Resource": [*named, *added]} if added else statement


def _allows(statement: Mapping[str, Any], action: str) -> bool:
    patterns = _listed(statement.get("Action", ()))
    return statement.get("Effect") == "Allow" and any(
        fnmatchcase(action.lower(), str(each).lower()) for each in patterns
    )


def _without_keys(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    condition = {
        operator: kept
        for operator, keys in statement.get("Condition", {}).items()
        if (kept := {key: each for key, each in keys.items() if key not in _UNKNOWN_KEYS})
    }
    rest = {key: each for key, each in statement.items() if key != "Condition"}
    return {**rest, "Condition": condition} if condition else rest


def _with_arns(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a statement that allows parameters also by the ARNs of which the name is an ARN."""
    if not _allows(statement, "ssm:GetParameter"):
        return statement
    resources = [*_listed(statement.get("Resource", ()))]
    by_arn = [f"{each.partition('parameter/')[0]}parameter/{each}" for each in resources]
    return {**statement, "Resource": [*resources, *by_arn]}


def _listed(value: Any) -> Iterator[Any]:
    yield from [value] if isinstance(value, str) else value
