"""The token of a GitHub Actions job: used where a role is named for it, and asked for each time."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.auth.test_sources import serving
from tests.strict_sts import Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

REGION = "eu-central-1"


@dataclass
class Github:
    """GitHub, which gives tokens to whoever has the secret of the job."""

    sts: StrictSts
    answer: object = None
    asked: list[str] = field(default_factory=list)
    secret: str = field(default_factory=lambda: secrets.token_urlsafe(40))

    def give(self, path: str, headers: dict[str, str]) -> object:
        self.asked.append(path)
        if headers.get("authorization") != f"Bearer {self.secret}":
            return None
        token = secrets.token_urlsafe(40)
        self.sts.web_identity_tokens[token] = time.time() + 60
        TAINT.collect(token)
        return self.answer or {"value": token}


@pytest.fixture
def github(project: Project, sts: StrictSts) -> Iterator[Github]:
    made = Github(sts)
    TAINT.collect(made.secret)
    with serving(made.give) as url:
        project.environ |= {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{url}/token?v=2",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": made.secret,
            "AWS_REGION": REGION,
            "CI": "true",
        }
        yield made


@pytest.fixture
def ci(sts: StrictSts) -> Role:
    return sts.role("Ci")


@pytest.mark.parametrize("by", ["variable", "setting", "both"])
def test_a_role_is_assumed_with_the_token_of_the_job(
    project: Project, github: Github, ci: Role, by: str
) -> None:
    if by != "setting":
        project.environ["AWS_ROLE_ARN"] = ci.arn
    if by != "variable":
        project.settings(role_arn=ci.arn)

    out = project.run("assume", "whoami").out

    assert "assumed-role/Ci/alice" in out
    assert github.asked == ["/token?v=2&audience=sts.amazonaws.com"]
    assert [name for name, _ in github.sts.calls] == [
        "AssumeRoleWithWebIdentity",
        "GetCallerIdentity",
    ]


def test_each_session_is_opened_with_a_new_token(
    project: Project, github: Github, ci: Role
) -> None:
    project.environ["AWS_ROLE_ARN"] = ci.arn

    project.run("assume", "assume", "--fresh")
    project.run("assume")  # the session of before is still good

    used = [params["WebIdentityToken"] for _, params in github.sts.calls]
    assert len(used) == len(set(used)) == 2


def test_another_job_does_not_use_the_session(project: Project, github: Github, ci: Role) -> None:
    project.environ["AWS_ROLE_ARN"] = ci.arn
    project.run("assume")
    github.secret = project.environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = "another-job"

    project.run("assume")

    assert github.sts.count("AssumeRoleWithWebIdentity") == 2


def test_the_setting_names_a_second_role(
    project: Project, github: Github, ci: Role, sts: StrictSts
) -> None:
    project.environ["AWS_ROLE_ARN"] = ci.arn

    out = project.run("assume", "--role-arn", sts.role("Deployer").arn, "whoami").out

    assert "assumed-role/Deployer/alice" in out
    assert [name for name, _ in sts.calls][:2] == ["AssumeRoleWithWebIdentity", "AssumeRole"]


@pytest.mark.parametrize("source", ["keys", "token file", "profile", "default profile"])
def test_what_is_more_particular_takes_precedence(
    project: Project, github: Github, ci: Role, sts: StrictSts, source: str
) -> None:
    key = sts.user_key()
    if source == "keys":
        project.environ["AWS_ACCESS_KEY_ID"] = key.id
        project.environ["AWS_SECRET_ACCESS_KEY"] = key.secret
    elif source == "token file":
        file = project.home / "token"
        file.write_text(sts.web_identity_token)
        TAINT.own(file, sts.web_identity_token)
        project.environ |= {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file), "AWS_ROLE_ARN": ci.arn}
    else:
        name = "default" if source == "default profile" else "dev"
        keys = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
        project.profile(name, **keys)
        if name == "dev":
            project.environ |= {"AWS_PROFILE": "dev", "AWS_ROLE_ARN": ci.arn}
    project.settings(role_arn=ci.arn)

    assert "assumed-role/Ci/" in project.run("assume", "whoami").out
    assert github.asked == []


def test_a_role_in_a_variable_takes_precedence_over_the_default_profile(
    project: Project, github: Github, ci: Role, sts: StrictSts
) -> None:
    key = sts.user_key()
    project.profile("default", aws_access_key_id=key.id, aws_secret_access_key=key.secret)
    project.environ["AWS_ROLE_ARN"] = ci.arn

    assert "assumed-role/Ci/alice" in project.run("assume", "whoami").out
    assert len(github.asked) == 1


@pytest.mark.parametrize("answer", [500, {"value": ""}, {"x": 1}, "no JSON", ["x"]])
def test_what_is_no_token_is_an_error(
    project: Project, github: Github, ci: Role, answer: object
) -> None:
    project.environ["AWS_ROLE_ARN"] = ci.arn
    github.answer = answer

    message = project.run("assume", "noop", code=1).err

    assert "GitHub gave no token for this job" in message
    assert "id-token: write" in message
    assert "Traceback" not in message
    assert github.sts.calls == []


def test_github_that_cannot_be_reached_is_an_error_without_the_address(
    project: Project, github: Github, ci: Role
) -> None:
    project.environ |= {
        "AWS_ROLE_ARN": ci.arn,
        "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:1/x",
    }

    message = project.run("assume", "noop", code=1).err

    assert "GitHub cannot be reached for the token of this job" in message
    assert "Traceback" not in message
