"""The command that explains an action has the options that make it print that action."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks_aws.commands.permissions import explain_action
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
