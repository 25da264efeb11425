"""`policy`: how it is called, and what it says. `tests/policy_proof` shows that it is true."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.aws_lambda.describe import HELLO, describe, write_source
from tests.conftest import EmbeddedAws
from tests.local_aws import ACCOUNT
from tests.policy_proof.scenarios import EVERYTHING
from tests.proxy import Proxy
from tests.support import Project

ROLE = f"arn:aws:iam::{ACCOUNT}:role"


def test_an_action_that_no_setting_needs_is_not_said_to_be_explained(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    write_source(project)
    describe(project, role="everything")
    message = "User: x is not authorized to perform: kms:Decrypt on the resource"
    proxy.refuse("/functions/hello$", 403, "AccessDeniedException", message, times=9)

    err = project.run("deploy", code=1).err

    assert "  fix: Allow the role that deploys to use kms:Decrypt.\n" in err


@pytest.mark.parametrize(
    ("tasks", "called", "says"),
    [
        ("ns = Collection(tasks_aws)", "aws.", "`invoke aws.policy --target prod --explain`"),
        ("from tasks_aws import deploy", "", "once tasks.py imports `policy`"),
    ],
)
def test_the_command_is_the_one_of_the_tasks_file(
    project: Project, aws: EmbeddedAws, proxy: Proxy, tasks: str, called: str, says: str
) -> None:
    imports = "import tasks_aws\nfrom invoke import Collection\n"
    project.tasks(imports + tasks)
    write_source(project)
    describe(project, aws={"targets": {"prod": {"role_arn": f"{ROLE}/everything"}}})
    denied = ("/functions/hello$", 403, "AccessDeniedException", "no")
    proxy.refuse(*denied, times=9)

    err = project.run(f"{called}deploy", "--target", "prod", code=1).err

    assert "to use lambda:GetFunction" in err
    assert says in err


def test_each_action_is_explained_by_the_setting_that_needs_it(project: Project) -> None:
    describe(project, **{**EVERYTHING, "layers": []}, aws={"region": "us-east-1"})

    lines = [line.split()[:2] for line in project.run("policy", "--explain").out.splitlines()]

    key = "aws.functions.hello"
    assert lines[0] == ["setting", "action"]
    for setting, action in (
        ("Role", "iam:PassRole"),
        ("smoke", "lambda:InvokeFunction"),
        ("MaximumRetryAttempts", "lambda:PutFunctionEventInvokeConfig"),
        ("events", "lambda:CreateEventSourceMapping"),
        ("Environment.Variables.SECRET", "secretsmanager:GetSecretValue"),
    ):
        assert [f"{key}.{setting}", action] in lines
    assert [key, "lambda:CreateFunction"] in lines


ALLOW: dict[str, Any] = {
    "StatementId": "s3",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
}


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"url": {"AuthType": "NONE"}}, {"url"}),
        ({"url": "none"}, {"url"}),
        ({"permissions": [ALLOW]}, {"permissions"}),
        ({"url": {"AuthType": "NONE"}, "permissions": [ALLOW]}, {"url", "permissions"}),
    ],
)
def test_only_settings_that_are_there_explain_an_action(
    project: Project, keys: dict[str, Any], named: set[str]
) -> None:
    describe(project, **keys, aws={"region": "us-east-1"})

    lines = [line.split() for line in project.run("policy", "--explain").out.splitlines()]

    found: dict[str, set[str]] = {}
    for setting, action, *_ in lines:
        found.setdefault(action, set()).add(setting.removeprefix("aws.functions.hello."))
    assert found["lambda:GetPolicy"] == named
    assert found["lambda:RemovePermission"] == named
    assert found["lambda:ListAliases"] >= named
    assert set().union(*found.values()) & {"url", "permissions"} == named


def test_an_account_that_nothing_names_is_asked_for(project: Project) -> None:
    project.settings(region="eu-west-1", functions={"hello": {**HELLO, "Role": "${ssm:/role}"}})

    result = project.run("policy", code=1)

    assert "Cannot tell which account the policy is for." in result.err
    assert "fix: Set `aws.account_id`" in result.err
    assert result.out == ""


def test_stdout_has_the_policy_alone_and_nothing_of_an_account_is_needed(project: Project) -> None:
    role = "arn:aws-cn:iam::123456789012:role/Deployer"
    project.settings(
        profile="not-on-this-machine",
        role_arn=role,
        region="cn-north-1",
        functions={"hello": {**HELLO, "Role": "${ssm:/role}"}},
        targets={
            "other": {
                "account_id": "210987654321",
                "role_arn": role.replace("123456789012", "210987654321"),
            }
        },
    )

    result = project.run("policy")
    other = project.run("policy", "--target", "other", "--task", "status").out

    document = json.loads(result.out)
    assert [*document] == ["Version", "Statement"]
    resources = {each["Sid"]: each["Resource"] for each in document["Statement"]}
    arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:hello"
    assert resources["Functions"] == [arn, f"{arn}:*"]
    assert resources["PassRole"] == ["arn:aws-cn:iam::123456789012:role/*"]
    assert result.err.splitlines() == [
        "warning   The policy has * for a reference that only AWS can resolve, among what "
        "`aws.functions.hello.Role` needs. Write a narrower pattern there."
    ]
    assert "210987654321:function:hello" in other
    assert "CreateFunction" not in other


def test_a_function_may_be_named_by_its_arn(project: Project) -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:hello"
    functions = {"hello": {**HELLO, "FunctionName": arn}}
    project.settings(region="us-east-1", account_id="000000000000", functions=functions)

    printed = json.loads(project.run("policy", "--task", "status", "--task", "logs").out)

    resources = [each["Resource"] for each in printed["Statement"]]
    assert [arn, f"{arn}:*"] in resources
    assert "/aws/lambda/hello" in str(resources)
    assert str(resources).count("arn:aws:lambda") == 2


def test_a_task_without_permissions_is_an_error(project: Project) -> None:
    describe(project)

    err = project.run("policy", "--task", "statsu", code=1).err

    assert "'statsu'" in err
    assert "Did you mean `status`?" in err


def test_what_is_too_long_for_one_policy_is_a_list(project: Project) -> None:
    functions = {f"function-{number}": HELLO for number in range(60)}
    describe(project, aws={"functions": functions, "region": "us-east-1"})

    result = project.run("policy")

    assert len(json.loads(result.out)) == 5
    assert "policy    a list of 5 policies" in result.err
