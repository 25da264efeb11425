"""`env` and `whoami`: results alone on stdout."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT


def test_bash_takes_the_lines_and_drops_what_conflicts(
    project: Project, sts: StrictSts, role: Role
) -> None:
    with TAINT.prints_secrets("`env` does, and so does the shell's `env`"):
        lines = project.run("assume", "env").out

        shell = subprocess.run(
            ["bash", "-eu"],
            input=f"{lines}\nenv",
            env={**project.environ, "AWS_PROFILE": "stale", "AWS_SECURITY_TOKEN": "stale"},
            capture_output=True,
            text=True,
            check=True,
        )

    variables = dict(line.split("=", 1) for line in shell.stdout.splitlines() if "=" in line)
    key = sts.keys[variables["AWS_ACCESS_KEY_ID"]]
    assert variables["AWS_SECRET_ACCESS_KEY"] == key.secret
    assert variables["AWS_SESSION_TOKEN"] == key.token
    assert variables["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert "AWS_PROFILE" not in variables
    assert "AWS_SECURITY_TOKEN" not in variables


def test_json_is_what_botocore_expects_of_a_credential_process(
    project: Project, sts: StrictSts, role: Role
) -> None:
    with TAINT.prints_secrets("`env` does"):
        answer = json.loads(project.run("assume", "env", "--format", "json").out)

    key = sts.keys[answer["AccessKeyId"]]
    assert answer["Version"] == 1
    assert answer["SecretAccessKey"] == key.secret
    assert answer["SessionToken"] == key.token
    assert answer["AccountId"] == "123456789012"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", answer["Expiration"])


def test_redshift_gets_its_string(project: Project, sts: StrictSts, role: Role) -> None:
    with TAINT.prints_secrets("`env` does"):
        text = project.run("assume", "env", "--format", "redshift").out

    parts = dict(part.split("=", 1) for part in text.strip().split(";"))
    key = sts.keys[parts["aws_access_key_id"]]
    assert parts["aws_secret_access_key"] == key.secret
    assert parts["token"] == key.token


def test_nothing_but_the_credentials_is_on_stdout(
    project: Project, sts: StrictSts, role: Role
) -> None:
    with TAINT.prints_secrets("`env` does"):
        result = project.run("-e", "assume", "env", environ={"INVOKE_RUN_ECHO": "1"})

    assert all(
        re.match("(export|unset) (AWS_|TASKS_AWS_REQUEST)", line)
        for line in result.out.splitlines()
    )
    assert "assume    arn:aws:iam::123456789012:role/Deployer" in result.err


def test_a_terminal_is_not_shown_secrets_unless_asked(
    project: Project, sts: StrictSts, role: Role
) -> None:
    refused = project.finish(project.terminal("assume", "env"), code=1)
    with TAINT.prints_secrets("`env --show` does, on a terminal, too"):
        terminal = project.terminal("assume", "env", "--show")
    terminal.expect("export AWS_SECRET_ACCESS_KEY=")
    terminal.close()

    assert "`env` does not print secrets to a terminal." in refused


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("zsh", 'Use it as creds=$(invoke assume env) && eval "$creds"'),
        ("fish", "Use it as set -l creds (invoke assume env --format fish); and printf"),
        ("json", "Redirect the output to the program that takes it"),
    ],
)
def test_a_terminal_is_told_how_its_shell_takes_the_credentials(
    project: Project, sts: StrictSts, role: Role, name: str, fix: str
) -> None:
    assert fix in project.finish(project.terminal("env", "--format", name), code=1)


def test_an_unknown_format_is_refused_with_a_suggestion(
    project: Project, sts: StrictSts, role: Role
) -> None:
    result = project.run("assume", "env", "--format", "jsn", code=1)

    assert "Did you mean `json`?" in result.err


def test_whoami_says_who_where_and_how_long(project: Project, sts: StrictSts, role: Role) -> None:
    lines = project.run("assume", "whoami").out.splitlines()

    assert lines[0] == "arn      arn:aws:sts::123456789012:assumed-role/Deployer/alice"
    assert lines[1] == "account  123456789012"
    assert lines[2] == "region   eu-central-1"
    assert lines[3].startswith("session  1 h left, until 20")
    assert lines[4] == "source   the role arn:aws:iam::123456789012:role/Deployer"


def test_whoami_as_json(project: Project, sts: StrictSts, role: Role) -> None:
    found = json.loads(project.run("assume", "whoami", "--json").out)

    assert found["Account"] == "123456789012"
    assert found["Region"] == "eu-central-1"
    assert 3500 < found["SecondsLeft"] <= 3600


@pytest.fixture
def endless(project: Project, sts: StrictSts) -> Key:
    """A profile of temporary keys that does not say when they end, as saml2aws writes it."""
    key = sts.issue("arn:aws:sts::123456789012:assumed-role/Saml/x", 3600)
    names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
    values = dict(zip(names, (key.id, key.secret, str(key.token)), strict=True))
    project.profile("saml", region="eu-central-1", **values)
    project.settings(profile="saml")
    TAINT.own(project.home / ".aws" / "config", str(key.token))
    return key


def test_credentials_of_which_nobody_knows_the_end_are_told_so(
    project: Project, endless: Key
) -> None:
    lines = project.run("assume", "whoami").out.splitlines()
    found = json.loads(project.run("assume", "whoami", "--json").out)

    assert lines[3] == "session  expiry unknown"
    assert found["Expiration"] is None
    assert found["SecondsLeft"] is None


@pytest.mark.parametrize(
    "words",
    [
        ["child"],
        ["sessions", "child"],
        ["--keep-fresh", "child"],
        ["exec", "--", "true"],
        ["env", "--format", "json"],
        ["env"],
    ],
)
def test_credentials_of_which_nobody_knows_the_end_are_used(
    project: Project, endless: Key, words: list[str]
) -> None:
    with TAINT.prints_secrets("`env` does"):
        result = project.run("assume", *words)

    assert "Traceback" not in result.err
    assert "Expiration" not in result.out
    assert "export AWS_CREDENTIAL_EXPIRATION" not in result.out


def test_a_shell_of_which_nobody_knows_the_end(project: Project, endless: Key) -> None:
    project.environ["SHELL"] = "/bin/true"

    said = project.run("assume", "shell").err

    assert "credentials of profile saml; `exit` leaves the shell" in said
