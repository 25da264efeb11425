"""What `policy --check` compares with: a role's policies as they are, or those in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..aws_lambda.clients import Account
from ..aws_lambda.error_messages import translating
from ..aws_lambda.iam_comparison import Difference, Finding, Statement, compare, parse_statements
from ..aws_lambda.iam_policy import Permission
from ..errors import SettingsError
from ..ui.output import count, print_table, say, warn
from .trust import account_of


class Policies(NamedTuple):
    """The statements of policies, and those of a permissions boundary if there is one."""

    statements: list[Statement]
    boundary: list[Statement] | None = None


def read_policies(name: str, connect: Callable[[], Account]) -> Policies:
    """Return the policies of the role with an ARN, or those in a JSON file."""
    if not name.startswith("arn:"):
        return Policies(parse(read_documents(name, "--check"), name, "--check"))
    match = re.fullmatch(r"arn:[\w-]+:iam::\d{12}:role/(?:.*/)?([^/]+)", name)
    if not match:
        raise SettingsError(
            f"`--check` cannot compare with {name}.",
            why="It is not the ARN of a role.",
            fix="Use the form arn:aws:iam::<12-digit account>:role/<name>, or name a file.",
        )
    account = connect()
    if account.account_id not in ("", account_of(name)):
        raise SettingsError(
            f"`--check` cannot read {name}.",
            why=f"These credentials belong to account {account.account_id}.",
            fix="Use credentials of the account of the role, or name a file.",
        )
    with translating(name, "read", who="IAM"):
        return _read_role(match[1], account.client("iam"))


def _read_role(name: str, iam: Any) -> Policies:
    boundary = iam.get_role(RoleName=name)["Role"].get("PermissionsBoundary")
    inline = iam.get_paginator("list_role_policies").paginate(RoleName=name)
    attached = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
    documents = [
        *(
            iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"]
            for page in inline
            for each in page["PolicyNames"]
        ),
        *(
            _read_managed(each["PolicyArn"], iam)
            for page in attached
            for each in page["AttachedPolicies"]
        ),
    ]
    if boundary is None:
        return Policies(parse(documents, name, "--check"))
    limit = _read_managed(boundary["PermissionsBoundaryArn"], iam)
    return Policies(parse(documents, name, "--check"), parse([limit], name, "--check"))


def _read_managed(arn: str, iam: Any) -> Any:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def read_documents(name: str, option: str) -> list[Any]:
    """Return the policies in the file of an option: one, a list, or what `policy` has printed."""
    try:
        found = json.loads(Path(name).read_bytes())  # PowerShell writes UTF-16
    except OSError as error:
        raise SettingsError(
            f"Cannot read the file {name} of `{option}`.", why=error.strerror or str(error)
        ) from error
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"The file {name} of `{option}` is not JSON.",
            why=str(error),
            fix="Name a file with a policy, with a list of policies, or with what "
            "`policy --trust` has printed.",
        ) from error
    if isinstance(found, Mapping):
        found = found.get("PolicyDocuments", [found])
    return found if isinstance(found, list) else [found]


def parse(documents: Iterable[Any], name: str, option: str) -> list[Statement]:
    """Return the statements of policies, which a role or a file has."""
    try:
        return [each for document in documents for each in parse_statements(document)]
    except ValueError as error:
        raise SettingsError(
            f"`{option}` cannot read a policy of {name}.",
            why=str(error),
            fix="Correct it, or name "
            + ("a role or another file." if option == "--check" else "another file."),
        ) from error


def print_differences(permissions: Iterable[Permission], policies: Policies) -> bool:
    """Print what differs on stdout; return whether something is missing."""
    found = compare(permissions, policies.statements, policies.boundary)
    if found:
        header = ("result", "action", "resource")
        rows = ((each.finding.value, each.action, each.resource) for each in _sort(found))
        print_table(header, rows, result=True)
    numbers = {each: sum(one.finding is each for one in found) for each in Finding}
    if undecided := numbers[Finding.UNDECIDED]:
        warn(
            f"Of {count(undecided, 'permission')}, the policies alone do not tell: a condition, a "
            "variable, or a Deny decides, or only a part of the resources is named."
        )
    parts = [f"{number} {each.value}" for each, number in numbers.items() if number]
    say("policy", f"compared: {', '.join(parts) or 'no difference'}")
    return bool(numbers[Finding.MISSING])


def _sort(found: Iterable[Difference]) -> Iterator[Difference]:
    order = [*Finding]
    yield from sorted(found, key=lambda each: (order.index(each.finding), *each[1:]))
