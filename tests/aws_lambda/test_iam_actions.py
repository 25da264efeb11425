"""The tables of IAM actions: each call has its row beside it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

import tasks_aws.aws_lambda
from tasks_aws.aws_lambda.attachments import ATTACHMENTS
from tasks_aws.aws_lambda.iam_actions import Need

FOLDER = Path(tasks_aws.aws_lambda.__file__).parent
SERVICES = (
    "cloudformation",
    "cloudwatch",
    "ecr",
    "lambda",
    "logs",
    "s3",
    "scheduler",
    "secretsmanager",
    "ssm",
    "sts",
)
# Actions that are not named like the call that needs them, and calls that need none.
NAMED_OTHERWISE = {
    "lambda:Invoke": {"lambda:InvokeFunction"},
    "lambda:InvokeWithResponseStream": {"lambda:InvokeFunction"},
    "s3:HeadObject": {"s3:GetObject", "s3:ListBucket"},
    "sts:GetCallerIdentity": set[str](),
}


@cache
def operations() -> dict[str, list[str]]:
    """Return the operations of all services that are called, by what boto3 calls them."""
    session, found = botocore.session.get_session(), defaultdict[str, list[str]](list)
    for service in SERVICES:
        for name in session.get_service_model(service).operation_names:
            found[xform_name(name)].append(f"{service}:{name}")
    return found


def calls(path: Path) -> Iterator[list[str]]:
    """Yield what a module names as a method of a client, a paginator or a planned call.

    These are the operations with that name, of which there may be some in several services.
    """
    for node in ast.walk(ast.parse(path.read_text())):
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "value", None)
        if isinstance(node, ast.Attribute | ast.Constant) and name in operations():
            yield operations()[name]


CALLING = sorted(
    str(path.relative_to(FOLDER).with_suffix("")).replace("/", ".")
    for path in FOLDER.rglob("*.py")
    if any(calls(path)) and path.stem != "iam_actions"  # which names the task `invoke`
)


def test_modules_that_call_aws_are_found() -> None:
    assert {"apply", "lookups", "upload", "versions", "attachments.tags"} <= {*CALLING}


@pytest.mark.parametrize("module", CALLING)
def test_each_call_of_a_module_is_in_its_table(module: str) -> None:
    known = declared(import_module(f"{tasks_aws.aws_lambda.__name__}.{module}"))

    for candidates in calls(FOLDER / f"{module.replace('.', '/')}.py"):
        needed = [NAMED_OTHERWISE.get(each, {each}) for each in candidates]
        assert any(each <= known for each in needed), candidates


def declared(module: object) -> set[str]:
    own: tuple[Need, ...] = getattr(module, "ACTIONS", ())
    attached = (need for each in getattr(module, "ATTACHMENTS", ()) for need in each.actions)
    references = getattr(module, "REFERENCE_ACTIONS", {}).values()
    return {
        *(action for need in (*own, *attached) for action in need.actions),
        *(action for action, _ in references),
    }


def test_each_attachment_says_what_it_needs_to_be_read_and_changed() -> None:
    for attachment in ATTACHMENTS:
        tasks = {task for need in attachment.actions for task in need.tasks}
        assert "deploy" in tasks, attachment.name
