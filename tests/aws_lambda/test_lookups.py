"""References that AWS answers, on the embedded AWS: found once, used, and shown to nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.aws_lambda.lookups import resolve_references
from tasks_aws.config.functions import Function
from tasks_aws.config.load import load
from tasks_aws.errors import FunctionError
from tests.conftest import EmbeddedAws
from tests.local_aws import REGION, policy
from tests.support import Project
from tests.taint import TAINT

ROLE = "arn:aws:iam::000000000000:role"
PASSWORD, TOKEN = "correct-horse-battery", "staple-of-nobody"
CODE = """
import os

def handler(event, context):
    return os.environ["GREETING"]
"""
STACK = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {"Greeting": {"Value": "hello from a stack"}},
}


@pytest.fixture(autouse=True)
def _values(project: Project, aws: EmbeddedAws) -> None:
    """Parameters, a secret and a stack, a role that may read them, and a function."""
    TAINT.collect(PASSWORD, TOKEN)
    ssm, secrets = aws.client("ssm"), aws.client("secretsmanager")
    stacks, iam = aws.client("cloudformation"), aws.client("iam")
    ssm.put_parameter(Name="/hello/memory", Value="256", Type="String")
    ssm.put_parameter(Name="/hello/token", Value=TOKEN, Type="SecureString")
    secrets.create_secret(Name="db", SecretString=json.dumps({"password": PASSWORD}))
    stacks.create_stack(StackName="shared", TemplateBody=json.dumps(STACK))
    stacks.get_waiter("stack_create_complete").wait(StackName="shared", WaiterConfig={"Delay": 1})
    reading = ["ssm:GetParameter", "secretsmanager:GetSecretValue", "cloudformation:DescribeStacks"]
    reading.append("lambda:GetFunction")  # also of functions that are not `hello`
    iam.put_role_policy(
        RoleName="deployer",
        PolicyName="read-values",
        PolicyDocument=policy({"Action": reading, "Resource": "*"}),
    )
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text(CODE)


def describe(project: Project, **changes: Any) -> None:
    """Write invoke.yaml with the function `hello`."""
    hello = {
        "source": "src",
        "Handler": "app.handler",
        "Runtime": "python3.13",
        "Role": "arn:aws:iam::${account_id}:role/hello",
        "MemorySize": "${ssm:/hello/memory}",
        "Environment": {
            "Variables": {
                "GREETING": "${cfn:shared.Greeting}",
                "DATABASE": "postgres://u:${secret:db#password}@${region}/${target:-dev}",
                "TOKEN": "${ssm:/hello/token}",
                "LITERAL": "$${ssm:/hello/token}",
            }
        },
    }
    project.settings(
        profile="developer",
        role_arn=f"{ROLE}/deployer",
        functions={"hello": {**hello, **changes}},
        targets={"prod": {}, "test": {}},
    )


class CountingPlace:
    """A place with one parameter, which counts how often it is read."""

    account_id, region = "123456789012", REGION

    def __init__(self) -> None:
        self.reads = 0

    def client(self, service: str) -> CountingPlace:
        return self

    def get_parameter(self, **parameters: Any) -> Any:
        self.reads += 1
        return {"Parameter": {"Value": TOKEN, "Type": "SecureString"}}


def function(text: str, name: str = "hello") -> Function:
    hello = {"source": "src", "Handler": "a.b", "Runtime": "python3.13", "Description": text}
    return load({"functions": {name: hello}}, project=Path(), environ={}).functions[name]


def deployed(aws: EmbeddedAws) -> dict[str, Any]:
    found: dict[str, Any] = dict(
        aws.functions().get_function(FunctionName="hello")["Configuration"]
    )
    return found


def test_a_function_has_the_values_and_no_output_has_the_secrets(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project)

    planned = project.run("--debug", "plan", "--show-values")
    answer = project.run("deploy", "invoke")

    assert "+ Environment.Variables.TOKEN  ***" in planned.err
    assert "+ Environment.Variables.DATABASE  ***" in planned.err
    assert "+ Environment.Variables.GREETING  hello from a stack" in planned.err
    assert "+ MemorySize  256" in planned.err
    assert json.loads(answer.out) == "hello from a stack"
    found = deployed(aws)
    assert (found["Role"], found["MemorySize"]) == (f"{ROLE}/hello", 256)
    variables = found["Environment"]["Variables"]
    assert variables["DATABASE"] == f"postgres://u:{PASSWORD}@{REGION}/dev"
    assert variables["TOKEN"] == TOKEN
    assert variables["LITERAL"] == "${ssm:/hello/token}"
    assert "hello  unchanged" in project.run("deploy").err


def test_a_secret_that_changes_is_deployed_and_neither_value_is_shown(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project)
    project.run("deploy")
    other = "another-" + TOKEN
    aws.client("ssm").put_parameter(
        Name="/hello/token", Value=other, Type="SecureString", Overwrite=True
    )

    result = project.run("plan", "--show-values")

    assert "~ Environment.Variables.TOKEN  *** -> ***" in result.err
    project.run("deploy")
    assert deployed(aws)["Environment"]["Variables"]["TOKEN"] == other


def test_the_name_of_a_function_may_depend_on_the_account(
    project: Project, aws: EmbeddedAws
) -> None:
    allowed: dict[str, object] = {"Action": "lambda:*", "Resource": "*"}
    aws.client("iam").put_role_policy(
        RoleName="deployer", PolicyName="any-name", PolicyDocument=policy(allowed)
    )
    describe(project, FunctionName="hello-${account_id}-${target}")

    result = project.run("assume", "--target", "test", "deploy", "invoke")

    assert json.loads(result.out) == "hello from a stack"
    names = [each["FunctionName"] for each in aws.functions().list_functions()["Functions"]]
    assert names == ["hello-000000000000-test"]


def test_targets_that_differ_by_their_references_share_an_archive(project: Project) -> None:
    names = {"FunctionName": "hello-${target}", "Description": "for ${target}"}
    describe(project, **names, bucket="of-${account_id}-${target}")

    result = project.run("plan", "--target", "prod", "--target", "test")

    assert "+ Description  for prod" in result.err
    assert "+ Description  for test" in result.err
    assert result.err.count("zip  ") == 1


WRONG: list[tuple[str, list[str]]] = [
    (
        "${ssm:/gone}",
        [
            "for `aws.functions.hello.Description`",
            "does not exist in this account and region",
            "create it",
        ],
    ),
    (
        "${secret:gone}",
        ["AWS could not look up ${secret:gone}", "does not exist in this account and region"],
    ),
    ("${secret:db#pasword}", ["It does not contain `pasword`. Did you mean `password`?"]),
    (
        "${cfn:gone.X}",
        ["AWS could not look up ${cfn:gone.X}", "does not exist in this account and region"],
    ),
    ("${cfn:shared.Greting}", ["It does not contain `Greting`. Did you mean `Greeting`?"]),
    (
        "${ssm:/hello/token}" * 20,
        ["`aws.functions.hello.Description` must have at most 256 characters, got 320"],
    ),
]


@pytest.mark.parametrize(("written", "says"), WRONG)
def test_an_answer_that_is_missing_or_unfit_is_told_before_anything_is_changed(
    project: Project, aws: EmbeddedAws, written: str, says: list[str]
) -> None:
    describe(project, Description=written)

    result = project.run("deploy", code=1)

    for part in says:
        assert part in result.err
    assert "Traceback" not in result.err
    assert "account   " not in result.err
    assert aws.functions().list_functions()["Functions"] == []


def test_a_secret_is_never_shown_by_the_check_that_refuses_it(project: Project) -> None:
    describe(project, Runtime="python3.13", Role="${ssm:/hello/token}", Timeout="${secret:db}")

    result = project.run("plan", code=1)

    assert "`aws.functions.hello.Role` must be an ARN" in result.err
    assert "got '***'." in result.err
    assert "`aws.functions.hello.Timeout` must be an integer, got '***'." in result.err


def test_a_role_that_may_not_read_is_told_which_permission_is_missing(
    project: Project, aws: EmbeddedAws
) -> None:
    aws.client("iam").put_role_policy(
        RoleName="deployer",
        PolicyName="read-values",
        PolicyDocument=policy({"Action": "cloudformation:DescribeStacks", "Resource": "*"}),
    )
    describe(project)

    result = project.run("plan", code=1)

    assert "AWS could not look up ${" in result.err
    assert "Allow the role that deploys to use " in result.err


def test_many_functions_share_one_lookup() -> None:
    account: Any = CountingPlace()
    functions = [function("${ssm:/x} " * 3, name) for name in ("one", "two")]
    plain = function("nothing to ask for", "three")

    one, two, three = resolve_references([*functions, plain], account)

    assert one.parameters["Description"] == two.parameters["Description"] == f"{TOKEN} " * 3
    assert three is plain
    assert account.reads == 1


def test_an_error_that_repeats_a_secret_is_masked() -> None:
    account: Any = CountingPlace()
    resolve_references([function("x ${ssm:/x}")], account)

    failed = FunctionError("No.", why=f"Value 'x {TOKEN}' at 'description' failed.")

    assert str(failed) == "No.\n  why: Value 'x ***' at 'description' failed."


def test_a_secret_that_is_a_whole_value_is_masked_too(project: Project, aws: EmbeddedAws) -> None:
    whole = f"whole-{TOKEN}-of-nothing-else"
    aws.client("secretsmanager").create_secret(Name="plain", SecretString=whole)
    text = "def handler(event, context):\n    raise ValueError(__import__('os').environ['TOKEN'])\n"
    (project.folder / "src" / "app.py").write_text(text)
    variables = {"TOKEN": "${secret:plain}", "URL": "postgres://u:${secret:plain}@host"}
    describe(project, alias="live", smoke={}, Environment={"Variables": variables})

    failed = project.run("deploy", code=1).err

    assert "failed its smoke test" in failed
    assert whole not in failed
    assert "***" in failed


LEAKING = """
import base64, json, os, urllib.parse

