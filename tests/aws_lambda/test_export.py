"""`init` prints settings with which a plan finds nothing to do."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from tasks_aws.config.references import escape_references
from tests.aws_lambda.conftest import ROLE, SETTINGS, Hello
from tests.support import Project

EVERYTHING: dict[str, Any] = {
    **SETTINGS,
    "alias": "live",
    "Description": "Says hello",
    "MemorySize": 512,
    "Environment": {"Variables": {"STAGE": "test", "EMPTY": "", "NUMBER": "0123"}},
    "EphemeralStorage": {"Size": 1024},
    "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/elsewhere"},
    "Tags": {"Team": "web"},
    "ReservedConcurrentExecutions": 5,
    "MaximumRetryAttempts": 0,
    "log_retention_days": 7,
    "url": {"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"]}},
    "permissions": [
        {
            "StatementId": "bucket",
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": "arn:aws:s3:::uploads",
            "SourceAccount": "000000000000",
        }
    ],
    "events": [
        {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:jobs", "BatchSize": 5},
    ],
}


def test_a_plan_with_the_printed_settings_finds_nothing(hello: Hello) -> None:
    hello.aws.client("sqs").create_queue(QueueName="jobs")
    hello.describe(admin=True, **EVERYTHING)
    hello.project.run("deploy")

    result = hello.project.run("init", "--show-values")

    assert hello.paste(result.out) == {"hello": EVERYTHING}
    assert "unchanged" in hello.project.run("plan", "--exit-code").err
    assert "The environment variables of hello are printed" in result.err


# What somebody may have planted in a function, and what only looks like a reference of ours.
PLANTED = "${env:GITHUB_TOKEN} ${ssm:/admin} $${target} $$${ Hello ${name} ${hidden} ${"


def test_what_comes_from_aws_is_no_reference(hello: Hello) -> None:
    hello.aws.client("sqs").create_queue(QueueName="jobs")
    body = json.dumps({"body": {"text": [PLANTED]}})
    planted = {
        **EVERYTHING,
        "Description": PLANTED,
        "Environment": {"Variables": {"STAGE": PLANTED, "OTHER": "${hidden}"}},
        "Tags": {"Team": "${env:GITHUB_TOKEN}"},
        "events": [{**EVERYTHING["events"][0], "FilterCriteria": {"Filters": [{"Pattern": body}]}}],
    }
    hello.describe(admin=True, **escape_references(planted))
    hello.project.run("deploy")
    hello.project.environ["GITHUB_TOKEN"] = "of-whoever-pastes"

    result = hello.project.run("init", "--show-values")

    assert hello.paste(result.out)["hello"] == escape_references(planted)
    assert "unchanged" in hello.project.run("plan", "--exit-code").err
    found = hello.aws.functions().get_function_configuration(FunctionName="hello")
    assert found["Description"] == found["Environment"]["Variables"]["STAGE"] == PLANTED


@pytest.mark.parametrize("terminal", [True, False], ids=["on a terminal", "in a pipe"])
def test_values_of_variables_are_printed_only_on_request(hello: Hello, terminal: bool) -> None:
    variables = {"TOKEN": "planted-or-secret", "STAGE": "test"}
    hello.describe(Environment={"Variables": variables})
    hello.project.run("deploy")

    if terminal:
        shown = hello.project.finish(hello.project.terminal("init"))
    else:
        result = hello.project.run("init")
        shown = result.out + result.err
        pasted = hello.paste(result.out)
        assert pasted["hello"]["Environment"]["Variables"] == dict.fromkeys(variables, "${hidden}")

    assert "planted-or-secret" not in shown
    assert "${hidden}" in shown
    assert "hello  values of environment variables are left out" in shown
    assert "planted-or-secret" in hello.project.run("init", "--show-values").out


@pytest.mark.parametrize("task", ["plan", "deploy", "package"])
def test_a_value_that_was_left_out_is_not_deployed(hello: Hello, task: str) -> None:
    hello.describe(Environment={"Variables": {"TOKEN": "${hidden}"}})

    result = hello.project.run(task, environ={"hidden": "x"}, code=1)

    assert "`aws.functions.hello.Environment.Variables.TOKEN` has no value yet." in result.err
    assert "a value that `init` did not print" in result.err
    assert not hello.exists()


def test_what_a_terminal_would_not_show_is_written_in_escapes(hello: Hello) -> None:
    right_to_left = "abc\u202efed"
    hello.describe(Description=right_to_left)
    hello.project.run("deploy")

    result = hello.project.run("init")

    assert right_to_left not in result.out
    assert hello.paste(result.out)["hello"]["Description"] == right_to_left


def test_defaults_are_left_out_and_the_function_need_not_be_configured(hello: Hello) -> None:
    hello.create(versions=1)
    hello.project.settings(profile="developer", role_arn=f"{ROLE}/deployer")

    result = hello.project.run("init", "--function", "hello")

    expected = {**SETTINGS, "source": "hello", "Description": "0", "alias": "live"}
    assert yaml.safe_load(result.out) == {"aws": {"functions": {"hello": expected}}}
    assert "set `source` to the folder of its code" in result.err
    assert "environment" not in result.err


def test_of_several_aliases_none_is_guessed(hello: Hello) -> None:
    hello.describe()
    hello.create(versions=1)
    hello.aws.functions().create_alias(FunctionName="hello", Name="beta", FunctionVersion="1")

    result = hello.project.run("init")

    assert "alias" not in yaml.safe_load(result.out)["aws"]["functions"]["hello"]
    assert "has the aliases live, beta" in result.err


def test_what_may_not_be_read_is_left_out_with_a_warning(hello: Hello) -> None:
    hello.create()
    hello.aws.client("iam").put_role_policy(
        RoleName="deployer",
        PolicyName="not-all",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", '
        '"Action": "lambda:GetPolicy", "Resource": "*"}]}',
    )

    result = hello.project.run("init")

    assert "permissions skipped: permission denied. " in result.err
    assert "lambda:GetPolicy" in result.err


def test_one_that_is_missing_hides_no_other(hello: Hello) -> None:
    hello.describe("forbidden")
    hello.create()

    result = hello.project.run("init", code=1)

    assert list(yaml.safe_load(result.out)["aws"]["functions"]) == ["hello"]
    assert "forbidden: Lambda could not describe forbidden." in result.err


@pytest.mark.parametrize("name", ["../hello", "arn:aws:lambda:us-east-1:0:function:hello", ".", ""])
def test_a_name_that_leads_elsewhere_is_told_before_any_call(project: Project, name: str) -> None:
    result = project.run("init", "--download", f"--function={name}", code=1)

    assert "is not a valid name." in result.err


def test_without_any_name_it_asks_for_one(project: Project) -> None:
    assert "Name one with --function." in project.run("init", "--download", code=1).err
