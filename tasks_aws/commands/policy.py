"""What the task `policy` does: print the least that the deploying role has to be allowed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from invoke.context import Context

from ..auth.active import read_settings, settings_in_force
from ..auth.partitions import partition_of
from ..auth.request import region_in_force
from ..aws_lambda.iam_actions import TASKS, TaskName
from ..aws_lambda.iam_policy import MANAGED_POLICY_MAXIMUM, Permission, make_policies
from ..aws_lambda.layers import validate_layers
from ..aws_lambda.validation import validate_functions
from ..config.functions import Function
from ..config.references import Unresolved
from ..config.settings import Settings
from ..errors import SettingsError
from ..ui.output import print_result, print_table, say, suggest, warn
from .permissions import DEPLOYING, list_needed
from .trust import Role, account_of, make_trust_policy


def print_policy(
    c: Context,
    names: Iterable[str],
    *,
    tasks: Sequence[str],
    target: str | None,
    trust: str | None,
    explain: bool,
) -> None:
    """Print the policy on stdout, or a list of policies if one would be too long for IAM.

    With `trust`, print the role: who may assume it, and its policies. With `explain`, print which
    setting needs which action instead.
    """
    if trust is not None and explain:
        raise SettingsError(
            "`--trust` and `--explain` cannot be combined.",
            why="--explain prints no policies.",
            fix="Run them one after the other.",
        )
    wanted = _parse_tasks(tasks) or DEPLOYING
    settings = read_settings(c, target=target) if target else settings_in_force(c)
    region = region_in_force(settings)
    functions = settings.named(names)
    account = settings.account_id or _find_account(settings, functions)
    validated = [each.function for each in validate_functions(functions).values()]
    described = [*validated, *validate_layers(settings, validated)]
    permissions = [*list_needed(described, account, region, wanted)]
    _warn_of_vague(permissions)
    if explain:
        rows = dict.fromkeys(map(_explain, permissions))
        print_table(("setting", "action", "resource"), sorted(rows), result=True)
        return
    policies = make_policies(permissions)
    printed: Any = policies[0] if len(policies) == 1 else policies
    if trust is not None:
        role = Role(settings=settings, partition=partition_of(region), account_id=account)
        printed = {
            "AssumeRolePolicyDocument": make_trust_policy(trust, role),
            "PolicyDocuments": policies,
        }
    print_result(json.dumps(printed, indent=2))
    if len(policies) > 1:
        say(
            "policy",
            f"a list of {len(policies)} policies, because IAM allows {MANAGED_POLICY_MAXIMUM:,} "
            "characters in one. Attach each of them to the role.",
        )


def _explain(permission: Permission) -> tuple[str, str, str]:
    return permission.setting, permission.action, permission.scope.shown[0]


def _parse_tasks(names: Sequence[str]) -> list[TaskName]:
    for name in names:
        if name not in TASKS:
            raise SettingsError(
                f"`--task` names {name!r}, which is not a task that needs permissions for "
                "functions.",
                fix=f"{suggest(name, [*TASKS])} Use one of: {', '.join(TASKS)}.".lstrip(),
            )
    wanted = {*names, *(each.partition(" ")[0] for each in names)}  # `deploy --prune` deploys
    return [each for each in TASKS if each in wanted]


def _warn_of_vague(permissions: Iterable[Permission]) -> None:
    if vague := dict.fromkeys(f"`{each.setting}`" for each in permissions if each.is_vague):
        warn(
            "The policy has * for a reference that only AWS can resolve, among what "
            f"{', '.join(vague)} needs. Write a narrower pattern there."
        )


def _find_account(settings: Settings, functions: Iterable[Function]) -> str:
    """Return the account of the role to assume, or else of all execution roles."""
    roles = [settings.role_arn] if settings.role_arn else [_get_role(each) for each in functions]
    found = {*filter(None, map(account_of, roles))}
    if len(found) != 1:
        raise SettingsError(
            "Cannot tell which account the policy is for.",
            why="Neither `aws.account_id` nor `aws.role_arn` is set, and the roles of the "
            f"functions name {'several accounts' if found else 'none'}.",
            fix='Set `aws.account_id`, such as account_id: "123456789012".',
        )
    return found.pop()


def _get_role(function: Function) -> str:
    role = function.parameters.get("Role")
    return "" if role is None or isinstance(role, Unresolved) else str(role)
