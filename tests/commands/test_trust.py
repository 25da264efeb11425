"""Trust policies: each lets in whom it names, and nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.aws_lambda.describe import HELLO
from tests.conftest import EmbeddedAws
from tests.support import Project

ACCOUNT = "123456789012"
IAM = f"arn:aws:iam::{ACCOUNT}"
GITHUB, GITLAB = "token.actions.githubusercontent.com", "gitlab.com"


@pytest.fixture(autouse=True)
def _settings(project: Project) -> None:
    describe(project)


def describe(project: Project, **aws: Any) -> None:
    where = {"region": "eu-west-1", "account_id": ACCOUNT}
    project.settings(**where, functions={"hello": HELLO}, **aws)


def trusted(project: Project, who: str) -> tuple[Any, str]:
    result = project.run("policy", "--trust", who)
    printed = json.loads(result.out)
    assert [*printed] == ["AssumeRolePolicyDocument", "PolicyDocuments"]
    assert printed["PolicyDocuments"][0]["Statement"][0]["Sid"] == "Functions"
    [statement] = printed["AssumeRolePolicyDocument"]["Statement"]
    return statement, result.err


def test_people_need_mfa_and_what_the_settings_send(project: Project) -> None:
    statement, _ = trusted(project, "people")
    assert statement["Principal"] == {"AWS": f"{IAM}:root"}
    assert statement["Action"] == ["sts:AssumeRole"]
    assert statement["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

    serial = "arn:aws:iam::111111111111:mfa/alice"
    sent = {"external_id": "e-1", "source_identity": "alice", "session_tags": {"Team": "web"}}
    describe(project, mfa_serial=serial, **sent)
    statement, _ = trusted(project, "people")
    assert statement["Principal"] == {"AWS": "arn:aws:iam::111111111111:root"}
    assert statement["Action"] == ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
    assert statement["Condition"]["StringEquals"] == {"sts:ExternalId": "e-1"}
    assert statement["Condition"]["StringLike"] == {"sts:SourceIdentity": "*"}


@pytest.mark.parametrize(
    ("who", "subject"),
    [
        ("github:o/r:main", "repo:o/r:ref:refs/heads/main"),
        ("github:o/r:refs/tags/v*", "repo:o/r:ref:refs/tags/v*"),
        ("github:o/r", "repo:o/r:ref:refs/heads/*"),
        ("gitlab:g/s/p:main", "project_path:g/s/p:ref_type:branch:ref:main"),
        ("gitlab:g/p:refs/tags/v1", "project_path:g/p:ref_type:tag:ref:v1"),
        ("gitlab:g/p", "project_path:g/p:ref_type:branch:ref:*"),
    ],
)
def test_tokens_of_ci_need_their_audience_and_subject(
    project: Project, who: str, subject: str
) -> None:
    statement, err = trusted(project, who)

    of_github = who.startswith("github")
    host = GITHUB if of_github else GITLAB
    audience = "sts.amazonaws.com" if of_github else "https://gitlab.com"
    provider = f"{IAM}:oidc-provider/{host}"
    operator = "StringLike" if "*" in subject else "StringEquals"
    assert statement["Principal"] == {"Federated": provider}
    assert statement["Action"] == ["sts:AssumeRoleWithWebIdentity"]
    assert statement["Condition"]["StringEquals"][f"{host}:aud"] == audience
    assert statement["Condition"][operator][f"{host}:sub"] == subject
    assert f"needs the OIDC provider {provider}" in err
    assert ("Every branch may assume the role." in err) == (who.count(":") == 1)


def test_a_permission_set_is_known_by_its_reserved_roles(project: Project) -> None:
    statement, _ = trusted(project, "sso:Deployers")

    pattern = f"{IAM}:role/aws-reserved/sso.amazonaws.com/*AWSReservedSSO_Deployers_*"
    assert statement["Condition"] == {"ArnLike": {"aws:PrincipalArn": pattern}}


@pytest.mark.parametrize("who", ["", "github:o", "github:o/r:", "gitlab:*/*", "everybody"])
def test_who_is_nobody_is_an_error(project: Project, who: str) -> None:
    result = project.run("policy", f"--trust={who}", code=1)

    assert "`--trust` does not know" in result.err
    assert result.out == ""


def test_iam_takes_the_documents(project: Project, aws: EmbeddedAws) -> None:
    iam = aws.client("iam")
    for name, who in enumerate(["people", "github:o/r:main", "gitlab:g/p", "sso:Deployers"]):
        printed = json.loads(project.run("policy", "--trust", who).out)
        trust = json.dumps(printed["AssumeRolePolicyDocument"])
        iam.create_role(RoleName=f"role-{name}", AssumeRolePolicyDocument=trust)
        for number, document in enumerate(printed["PolicyDocuments"]):
            iam.create_policy(PolicyName=f"p-{name}-{number}", PolicyDocument=json.dumps(document))
