"""A credential_process that gives no credentials: what happened is said, and nothing is shown."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from tests.strict_sts import Key, StrictSts
from tests.support import Project

ARGUMENT = "secret-argument"
OUTPUT = "secret-output"
NO_JSON = "exited successfully, but printed no JSON."
OTHER_JSON = "printed JSON that AWS tools do not accept."
KEYS = {"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", "SecretAccessKey": OUTPUT}
BY_HAND = "fix: Run the command in [profile process] by hand to see what it does."


@pytest.fixture
def program(project: Project) -> Path:
    """A program, yet to be written, that the profile `process` runs."""
    path = project.home / "give-keys"
    command = shlex.join([str(path), "--token", ARGUMENT])
    project.profile("process", credential_process=command, region="eu-central-1")
    return path


def refused(project: Project, profile: str = "process") -> str:
    message = project.run("assume", "--profile", profile, "noop", code=1).err
    assert "Traceback" not in message
    assert "fix: " in message
    assert ARGUMENT not in message
    assert OUTPUT not in message
    return message


def write(path: Path, body: str) -> None:
    path.write_text(f"#!{sys.executable}\nimport sys\n{body}\n")
    path.chmod(0o700)


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        ("", NO_JSON),
        (OUTPUT, NO_JSON),
        (f"<html><body>{OUTPUT}</body></html>", NO_JSON),
        (json.dumps(KEYS)[:-1], NO_JSON),
        ("[" * 100_000, NO_JSON),
        ("[]", OTHER_JSON),
        ("null", OTHER_JSON),
        (json.dumps(OUTPUT), OTHER_JSON),
        (json.dumps({**KEYS, "Version": OUTPUT}), OTHER_JSON),
        (json.dumps({key: KEYS[key] for key in ("AccessKeyId", "SecretAccessKey")}), OTHER_JSON),
        (json.dumps({"Version": 1, "SecretAccessKey": OUTPUT}), OTHER_JSON),
        (json.dumps({**KEYS, "AccessKeyId": None}), OTHER_JSON),
        (json.dumps({**KEYS, "SecretAccessKey": ""}), OTHER_JSON),
        (json.dumps({**KEYS, "SessionToken": [OUTPUT]}), OTHER_JSON),
        (json.dumps({**KEYS, "SessionToken": "x", "Expiration": OUTPUT}), OTHER_JSON),
        (json.dumps({**KEYS, "SessionToken": "x", "Expiration": 5}), OTHER_JSON),
    ],
)
def test_what_is_not_the_json_of_the_aws_tools(
    project: Project, sts: StrictSts, program: Path, printed: str, says: str
) -> None:
    write(program, f"print({printed!r})")

    message = refused(project)

    assert f"The credential_process of profile process (`give-keys`) {says}" in message
    assert BY_HAND in message
    assert sts.calls == []


def test_output_that_is_no_text(project: Project, program: Path) -> None:
    write(program, "sys.stdout.buffer.write(bytes(range(128, 256)))")

    assert NO_JSON in refused(project)


@pytest.mark.parametrize(
    ("stderr", "why"),
    [
        ("", "It printed nothing on stderr."),
        ("your sign-in has\n  \x1b[31mended\n", "your sign-in has [31mended"),
    ],
)
def test_a_failure_is_told_with_the_exit_code_and_stderr(
    project: Project, program: Path, stderr: str, why: str
) -> None:
    write(program, f"print({OUTPUT!r})\nsys.stderr.write({stderr!r})\nsys.exit(3)")

    message = refused(project)

    assert (
        "The credential_process of profile process (`give-keys`) failed with exit code 3.\n"
        f"  why: {why}\n"
        f"  {BY_HAND}\n"
    ) in message


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (
            "sys.stderr.buffer.write(bytes([233]))\nsys.exit(3)",
            "failed with exit code 3.\n  why: What it printed on stderr is not in UTF-8.",
        ),
        ("import os; os.kill(os.getpid(), 9)", "was ended by signal 9."),
    ],
)
def test_any_failure_has_a_message(project: Project, program: Path, body: str, says: str) -> None:
    write(program, body)

    assert says in refused(project)


@pytest.mark.parametrize("problem", ["missing", "mode"])
def test_a_program_that_cannot_be_started(project: Project, program: Path, problem: str) -> None:
    if problem == "mode":
        program.write_text("")

    message = refused(project)

    assert "profile process (`give-keys`) cannot be started.\n" in message
    assert {"missing": "No such file", "mode": "Permission denied"}[problem] in message
    assert "no shell expands" in message


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (f"TOKEN={ARGUMENT} give-keys", "of profile p cannot be started."),
        (f"give-keys '{ARGUMENT}", "of profile p cannot be started.\n  why: No closing quotation."),
        ("", "of profile p is empty."),
    ],
)
def test_a_line_that_names_no_program(
    project: Project, sts: StrictSts, command: str, says: str
) -> None:
    project.profile("p", credential_process=command, region="eu-central-1")

    assert says in refused(project, "p")


def test_the_program_of_a_source_profile_is_named(
    project: Project, sts: StrictSts, program: Path
) -> None:
    write(program, "sys.exit(1)")
    project.profile("r", role_arn=sts.role("R").arn, source_profile="process", region="eu-west-1")

    assert "The credential_process of profile process (`give-keys`) failed" in refused(project, "r")


def test_a_program_that_fails_in_the_child_process_is_explained_too(
    project: Project, sts: StrictSts, user: Key, program: Path
) -> None:
    write(program, "sys.exit(4)")

    words = ["assume", "--profile", "dev", "assume", "--profile", "process"]
    message = project.run(*words, code=1).err

    assert "(`give-keys`) failed with exit code 4." in message


def invoke_as_process(project: Project, profile: str, *words: str) -> None:
    """Add a profile whose credential_process is invoke in this project."""
    command = [sys.executable, "-m", "invoke", "--search-root", str(project.folder)]
    words = (*command, "assume", *words, "env", "--format", "json")
    project.profile(profile, credential_process=shlex.join(words), region="eu-central-1")


@pytest.mark.parametrize("with_role", [True, False])
def test_a_process_that_leads_back_to_itself_is_refused_at_once(
    project: Project, sts: StrictSts, with_role: bool
) -> None:
    invoke_as_process(project, "loop")
    role = {"role_arn": sts.role("R").arn} if with_role else {}
    project.settings(profile="loop", **role)

    message = project.run("assume", "noop", code=1, timeout=30).err

    assert message.endswith(
        "failed with exit code 1.\n"
        "  why: The credential_process of profile loop leads back to itself. It runs invoke, whose "
        "credentials start from the same profile.\n"
        "  fix: Let `aws.profile` name another profile, one with the keys or the sign-in.\n"
    )
    assert "another process" not in message
    assert sts.calls == []


def test_so_is_a_circle_of_two_profiles_with_the_same_role(
    project: Project, sts: StrictSts
) -> None:
    invoke_as_process(project, "one", "--profile", "two")
    invoke_as_process(project, "two", "--profile", "one")
    project.settings(profile="one", role_arn=sts.role("R").arn)

    message = project.run("assume", "noop", code=1, timeout=40).err

    assert "The credential_process of profile one leads back to itself." in message


def test_a_process_may_give_the_role_that_it_is_asked_for(
    project: Project, sts: StrictSts, user: Key
) -> None:
    invoke_as_process(project, "deployer", "--profile", "dev")
    project.settings(profile="deployer", role_arn=sts.role("R").arn)

    assert "noop ran" in project.run("assume", "noop", timeout=30).out


def test_so_it_is_in_the_child_process_that_loads_a_source(
    project: Project, sts: StrictSts, user: Key
) -> None:
    invoke_as_process(project, "loop", "--profile", "loop")
    arn = sts.role("R").arn
    words = ["assume", "--profile", "dev", "assume", "--profile", "loop", "--role-arn", arn]
    project.settings(role_arn=arn)

    assert "leads back to itself" in project.run(*words, "noop", code=1, timeout=40).err
