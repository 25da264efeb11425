"""`policy --format`: YAML that says what it allows, and a template that CloudFormation takes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
import yaml
from cfnlint.api import lint

from tests.aws_lambda.describe import HELLO
from tests.conftest import EmbeddedAws
from tests.local_aws import ACCOUNT
from tests.policy_proof.scenarios import EVERYTHING, LAYERS, SCHEDULE
from tests.support import Project

ROLE = f"arn:aws:iam::{ACCOUNT}:role"
TRUSTED = ("people", "github:o/r:main", "gitlab:g/p:main", "sso:Deployers")
TEMPLATE = ("--format", "cloudformation")


def describe(project: Project, **functions: dict[str, Any]) -> None:
    project.settings(
        region="us-east-1",
        account_id=ACCOUNT,
        role_arn=f"{ROLE}/ci/Deploying",
        duration_seconds=7200,
        layers=LAYERS,
        functions={name: {**HELLO, **each} for name, each in functions.items()},
    )


def printed(project: Project, *words: str) -> tuple[Any, str, str]:
    """Return what is printed, as it is read again, and on stderr."""
    result = project.run("policy", *words)
    return yaml.safe_load(result.out), result.out, result.err


def test_yaml_is_the_same_document_with_what_each_statement_allows(project: Project) -> None:
    describe(project, hello=EVERYTHING)

    document, text, _ = printed(project, "--format", "yaml")
    role, _, _ = printed(project, "--format", "yaml", "--trust", "people")

    as_json = project.run("policy").out
    assert document == json.loads(as_json)
    assert project.run("policy", "--format", "json").out == as_json
    assert role == json.loads(project.run("policy", "--trust", "people").out)
    lines = text.splitlines()
    above = [lines[n - 1].strip() for n, line in enumerate(lines) if line.strip()[:6] == "- Sid:"]
    assert len(above) == len(document["Statement"])
    assert all(re.fullmatch(r"# [A-Z].+\.", each) for each in above)
    assert "# The log groups of the functions.\n- Sid: LogGroups\n" in text


@pytest.mark.parametrize("who", TRUSTED)
def test_the_template_is_valid(project: Project, who: str) -> None:
    queue = f"arn:aws:sqs:us-east-1:{ACCOUNT}:failed"
    settings = {**EVERYTHING, "DeadLetterConfig": {"TargetArn": queue}}
    describe(project, hello=settings, bye={"Role": f"{ROLE}/path/bye-bye"})

    template, text, err = printed(project, *TEMPLATE, "--trust", who)

    assert [str(each) for each in lint(text)] == []
    assert ("OidcProvider" in template["Resources"]) == (":" in who and "sso" not in who)
    assert (
        "aws cloudformation deploy --region us-east-1 --stack-name Deploying-role "
        "--template-file role.yaml --capabilities CAPABILITY_NAMED_IAM\n"
    ) in err
    for role in ("ByeBye", "Hello", "Scheduler"):
        assert f" Create{role}ExecutionRole=false" in err
    assert ("OidcProviderArn=ARN" in err) == ("OidcProvider" in template["Resources"])


def create(aws: EmbeddedAws, text: str, existing: Sequence[str] = ()) -> Any:
    """Create the stack, and return the role that it says to have made."""
    client = aws.client("cloudformation")
    client.create_stack(
        StackName="made",
        TemplateBody=text,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=[{"ParameterKey": each, "ParameterValue": "false"} for each in existing],
    )
    client.get_waiter("stack_create_complete").wait(StackName="made", WaiterConfig={"Delay": 1})
    [stack] = client.describe_stacks(StackName="made")["Stacks"]
    arn = stack["Outputs"][0]["OutputValue"]
    role = aws.client("iam").get_role(RoleName="Deploying")["Role"]
    assert role["Arn"] == arn == f"{ROLE}/ci/Deploying"
    return role


def test_the_stack_has_the_role_with_what_is_printed(project: Project, aws: EmbeddedAws) -> None:
    many = {f"of-many-{number}": {"alias": "live"} for number in range(40)}
    describe(project, hello=EVERYTHING, bye={"Role": f"{ROLE}/path/bye"}, **many)
    expected = json.loads(project.run("policy", "--trust", "people").out)

    _, text, _ = printed(project, *TEMPLATE, "--trust", "people")
    role = create(aws, text, ["CreateHelloExecutionRole"])

    iam = aws.client("iam")
    assert role["MaxSessionDuration"] == 7200
    assert role["AssumeRolePolicyDocument"] == expected["AssumeRolePolicyDocument"]
    attached = iam.list_attached_role_policies(RoleName="Deploying")["AttachedPolicies"]
    documents = [
        iam.get_policy_version(PolicyArn=each["PolicyArn"], VersionId="v1")["PolicyVersion"]
        for each in attached
    ]
    assert len(documents) > 1
    found = [each["Document"] for each in documents]
    assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, expected["PolicyDocuments"]))
    made = iam.get_role(RoleName="bye")["Role"]
    assert made["Arn"] == f"{ROLE}/path/bye"
    scheduler = iam.get_role(RoleName="scheduler")["Role"]["AssumeRolePolicyDocument"]
    assert scheduler["Statement"][0]["Principal"] == {"Service": ["scheduler.amazonaws.com"]}
    inline = iam.get_role_policy(RoleName="scheduler", PolicyName="Schedules")["PolicyDocument"]
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:hello:live"
    assert inline["Statement"] == [
        {"Effect": "Allow", "Action": ["lambda:InvokeFunction"], "Resource": [arn]}
    ]
    assert "# What schedules invoke hello with.\n" in text
    # `hello` is that of the sample project, and was left alone.
    assert iam.list_attached_role_policies(RoleName="hello")["AttachedPolicies"] == []


def test_a_provider_that_exists_is_named_by_a_parameter(project: Project) -> None:
    describe(project, hello={})

    template, text, _ = printed(project, *TEMPLATE, "--trust", "github:o/r:main")

    resources = template["Resources"]
    assert resources["OidcProvider"]["Condition"] == "CreateOidcProvider"
    assert resources["OidcProvider"]["Properties"]["ClientIdList"] == ["sts.amazonaws.com"]
    [statement] = resources["Role"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    provider = {"Ref": "OidcProvider"}, {"Ref": "OidcProviderArn"}
    assert statement["Principal"] == {"Federated": {"Fn::If": ["CreateOidcProvider", *provider]}}
    assert "An account has one provider for each URL." in text


def test_a_template_that_is_too_long_goes_through_a_bucket(project: Project) -> None:
    describe(project, **{f"of-many-{number}": {"alias": "live"} for number in range(160)})

    _, text, err = printed(project, *TEMPLATE, "--trust", "people")

    assert len(text) > 51_200
    assert "--capabilities CAPABILITY_NAMED_IAM --s3-bucket BUCKET\n" in err
    assert "IAM allows 10 by default" in err


def test_what_the_template_lacks_is_said(project: Project) -> None:
    broker = {"EventSourceArn": f"arn:aws:mq:us-east-1:{ACCOUNT}:broker:b:b-1"}
    schedule = {**SCHEDULE, "Target": {"RoleArn": "${ssm:/role}"}}
    describe(
        project,
        hello={"events": [broker], "schedules": [schedule]},
        bye={"Role": "${ssm:/role}"},
    )

    _, _, err = printed(project, *TEMPLATE, "--trust", "people")

    assert "no execution role for bye: `Role` is of another account, or a reference" in err
    assert "no role for aws.functions.hello.schedules[0]: `RoleArn` is of another account" in err
    assert "The role hello needs more, for aws.functions.hello.events.0." in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (TEMPLATE, "`--format cloudformation` needs `--trust`."),
        (("--format", "yml"), "Did you mean `yaml`?"),
        (("--format", "yaml", "--explain"), "`--format` and `--explain` cannot be combined."),
    ],
)
def test_a_format_that_cannot_be_is_an_error(
    project: Project, words: Sequence[str], says: str
) -> None:
    describe(project, hello={})

    result = project.run("policy", *words, code=1)

    assert says in result.err
    assert result.out == ""
