"""`policy`: what it prints is what the tasks need, no less and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.aws_lambda.iam_actions import TaskName
from tasks_aws.aws_lambda.iam_policy import all_needs
from tasks_aws.aws_lambda.lookups import REFERENCE_ACTIONS
from tasks_aws.commands.permissions import list_needed
from tasks_aws.config.load import load
from tests.local_aws import ACCOUNT, REGION
from tests.policy_proof.conftest import Deployer
from tests.policy_proof.scenarios import ALIAS, SCENARIOS, UNPROVEN, Step

# The others take minutes.
AT_ONCE = ("a function", "url", "rollback")


each_scenario = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in AT_ONCE else pytest.mark.long) for name in SCENARIOS],
)


@each_scenario
def test_what_is_printed_is_enough(deployer: Deployer, name: str) -> None:
    for step in SCENARIOS[name]:
        deployer.allow(deployer.prepare(step))

        ended = deployer.run(*step.words.split())

        assert ended.code == 0, ended.err
        assert deployer.proxy.refused == []
        assert "denied" not in ended.err


@each_scenario
def test_each_action_is_missed(deployer: Deployer, name: str) -> None:
    printed, missed = set[tuple[str, str]](), set[tuple[str, str]]()
    for step in SCENARIOS[name]:
        policies = deployer.prepare(step)
        deployer.allow(policies)
        if step.proves:
            shown = shown_elsewhere(name, step)
            before = {action for task, action in missed if task == step.task}
            found = find_missed(deployer, step, policies, shown | before)
            printed |= {(step.task, each) for each in actions_in(policies) - shown}
            missed |= {(step.task, each) for each in found - shown}
        else:
            assert deployer.run(*step.words.split()).code == 0

    assert {each for each in printed - missed if each[1] not in UNPROVEN} == set()
    assert {action for _, action in missed} & UNPROVEN.keys() == set()


def shown_elsewhere(name: str, step: Step) -> set[str]:
    """Return what a task needs for any function, or one with an alias: scenarios of their own."""
    if step.task == "deploy --prune":  # which deploys, too
        bare = set() if name == step.task else actions_for(Step(step.words), step.task)
        return bare | actions_for(Step("deploy", step.function), "deploy")
    if name in ("a function", step.task):
        return set()
    alias = name != "alias" and step.function.get("alias", "none") != "none"
    return actions_for(Step(step.words, ALIAS if alias else {}), step.task)


def find_missed(
    deployer: Deployer, step: Step, policies: list[dict[str, Any]], known: set[str]
) -> set[str]:
    """Return the actions without which a step fails or warns, and those that are known.

    It begins with the latter. Whatever is refused has to be named; then it is allowed, and the
    step goes on.
    """
    allowed, printed = {*known}, actions_in(policies)
    while True:
        deployer.proxy.policies = [limit(policies, allowed)]
        ended = deployer.run(*step.words.split())
        refused = {check.action for check in deployer.proxy.refused}
        withheld = {check.action for check in deployer.proxy.withheld} & printed
        named = {each for each in refused | withheld if re.search(rf"\b{each}\b", ended.err)}
        if not named:
            # What is read ahead of a function that does not exist is not missed.
            silent = {each for each in refused if not re.match(r"\w+:(Get|List|Describe)", each)}
            assert (ended.code, silent) == (0, set()), ended.err
            return allowed
        assert named - allowed, ended.err
        assert ended.code == 0 or "`invoke policy" in ended.err
        allowed |= named


def limit(policies: Iterable[dict[str, Any]], actions: set[str]) -> dict[str, Any]:
    """Return a policy with the statements of all, but for other actions."""
    statements = [
        {**each, "Action": [name for name in each["Action"] if name in actions]}
        for policy in policies
        for each in policy["Statement"]
    ]
    return {"Statement": statements}


def actions_in(policies: Iterable[dict[str, Any]]) -> set[str]:
    return {
        action
        for policy in policies
        for statement in policy["Statement"]
        for action in statement["Action"]
    }


def actions_for(step: Step, task: TaskName | str) -> set[str]:
    settings = load(step.aws, project=Path(), environ={})
    functions = [*settings.functions.values()]
    described = [*functions, *settings.layers_of(functions)]
    return {each.action for each in list_needed(described, ACCOUNT, REGION, [task])}  # type: ignore[list-item]


def test_each_action_of_each_task_is_in_a_scenario() -> None:
    covered = {
        (task, action)
        for steps in SCENARIOS.values()
        for step in steps
        if step.proves
        for task in {step.task, step.task.partition(" ")[0]}
        for action in actions_for(step, task)
    }

    needed = {(task, each) for need in all_needs() for task in need.tasks for each in need.actions}
    references = {
        (task, action) for task in ("plan", "deploy") for action, _ in REFERENCE_ACTIONS.values()
    }
    missing = {
        (task, action)
        for task, action in (needed | references) - covered
        if action not in UNPROVEN and (task.partition(" ")[0], action) not in covered
    }
    assert missing == set()
