"""The command that explains an action has the options that make it print that action."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.commands.permissions import explain_action, explain_place
from tasks_aws.config.load import load
from tests.aws_lambda.describe import HELLO

BROKEN = {"Layers": [3], "Role": ["no", "ARN"]}


@pytest.mark.parametrize(
    ("action", "changes", "options"),
    [
        ("lambda:CreateFunction", {}, "--explain"),
        ("lambda:DeleteEventSourceMapping", {}, "--task 'deploy --prune' --explain"),
        ("lambda:DeleteEventSourceMapping", {"events": []}, "--explain"),
        ("kms:Decrypt", {}, None),
    ],
)
def test_an_action_is_explained_with_the_task_that_needs_it(
    action: str, changes: dict[str, Any], options: str | None
) -> None:
    functions = {"broken": {**HELLO, **BROKEN}, "hello": {**HELLO, **changes}}
    settings = load({"functions": functions}, project=Path(), environ={})

    found = explain_action(action, settings, "1" * 12, "eu-west-1", command="inv aws.policy")

    expected = f" `inv aws.policy {options}` says which setting needs it."
    assert found == (expected if options else "")


@pytest.mark.parametrize(
    ("aws", "is_named"),
    [
        ({"account_id": "1" * 12}, False),
        ({"account_id": "2" * 12}, True),
        ({"role_arn": f"arn:aws:iam::{'1' * 12}:role/deployer"}, False),
        ({"role_arn": f"arn:aws:iam::{'2' * 12}:role/deployer"}, True),
        ({"account_id": "1" * 12, "region": "eu-central-1"}, True),
        ({"region": "eu-central-1"}, False),  # `policy` does not know the account, and says so
        ({"regoin": "eu-central-1"}, False),
    ],
)
def test_a_place_that_is_not_the_one_of_the_policy_is_named(
    aws: dict[str, Any], is_named: bool
) -> None:
    read = partial(load, {"region": "eu-west-1", **aws}, project=Path(), environ={})

    found = explain_place(read, "1" * 12, "eu-west-1")

    assert found.endswith(f"the role needs the same for {'1' * 12}, eu-west-1.") is is_named
    assert bool(found) is is_named
