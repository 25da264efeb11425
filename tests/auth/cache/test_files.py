"""Cached sessions: shared with the AWS CLI, listed, forgotten, and trusted by nobody."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from filelock import FileLock

from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT


@pytest.fixture
def aws_cli(project: Project) -> list[str]:
    """The AWS CLI, for real."""
    found = shutil.which("aws")
    if not found or subprocess.run([found, "--version"], capture_output=True).returncode:
        pytest.skip("the AWS CLI is not installed")
    return [found]


@pytest.fixture
def ops(project: Project, sts: StrictSts, user: Key) -> Role:
    """A role that the profile `ops` names, as the AWS CLI needs it."""
    role = sts.role("Ops")
    project.profile("ops", role_arn=role.arn, source_profile="dev", region="eu-central-1")
    project.settings(profile="ops")
    return role


def who(project: Project, aws_cli: list[str]) -> str:
    """Ask the AWS CLI who it is, with the profile `ops` and with no help of ours."""
    process = subprocess.run(
        [*aws_cli, "--profile", "ops", "sts", "get-caller-identity", "--query", "Arn"],
        env={**project.environ, "AWS_ENDPOINT_URL_STS": project.environ["AWS_ENDPOINT_URL"]},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_the_aws_cli_uses_our_session(
    project: Project, sts: StrictSts, ops: Role, aws_cli: list[str]
) -> None:
    project.run("assume")

    assert "assumed-role/Ops/alice" in who(project, aws_cli)
    assert sts.count("AssumeRole") == 1


def test_we_use_the_session_of_the_aws_cli(
    project: Project, sts: StrictSts, ops: Role, aws_cli: list[str]
) -> None:
    who(project, aws_cli)

    result = project.run("assume", "whoami", "sessions")

    assert "assumed-role/Ops/botocore-session-" in result.out
    assert "(AWS CLI)" in result.out
    assert sts.count("AssumeRole") == 1


def test_the_aws_cli_as_a_child_has_our_credentials(
    project: Project, sts: StrictSts, role: Role, aws_cli: list[str]
) -> None:
    words = [*aws_cli, "sts", "get-caller-identity", "--query", "Arn"]
    environ = {"AWS_PROFILE": "dev", "AWS_ENDPOINT_URL_STS": sts.url}

    result = project.run("assume", "exec", "--", *words, environ=environ)

    assert "assumed-role/Deployer/alice" in result.out


def test_the_javascript_sdk_as_a_child_has_our_credentials(
    project: Project, sts: StrictSts, role: Role
) -> None:
    program = """
        const {STSClient, GetCallerIdentityCommand} = require("@aws-sdk/client-sts");
        new STSClient({}).send(new GetCallerIdentityCommand({})).then(a => console.log(a.Arn));
    """
    probe = ["node", "-e", 'require("@aws-sdk/client-sts")']
    if not shutil.which("node") or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("Node.js with @aws-sdk/client-sts (on NODE_PATH) is not installed")
    environ = {"AWS_PROFILE": "dev", "NODE_PATH": os.environ.get("NODE_PATH", "")}

    result = project.run("assume", "exec", "--", "node", "-e", program, environ=environ)

    assert "assumed-role/Deployer/alice" in result.out


def test_sessions_are_listed_and_ours_forgotten(
    project: Project, sts: StrictSts, user: Key
) -> None:
    one, two = sts.role("One"), sts.role("Two")
    for role in (one, two):
        project.run("assume", "--profile", "dev", "--role-arn", role.arn)
    folder = project.cache_files()[0].parent
    foreign = json.loads(project.cache_files()[0].read_text())
    del foreign["TasksAws"]
    (folder / "foreign.json").write_text(json.dumps(foreign))
    (folder / "foreign.json").chmod(0o600)
    (folder / "registration.json").write_text('{"clientId": "x", "clientSecret": "y"}')

    listed = project.run("sessions").out
    project.run("forget", "--role-arn", one.arn)
    left = project.run("sessions").out
    project.run("forget")

    assert listed.startswith("expiry    account       session\n1 h left  123456789012  arn:")
    assert listed.count("1 h left") == 3
    assert f"123456789012  {two.arn}" in listed
    assert f"{one.arn}\n" not in left
    assert two.arn in left
    assert [path.name for path in project.cache_files()] == ["foreign.json", "registration.json"]


def test_no_sessions(project: Project) -> None:
    result = project.run("sessions", "forget")

    assert result.out == ""
    assert "sessions  none" in result.err
    assert "forget    nothing to remove" in result.err


def test_a_link_is_neither_read_nor_written_through(
    project: Project, sts: StrictSts, role: Role, tmp_path: Path
) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    elsewhere = project.home / ".aws" / "elsewhere.json"
    file.rename(elsewhere)
    TAINT.own(elsewhere, *sts.session_secrets())
    before = elsewhere.read_bytes()
    file.symlink_to(elsewhere)

    project.run("assume", "noop")

    assert sts.count("AssumeRole") == 2
    assert not file.is_symlink()
    assert elsewhere.read_bytes() == before


def test_a_fifo_does_not_block(project: Project, sts: StrictSts, role: Role) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    file.unlink()
    os.mkfifo(file)

    assert "noop ran" in project.run("assume", "noop").out


@pytest.mark.parametrize(
    "change",
    [
        {"Expiration": None},
        {"Expiration": 5},
        {"Expiration": "9999-12-31T23:59:59-23:59"},
        {"SecretAccessKey": "a\0b"},
        {"SessionToken": "a\nb"},
        {"AccountId": "hello"},
        {"AccessKeyId": None},
        {"SessionToken": ["a"]},
    ],
)
def test_a_broken_value_is_a_miss(
    project: Project, sts: StrictSts, role: Role, change: dict[str, object]
) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    entry = json.loads(file.read_text())
    entry["Credentials"] |= change
    file.write_text(json.dumps(entry))

    assert "noop ran" in project.run("assume", "noop").out
    assert sts.count("AssumeRole") == 2


@pytest.mark.parametrize(
    "change",
    [
        {"TasksAws": {"Subject": "x", "Seconds": "3600"}},
        {"TasksAws": {"Subject": "x", "Seconds": True}},
        {"TasksAws": {"Subject": "x", "Seconds": float("nan")}},
        {"TasksAws": {"Subject": "x", "Seconds": [3600]}},
        {"TasksAws": {"Subject": "\x1b[2J"}},
        {"TasksAws": {"Subject": 5}},
        {"TasksAws": []},
        {"TasksAws": None, "AssumedRoleUser": None},
        {"TasksAws": None, "AssumedRoleUser": {"Arn": 5}},
    ],
)
def test_an_entry_of_odd_types_is_neither_listed_nor_removed(
    project: Project, sts: StrictSts, role: Role, change: dict[str, object]
) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))

    result = project.run("sessions", "forget")

    assert result.err == "sessions  none\nforget    nothing to remove\n"
    assert project.cache_files() == [file]


def test_a_lock_that_cannot_be_had_is_done_without(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    file.unlink()
    lock = file.with_suffix(".lock")
    lock.unlink(missing_ok=True)
    lock.mkdir()

    assert "noop ran" in project.run("assume", "noop").out


@pytest.mark.skipif(
    getattr(os, "getuid", lambda: None)() != 0, reason="only root can give a file to another user"
)
def test_a_file_of_another_user_is_a_miss(project: Project, sts: StrictSts, role: Role) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    os.chown(file, 12345, -1)

    project.run("assume", "noop")

    assert sts.count("AssumeRole") == 2


def test_a_cache_that_cannot_be_written_is_a_warning(
    project: Project, sts: StrictSts, role: Role
) -> None:
    (project.home / ".aws" / "cli").write_text("a file where the folder should be")

    result = project.run("assume", "noop")

    assert "warning   Cannot cache the session in" in result.err
    assert "noop ran" in result.out


def test_a_folder_in_place_of_a_file_is_a_warning(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    file.unlink()
    file.mkdir()

    assert "noop ran" in project.run("assume", "noop").out
    file.rmdir()


def test_ctrl_c_ends_the_wait_for_another_process(project: Project, role: Role) -> None:
    project.run("assume")
    lock = project.cache_files()[0].with_suffix(".lock")

    with FileLock(lock):
        terminal = project.terminal("assume", "--fresh", "noop")
        terminal.expect("waiting ")
        terminal.sendintr()
        text = project.finish(terminal, code=130)

    assert "Traceback" not in text
    assert "noop ran" not in text
