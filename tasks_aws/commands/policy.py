"""What the task `policy` does: print the least that the deploying role has to be allowed."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from invoke.context import Context

from ..auth.active import settings_in_force
from ..auth.partitions import partition_of
from ..aws_lambda.clients import Account
from ..aws_lambda.execution_roles import ExecutionRole, configured_schedules, list_execution_roles
from ..aws_lambda.iam_actions import TASKS, TaskName
from ..aws_lambda.iam_policy import MANAGED_POLICY_MAXIMUM, Permission, Policy, make_policies
from ..aws_lambda.layers import validate_layers
from ..aws_lambda.lookups import fill_in_locally
from ..aws_lambda.validation import validate_functions
from ..config.functions import Function
from ..errors import SettingsError
from ..ui.output import print_result, print_table, say, suggest, warn
from ..ui.yaml_format import format_with_comments
from .accounts import get_accounts, get_active_account
from .permissions import DEPLOYING, list_needed, place_of
from .policy_check import print_differences, read_policies
from .policy_comments import comment_statements
from .template import POLICIES_MAXIMUM, TEMPLATE_MAXIMUM_BYTES, Template, make_template
from .trust import (
    Role,
    audience_of,
    host_of,
    make_trust_policy,
    parse_who,
    provider_of,
)


def print_policy(
    c: Context,
    names: Iterable[str],
    *,
    tasks: Sequence[str],
    target: str | None,
    trust: str | None,
    explain: bool,
    format: str,  # noqa: A002
    check: str | None,
) -> bool:
    """Print the policy on stdout, or a list of policies if one would be too long for IAM.

    With `trust`, print the role: who may assume it, and its policies. With `explain`, print which
    setting needs which action instead; with `check`, what policies that exist have too little or
    too much. Return whether they lack something.
    """
    wanted = _parse_tasks(tasks) or DEPLOYING
    settings = settings_in_force(c, target)
    functions = settings.named(names)
    account, region = place_of(settings, functions)
    validated = [each.function for each in validate_functions(functions).values()]
    described = [*validated, *validate_layers(settings, validated)]
    permissions = [*list_needed(described, account, region, wanted)]
    _warn_of_vague(permissions)
    if explain:
        rows = dict.fromkeys(map(_explain, permissions))
        print_table(("setting", "action", "resource"), sorted(rows), result=True)
        return False
    if check is not None:

        def connect() -> Account:
            return get_accounts(c, [settings])[0] if target else get_active_account(c)

        return print_differences(permissions, read_policies(check, connect))
    policies = make_policies(permissions)
    role = Role(settings=settings, partition=partition_of(region), account_id=account)
    trusted = None if trust is None else make_trust_policy(trust, role)
    if trusted and format == "cloudformation":
        roles = list_execution_roles(
            [fill_in_locally(each, account_id=account, region=region) for each in validated],
            account,
            region,
        )
        _say_what_is_left_out(validated, roles)
        _print_template(make_template(trusted, policies, role, roles), region, policies)
    else:
        _print_documents(trusted, policies, format)
    return False


def check_options(
    tasks: Sequence[str],
    *,
    trust: str | None,
    explain: bool,
    format: str,  # noqa: A002
    check: str | None,
) -> None:
    """Raise `SettingsError` for options of `policy` that are wrong by themselves."""
    _parse_tasks(tasks)
    if trust is not None:
        parse_who(trust)
    printing = [
        *(["--trust"] if trust is not None else []),
        *(["--format"] if format != "json" else []),
    ]
    instead = [
        *(["--explain"] if explain else []),
        *(["--check"] if check is not None else []),
    ]
    if instead and len(printing) + len(instead) > 1:
        given = [*printing[:1], *instead]
        raise SettingsError(
            f"`{given[0]}` and `{given[-1]}` cannot be combined.",
            why=f"{instead[-1]} prints no policies.",
            fix="Run them one after the other.",
        )
    if format == "cloudformation" and trust is None:
        raise SettingsError(
            "`--format cloudformation` needs `--trust`.",
            why="The template creates the role, and a role has to say who may assume it.",
            fix="Add --trust people, --trust github:OWNER/REPO:BRANCH, "
            "--trust gitlab:GROUP/PROJECT:BRANCH or --trust sso:PERMISSION_SET.",
        )


def _print_documents(
    trusted: Mapping[str, Any] | None,
    policies: Sequence[Policy],
    format: str,  # noqa: A002
) -> None:
    printed: Any = policies[0] if len(policies) == 1 else policies
    if trusted:
        if provider := provider_of(trusted):
            audience = audience_of(trusted, host_of(provider))
            say(
                "trust",
                f"the account needs the OIDC provider {provider}, with the audience {audience}",
            )
        printed = {"AssumeRolePolicyDocument": trusted, "PolicyDocuments": policies}
    if format == "yaml":
        documents = [*([trusted] if trusted else []), *policies]
        print_result(format_with_comments(printed, comment_statements(documents)), end="")
    else:
        print_result(json.dumps(printed, indent=2))
    if len(policies) > 1:
        say(
            "policy",
            f"a list of {len(policies)} policies, because IAM allows {MANAGED_POLICY_MAXIMUM:,} "
            "characters in one. Attach each of them to the role.",
        )


def _print_template(template: Template, region: str, policies: Sequence[Policy]) -> None:
    text = format_with_comments(template.body, template.comments)
    print_result(text, end="")
    too_long = len(text.encode()) > TEMPLATE_MAXIMUM_BYTES
    command = template.command("role.yaml", region, too_long=too_long)
    say("policy", f"with the template in role.yaml, create the role: {command}")
    if parameters := template.body.get("Parameters"):
        existing = " ".join(
            f"{name}={'false' if each['Default'] == 'true' else 'ARN'}"
            for name, each in parameters.items()
        )
        say("policy", f"of what exists already, add: --parameter-overrides {existing}")
    if len(policies) > POLICIES_MAXIMUM:
        warn(
            f"The role has {len(policies)} policies, and IAM allows {POLICIES_MAXIMUM} by default. "
            'Raise the quota "Managed policies attached to an IAM role", or deploy groups of '
            "functions with roles of their own (--function)."
        )


def _say_what_is_left_out(functions: Sequence[Function], roles: Iterable[ExecutionRole]) -> None:
    """Say which execution roles the template has not, and what it does not allow those it has."""
    made = {name for role in roles for name in (*role.functions, *role.schedules)}
    _warn_of_missing("execution role", "Role", (each.name for each in functions), made)
    keys = (key for each in functions for key, _ in configured_schedules(each))
    _warn_of_missing("role", "RoleArn", keys, made)
    for role in roles:
        if role.unknown:
            warn(f"The role {role.name} needs more, for {', '.join(role.unknown)}.")


def _warn_of_missing(kind: str, setting: str, names: Iterable[str], made: Container[str]) -> None:
    if missing := [each for each in names if each not in made]:
        warn(
            f"The template has no {kind} for {', '.join(missing)}: `{setting}` is of another "
            "account, or a reference that only AWS can resolve."
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
