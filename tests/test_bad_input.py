"""A mistake gives one clear message: nothing is exported, nothing uploaded, no traceback."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping
from typing import Any

import pytest

from tests.packaging.support import FUNCTION, RUNTIME
from tests.strict_sts import ACCOUNT, Key, Role, StrictSts
from tests.support import Project

ROLE = "arn:aws:iam::123456789012:role/Deployer"


def refused(project: Project, *words: str, environ: Mapping[str, str] = {}) -> str:
    """Run a command line that has to fail, and return its message."""
    result = project.run(*words, "noop", code=1, environ=environ)

    assert "noop ran" not in result.out  # so nothing was exported to it
    assert "Traceback" not in result.err
    assert "fix: " in result.err
    assert project.cache_files() == []
    return result.err


SETTINGS: list[tuple[dict[str, Any], list[str], str]] = [
    ({"profile": "dve"}, [], "There is no AWS profile `dve`.\n.*Did you mean `dev`?"),
    ({"account_id": 123456789012}, [], "`aws.account_id` must be a string, got a number"),
    ({"regoin": "x"}, [], "Unknown setting `aws.regoin`.*Did you mean `region`?"),
    ({}, ["--role-arn", "Deployer"], "`--role-arn` must be a role ARN, got 'Deployer'"),
    ({}, ["--duration", "60"], "`--duration` must be a duration from 15m to 12h, got '60'."),
    ({}, ["--session-name", "a b"], "`--session-name` must be a role session name, got 'a b'"),
    ({}, ["--target", "prod"], "There is no target `prod`"),
    ({"functions": {"f": {}}}, [], "`aws.functions.f.source` is missing"),
]


@pytest.mark.parametrize(("aws", "words", "says"), SETTINGS)
def test_a_wrong_setting_is_named_before_any_call(
    project: Project, sts: StrictSts, user: Key, aws: dict[str, Any], words: list[str], says: str
) -> None:
    project.settings(**{"profile": "dev", "role_arn": ROLE, **aws})

    message = refused(project, "assume", *words)

    assert re.search(says, message, re.DOTALL), message
    assert sts.calls == []


def test_a_profile_that_ci_does_not_have_is_no_advice_to_make_one(
    project: Project, sts: StrictSts
) -> None:
    project.settings(profile="dev", role_arn=ROLE)

    message = refused(project, "assume", environ={"CI": "true"})

    assert "There is no AWS profile `dev`." in message
    assert "aws configure" not in message
    assert "AWS_PROFILE" in message


def test_no_role_and_no_profile(project: Project, sts: StrictSts) -> None:
    message = refused(project, "assume", environ={"AWS_REGION": "eu-central-1"})

    assert "No AWS credentials were found." in message
    assert "--profile" in message
    assert "--role-arn" in message


def test_no_region(project: Project, sts: StrictSts) -> None:
    key = sts.user_key()
    project.profile("bare", aws_access_key_id=key.id, aws_secret_access_key=key.secret)

    assert "No AWS region is set." in refused(project, "assume", "--profile", "bare")
    assert sts.calls == []


def test_an_empty_profile(project: Project, sts: StrictSts) -> None:
    project.profile("empty", region="eu-central-1")

    assert "The AWS profile empty has no credentials." in refused(
        project, "assume", "--profile", "empty"
    )


def test_a_role_of_another_account_is_refused_before_the_call(
    project: Project, sts: StrictSts, user: Key
) -> None:
    project.settings(profile="dev", role_arn=ROLE, account_id="999999999999")

    message = refused(project, "assume")

    assert "is in account 123456789012, but `aws.account_id` allows only 999999999999" in message
    assert sts.calls == []


def test_keys_of_another_account_are_never_exported(
    project: Project, sts: StrictSts, user: Key
) -> None:
    project.settings(profile="dev", account_id="999999999999")

    result = project.run("assume", "noop", code=1)

    assert f"belong to account {ACCOUNT}" in result.err
    assert "noop ran" not in result.out
    assert project.run("assume", "noop", code=1).err.count("allows only 999999999999") == 1


def test_a_role_that_trusts_somebody_else(project: Project, sts: StrictSts, user: Key) -> None:
    role = sts.role("Closed", closed=True)
    project.settings(profile="dev", role_arn=role.arn)

    message = refused(project, "assume")

    assert f"AWS does not let these credentials obtain the role {role.arn}." in message
    assert "external ID" in message
    assert sts.count("AssumeRole") == 1


def test_source_credentials_that_have_expired(project: Project, sts: StrictSts) -> None:
    key = sts.issue(f"arn:aws:sts::{ACCOUNT}:assumed-role/Old/x", -60)
    environ = {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_SESSION_TOKEN": str(key.token),
        "AWS_REGION": "eu-central-1",
    }
    project.settings(role_arn=ROLE)

    for more in ({}, {"AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}):
        assert "have expired." in refused(project, "assume", environ={**environ, **more})


def test_a_key_that_aws_does_not_know(project: Project, sts: StrictSts) -> None:
    project.profile(
        "gone", aws_access_key_id="AKIAGONE", aws_secret_access_key="x", region="eu-central-1"
    )
    project.settings(profile="gone", role_arn=ROLE)

    assert "AWS does not know the access key" in refused(project, "assume")


def test_a_secret_that_is_not_the_keys(project: Project, sts: StrictSts) -> None:
    key = sts.user_key()
    project.profile(
        "typo", aws_access_key_id=key.id, aws_secret_access_key="x", region="eu-central-1"
    )
    project.settings(profile="typo", role_arn=ROLE)

    assert "The secret access key does not belong" in refused(project, "assume")


def test_a_clock_that_is_wrong(project: Project, sts: StrictSts, role: Role) -> None:
    sts.skew = 900

    assert "This computer's clock is 15 min behind that of AWS." in refused(project, "assume")


def test_an_endpoint_that_refuses_connections(project: Project, sts: StrictSts, role: Role) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{probe.getsockname()[1]}"
        message = refused(project, "assume", environ={"AWS_ENDPOINT_URL": closed})

    assert f"AWS cannot be reached to obtain the role {ROLE}." in message
    assert closed in message


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ENDPOINT_URL", "junk"), ("AWS_MAX_ATTEMPTS", "many")]
)
def test_a_variable_that_botocore_cannot_read(
    project: Project, sts: StrictSts, role: Role, name: str, value: str
) -> None:
    assert value in refused(project, "assume", environ={name: value})


def test_a_misspelt_variable_is_refused(project: Project, sts: StrictSts, role: Role) -> None:
    message = refused(project, "assume", environ={"INVOKE_AWS_ACOUNT_ID": "123456789012"})

    assert "Did you mean `INVOKE_AWS_ACCOUNT_ID`?" in message


def test_a_token_file_that_is_not_there(project: Project, sts: StrictSts) -> None:
    project.profile(
        "ci", role_arn=ROLE, web_identity_token_file="/no/such/file", region="eu-central-1"
    )

    assert "/no/such/file" in refused(project, "assume", "--profile", "ci")


def test_a_credentials_file_without_a_header_shows_nothing_of_it(
    project: Project, sts: StrictSts
) -> None:
    folder = project.home / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text("aws_secret_access_key = hunter2-hunter2\n")

    message = refused(project, "assume")

    assert "credentials, line 1." in message
    assert "hunter2" not in message


def test_a_role_of_the_profile_in_another_account_is_refused_before_the_call(
    project: Project, sts: StrictSts, user: Key
) -> None:
    project.profile("ops", role_arn=ROLE, source_profile="dev", region="eu-central-1")
    project.settings(profile="ops", account_id="999999999999")

    assert "allows only 999999999999" in refused(project, "assume")
    assert sts.calls == []


def test_a_runtime_without_wheels_does_not_drop_the_dependencies(
    project: Project, sts: StrictSts, role: Role
) -> None:
    (project.folder / "src").mkdir()
    (project.folder / "src" / "requirements.txt").write_text("humanize\n")
    project.settings(functions={"f": {**FUNCTION, "Runtime": "python3"}})

    assert "Cannot choose wheels for f from requirements.txt." in project.run("package", code=1).err


def test_the_value_of_a_variable_is_not_shown(project: Project, sts: StrictSts, role: Role) -> None:
    variables = {"PASSWORD": 73915544}
    project.settings(functions={"f": {**FUNCTION, "Environment": {"Variables": variables}}})

    message = project.run("package", code=1).err

    assert "PASSWORD` must be a string, got a number" in message
    assert "73915544" not in message


def test_an_mfa_code_is_needed_and_there_is_no_terminal(
    project: Project, sts: StrictSts, user: Key
) -> None:
    project.settings(profile="dev", role_arn=ROLE, mfa_serial=sts.device().serial)

    assert "there is no terminal" in refused(project, "assume")


FUNCTIONS: list[tuple[dict[str, Any], str]] = [
    ({"Handler": None}, "`aws.functions.f.Handler` is missing"),
    ({"source": "nowhere"}, "names nowhere, which does not exist"),
    ({"source": "empty"}, "contains no files to package"),
    ({"Handler": "other.handler"}, "the archive does not contain other.py"),
    (
        {"Handler": "broken.handler", "Runtime": RUNTIME},
        "broken.py is not valid Python",
    ),
    ({"MemorySize": "256"}, "`aws.functions.f.MemorySize` must be an integer, got '256'."),
    ({"MemorySize": 64}, "`aws.functions.f.MemorySize` must be between 128 and .*, got 64."),
    ({"Timeuot": 3}, "`aws.functions.f.Timeuot` is not a parameter.*Did you mean `Timeout`?"),
    ({"Role": "hello"}, "`aws.functions.f.Role` must be an ARN, .*, got 'hello'."),
    ({"Code": {"S3Key": "x"}}, "`aws.functions.f.Code.S3Key` cannot be set"),
    ({"Publish": True}, "`aws.functions.f.Publish` cannot be set"),
    ({"requirements": "nowhere.txt"}, "names nowhere.txt, which does not exist"),
    (
        {"Environment": {"Variables": {"LONG": "x" * 5000}}},
        "must be at most 4096 bytes, got 5011; .* LONG 5000 B",
    ),
]


@pytest.mark.parametrize(("changes", "says"), FUNCTIONS)
def test_a_wrong_function_is_named_before_any_upload(
    project: Project, sts: StrictSts, role: Role, changes: dict[str, Any], says: str
) -> None:
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("def handler(event, context): pass\n")
    (project.folder / "src" / "broken.py").write_text("def handler(:\n")
    (project.folder / "empty").mkdir()
    project.settings(profile="dev", role_arn=role.arn, functions={"f": {**FUNCTION, **changes}})

    result = project.run("assume", "deploy", code=1)

    assert re.search(says, result.err, re.DOTALL), result.err
    assert "Traceback" not in result.err
    assert {name for name, _ in sts.calls} == {"AssumeRole"}


def test_all_problems_of_a_function_are_told_at_once(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.settings(
        profile="dev", role_arn=role.arn, functions={"f": {"source": "src", "Timeout": 0}}
    )

    message = project.run("deploy", code=1).err

    assert message.startswith("The settings have 3 mistakes:")
    assert sts.calls == []


def test_an_unknown_function_is_refused_with_a_suggestion(project: Project, role: Role) -> None:
    project.settings(
        profile="dev", role_arn=role.arn, functions={"hello": FUNCTION, "other": FUNCTION}
    )

    message = project.run("package", "--function", "helo", code=1).err

    assert "Did you mean `hello`? Use one of: hello, other." in message


def test_no_function_at_all(project: Project, role: Role) -> None:
    assert "No functions are configured." in project.run("deploy", code=1).err
