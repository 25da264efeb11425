"""`policy --check`: what a role, or a file, has too little or too much."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.aws_lambda.describe import describe
from tests.conftest import EmbeddedAws
from tests.local_aws import ACCOUNT
from tests.support import Project

ROLE = f"arn:aws:iam::{ACCOUNT}:role"


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()[1:]]


def document(*actions: str) -> Any:
    allowed = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [allowed]}


@pytest.mark.parametrize("words", [(), ("--trust", "people")])
def test_what_was_printed_differs_in_nothing(project: Project, words: tuple[str, ...]) -> None:
    describe(project, alias="live", aws={"region": "us-east-1"})
    (project.folder / "printed.json").write_text(project.run("policy", *words).out)

    same = project.run("policy", "--check", "printed.json")
    less = project.run("policy", "--task", "status", "--check", "printed.json")
    more = project.run("policy", "--task", "destroy", "--check", "printed.json", code=2)

    assert (same.out, same.err) == ("", "policy    compared: no difference\n")
    assert {each[0] for each in rows(less.out)} == {"superfluous"}
    assert ["missing", "lambda:GetFunctionUrlConfig"] not in [each[:2] for each in rows(more.out)]
    assert "missing" in {each[0] for each in rows(more.out)}


def test_a_role_is_compared_with_all_its_policies(project: Project, aws: EmbeddedAws) -> None:
    describe(project, role="everything")
    iam = aws.client("iam")
    trust = json.dumps(document("sts:AssumeRole"))
    iam.create_role(RoleName="Other", Path="/ci/", AssumeRolePolicyDocument=trust)
    [policy] = [json.loads(project.run("policy").out)]
    *others, last = policy["Statement"]
    policy["Statement"] = others
    iam.put_role_policy(
        RoleName="Other", PolicyName="inline", PolicyDocument=json.dumps(document("s3:GetObject"))
    )
    arn = iam.create_policy(PolicyName="managed", PolicyDocument=trust)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(policy), SetAsDefault=True)
    iam.attach_role_policy(RoleName="Other", PolicyArn=arn)

    result = project.run("policy", "--check", f"{ROLE}/ci/Other", code=2)

    missing = {tuple(each[1:]) for each in rows(result.out) if each[0] == "missing"}
    assert missing == {(name, arn) for name in last["Action"] for arn in last["Resource"]}
    assert ["superfluous", "s3:GetObject", "*"] in rows(result.out)
    assert f"compared: {len(missing)} missing, 1 superfluous" in result.err


def test_a_boundary_of_the_role_counts(project: Project, aws: EmbeddedAws) -> None:
    describe(project, role="everything")
    iam = aws.client("iam")
    limit, everything = json.dumps(document("logs:*")), json.dumps(document("*"))
    arn = iam.create_policy(PolicyName="limit", PolicyDocument=limit)["Policy"]["Arn"]
    iam.create_role(
        RoleName="Limited", AssumeRolePolicyDocument=everything, PermissionsBoundary=arn
    )
    iam.put_role_policy(RoleName="Limited", PolicyName="all", PolicyDocument=everything)

    result = project.run("policy", "--check", f"{ROLE}/Limited", code=2)

    actions = {each[1].partition(":")[0] for each in rows(result.out) if each[0] == "missing"}
    assert "lambda" in actions
    assert "logs" not in actions


def test_what_a_condition_decides_is_said(project: Project) -> None:
    describe(project, aws={"region": "us-east-1"})
    policy = document("*")
    policy["Statement"][0]["Condition"] = {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    (project.folder / "theirs.json").write_text(json.dumps([policy]))

    result = project.run("policy", "--check", "theirs.json")

    assert "cannot tell" in result.out
    assert "missing" not in result.out
    assert "the policies alone do not tell: a condition" in result.err


def test_a_role_that_cannot_be_read_is_explained(project: Project, aws: EmbeddedAws) -> None:
    describe(project)  # `deployer` may not read roles

    denied = project.run("policy", "--check", f"{ROLE}/deployer", code=1)
    describe(project, role="everything")
    absent = project.run("policy", "--check", f"{ROLE}/nobody", code=1)
    elsewhere = project.run("policy", "--check", "arn:aws:iam::111111111111:role/x", code=1)

    assert f"IAM could not read {ROLE}/deployer." in denied.err
    assert (
        "fix: Assume another role that may use iam:GetRole, with `assume --role-arn" in denied.err
    )
    assert "Allow the role that deploys" not in denied.err
    assert "It does not exist in this account" in absent.err
    assert "These credentials belong to account 000000000000." in elsewhere.err


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("arn:aws:sts::000000000000:assumed-role/a/b", None, "It is not the ARN of a role."),
        ("absent.json", None, "No such file"),
        ("broken.json", "{", "is not JSON"),
        ("other.json", '{"a": 1}', "It has no `Statement`."),
        ("other.json", "{}", "fix: Correct it, or name a role or another file."),
    ],
)
def test_what_is_neither_a_role_nor_a_policy_is_an_error(
    project: Project, name: str, text: str | None, says: str
) -> None:
    describe(project, aws={"region": "us-east-1"})
    if text is not None:
        (project.folder / name).write_text(text)

    result = project.run("policy", "--check", name, code=1)

    assert says in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize("other", [["--explain"], ["--trust", "people"], ["--format", "yaml"]])
def test_a_comparison_prints_no_policy(project: Project, other: list[str]) -> None:
    describe(project, aws={"region": "us-east-1"})

    err = project.run("policy", "--check", "a.json", *other, code=1).err

    assert "cannot be combined" in err
