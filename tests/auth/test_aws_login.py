"""Profiles of `aws login`: the AWS CLI signs in when it has to, once, or there is an error."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws_sign_in import REGION, SESSION, AwsSignIn, let_end, token_file
from tests.strict_sts import StrictSts
from tests.support import Project


@pytest.fixture(autouse=True)
def service(project: Project, sts: StrictSts) -> Iterator[AwsSignIn]:
    """AWS Sign-In, and the profile `console` that gets its credentials there."""
    with AwsSignIn(sts) as server:
        server.serve(project)
        del project.environ["BOTO_DISABLE_CRT"]
        project.settings(profile="console")
        yield server


@pytest.fixture
def signed_in(project: Project, service: AwsSignIn) -> None:
    """A session that is good."""
    project.finish(project.terminal("login"))
    service.calls.clear()
    (project.home / "aws.log").unlink()


def test_without_a_session_the_aws_cli_signs_in(project: Project, service: AwsSignIn) -> None:
    text = project.finish(project.terminal("assume", "whoami"))

    assert SESSION in text
    assert "running aws login --profile console" in text
    assert service.runs(project) == [[["login", "--profile", "console"], []]]
    assert service.calls == ["authorize", "authorization_code"]


def test_a_session_that_is_good_is_used_as_it_is(
    project: Project, service: AwsSignIn, signed_in: None
) -> None:
    assert SESSION in project.run("assume", "whoami").out
    assert service.calls == []


def test_a_session_that_has_ended_is_refreshed_without_asking(
    project: Project, service: AwsSignIn, signed_in: None
) -> None:
    before = json.loads(token_file(project).read_text())
    let_end(project)

    assert SESSION in project.run("assume", "whoami").out

    kept = json.loads(token_file(project).read_text())
    assert service.calls == ["refresh_token"]
    assert kept["refreshToken"] != before["refreshToken"]
    assert kept["dpopKey"] == before["dpopKey"]
    assert token_file(project).stat().st_mode & 0o777 == 0o600
    assert token_file(project).parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "why", ["TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED", "else", "broken", "cut short", "no key"]
)
def test_a_session_that_cannot_be_refreshed_is_signed_in_to_again(
    project: Project, service: AwsSignIn, signed_in: None, why: str
) -> None:
    let_end(project)
    file = token_file(project)
    if why == "broken":
        file.write_text('{"accessToken": ')
    elif why == "cut short":
        file.write_text(json.dumps({**json.loads(file.read_text()), "accessToken": {}}))
    elif why == "no key":
        file.write_text(json.dumps({**json.loads(file.read_text()), "dpopKey": "AAAA"}))
    else:
        service.refusal = why

    without_terminal = project.run("assume", "noop", code=1).err
    text = project.finish(project.terminal("assume", "whoami"))

    assert "The sign-in of profile console has expired or is missing." in without_terminal
    assert SESSION in text
    assert len(service.runs(project)) == 1


def test_a_role_starts_from_the_session(
    project: Project, service: AwsSignIn, sts: StrictSts
) -> None:
    role = sts.role("Deployer")
    project.profile("deploy", role_arn=role.arn, source_profile="console", region=REGION)

    text = project.finish(project.terminal("assume", "--profile", "deploy", "whoami"))

    assert "assumed-role/Deployer" in text
    assert service.runs(project) == [[["login", "--profile", "console"], []]]


def test_the_program_is_told_the_region_that_the_profile_does_not_have(
    project: Project, service: AwsSignIn
) -> None:
    config = project.home / ".aws" / "config"
    config.write_text(config.read_text().replace("region", "# region"))
    project.settings(profile="console", region="eu-west-1")

    project.finish(project.terminal("login"))

    [[words, _]] = service.runs(project)
    assert words == ["login", "--profile", "console", "--region", "eu-west-1"]


@pytest.mark.parametrize("ended", [False, True])
def test_many_processes_ask_once(project: Project, service: AwsSignIn, ended: bool) -> None:
    if ended:
        project.finish(project.terminal("login"))
        service.calls.clear()
        let_end(project)
    service.delay = 1
    terminals = [project.terminal("assume", "whoami") for _ in range(4)]

    for terminal in terminals:
        assert SESSION in project.finish(terminal)

    assert service.calls == (["refresh_token"] if ended else ["authorize", "authorization_code"])


@pytest.mark.parametrize("why", ["no terminal", "never", "CI"])
def test_who_cannot_be_asked_gets_an_error_at_once(
    project: Project, service: AwsSignIn, why: str
) -> None:
    if why == "never":
        project.settings(profile="console", sign_in="never")
    if why == "CI":
        project.environ["CI"] = "true"

    if why == "no terminal":
        text = project.run("assume", "noop", code=1).err
    else:
        text = project.finish(project.terminal("assume", "noop"), code=1)

    assert "The sign-in of profile console has expired or is missing." in text
    assert "`invoke login --profile console` in a terminal" in text
    assert "`aws login --profile console`" in text
    assert service.runs(project) == service.calls == []


@pytest.mark.parametrize("task", ["assume", "login"])
@pytest.mark.parametrize("why", ["missing", "old", "version 1", "not a program"])
def test_without_the_program_the_error_says_which_one_is_needed(
    project: Project, service: AwsSignIn, why: str, task: str
) -> None:
    program = service.install_cli(project, version="1.45.11" if why == "version 1" else "2.31.9")
    if why == "missing":
        program.unlink()
        project.environ["PATH"] = str(program.parent)
    elif why == "not a program":
        program.write_bytes(b"\x7fELF")

    text = project.finish(project.terminal(task), code=1)

    assert "Install the AWS CLI 2.32 or later, and run `aws login --profile console`" in text
    assert {
        "missing": "is not on PATH",
        "old": "aws-cli/2.31.9",
        "version 1": "aws-cli/1.45.11",
        "not a program": "Cannot run `aws`",
    }[why] in text
    assert service.runs(project) == service.calls == []


@pytest.mark.parametrize("why", ["missing", "disabled"])
@pytest.mark.parametrize("task", ["assume", "login"])
def test_without_awscrt_the_error_says_what_to_install(
    project: Project, service: AwsSignIn, tmp_path: Path, why: str, task: str
) -> None:
    (tmp_path / "awscrt.py").write_text("raise ImportError")
    missing = {"PYTHONPATH": str(tmp_path)}
    project.environ |= {"BOTO_DISABLE_CRT": "true"} if why == "disabled" else missing

    text = project.finish(project.terminal(task), code=1)

    assert "need the package awscrt" in text
    assert "botocore" not in text
    assert ("Unset BOTO_DISABLE_CRT" if why == "disabled" else "'tasks-aws[login]'") in text
    assert service.runs(project) == service.calls == []


def test_login_signs_in_ahead_of_time(project: Project, service: AwsSignIn) -> None:
    project.settings(profile="console", sign_in="never")

    text = project.finish(project.terminal("login"))
    project.run("assume")

    assert "signed in with `aws login`" in text
    assert service.calls == ["authorize", "authorization_code"]


@pytest.mark.parametrize("why", ["setting", "ssh"])
def test_the_user_opens_the_page_where_a_browser_cannot(
    project: Project, service: AwsSignIn, why: str
) -> None:
    if why == "setting":
        project.settings(profile="console", sign_in="code")
    else:
        project.environ["SSH_CONNECTION"] = "192.0.2.1 50000 192.0.2.2 22"

    project.finish(project.terminal("assume"))

    assert service.runs(project) == [[["login", "--profile", "console", "--remote"], []]]


def test_the_program_has_the_terminal_and_the_users_variables(
    project: Project, service: AwsSignIn, sts: StrictSts
) -> None:
    key = sts.user_key()
    project.profile(
        "dev", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region=REGION
    )
    words = "assume --profile dev assume --profile console"
    command = f"exec {sys.executable} -m invoke {words} > {os.devnull} < {os.devnull}"

    terminal = project.terminal_running(["/bin/sh", "-c", command])
    text = project.finish(terminal)

    assert "running aws login" in text
    assert "Updated profile console" in text
    assert service.runs(project) == [[["login", "--profile", "console"], []]]


def test_ctrl_c_ends_the_program_and_leaves_nothing(project: Project, service: AwsSignIn) -> None:
    service.delay = 600
    terminal = project.terminal("assume", "noop")
    terminal.expect("Attempting to open")
    time.sleep(1)

    terminal.sendintr()
    terminal.expect_exact("^C")
    start = time.monotonic()
    text = project.finish(terminal, code=130)

    assert time.monotonic() - start < 15
    assert "noop ran" not in text
    assert "tasks_aws" not in text  # in a traceback of ours
    assert not token_file(project).exists()


def test_a_program_that_fails_is_an_error(project: Project, service: AwsSignIn) -> None:
    service.install_cli(project, exit_code=255)

    text = project.finish(project.terminal("assume", "noop"), code=1)

    assert "it went wrong" in text
    assert "`aws login --profile console` failed with exit code 255." in text
    assert "noop ran" not in text


def test_who_signs_in_as_another_user_is_told(project: Project, service: AwsSignIn) -> None:
    service.session = "arn:aws:iam::222222222222:user/bob"

    text = project.finish(project.terminal("assume", "noop"), code=1)
    again = project.run("assume", "whoami").out

    assert f"signed in as {service.session}, and not as {SESSION}" in text
    assert "noop ran" not in text
    assert service.session in again


def test_who_lacks_the_permission_is_not_asked(
    project: Project, service: AwsSignIn, signed_in: None
) -> None:
    let_end(project)
    service.refusal = "INSUFFICIENT_PERMISSIONS"

    text = project.finish(project.terminal("assume", "noop"), code=1)

    assert "attach the managed policy SignInLocalDevelopmentAccess" in text
    assert service.runs(project) == []


def test_the_folder_of_the_sessions_may_be_another_one(
    project: Project, service: AwsSignIn
) -> None:
    folder = project.home / "other" / ".aws" / "login" / "cache"
    project.environ["AWS_LOGIN_CACHE_DIRECTORY"] = str(folder)

    project.finish(project.terminal("assume"))
    project.run("assume")

    assert [each.name for each in folder.iterdir()] == [token_file(project).name]
    assert service.calls == ["authorize", "authorization_code"]