def handler(event, context):
    password = os.environ["DATABASE"].split(":")[2].split("@")[0]
    print("connecting with", base64.b64encode(f"u:{password}".encode()).decode())
    if event.get("raise"):
        raise ValueError(f"{urllib.parse.quote(password)} is refused: {json.dumps(password)}")
    return {"sent": event, "padding": "x" * 960, "password": password}
"""


@pytest.mark.parametrize("fails", [True, False], ids=["an exception", "another answer"])
def test_a_smoke_test_whose_answer_has_a_part_of_a_setting_shows_no_secret(
    project: Project, fails: bool
) -> None:
    (project.folder / "src" / "app.py").write_text(LEAKING)
    payload = {"headers": {"authorization": "Bearer ${ssm:/hello/token}"}, "raise": fails}
    describe(project, alias="live", smoke={"payload": payload, "expect": {"ok": True}})

    result = project.run("--debug", "--echo", "deploy", code=1)

    assert "failed its smoke test" in result.err
    assert "***" in result.err


def test_a_task_that_logs_the_error_of_a_deploy_shows_no_secret(project: Project) -> None:
    (project.folder / "src" / "app.py").write_text(LEAKING)
    describe(project, alias="live", smoke={"payload": {"raise": True}})
    project.tasks(
        "import logging, traceback\nfrom invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef release(c):\n"
        "    try:\n        deploy(c)\n"
        "    except FunctionError as error:\n"
        "        logging.exception('failed')\n"
        "        raise RuntimeError('no release') from error\n"
    )

    result = project.run("release", code=1)

    assert "RuntimeError: no release" in result.err
    assert "***" in result.err


def test_a_mistake_beside_a_reference_costs_no_call(project: Project) -> None:
    describe(project, Timeot=3)
    project.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"

    assert "Did you mean `Timeout`?" in project.run("deploy", code=1).err


def test_a_package_needs_no_answer_of_aws(project: Project) -> None:
    describe(project)
    project.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"

    project.run("package")
