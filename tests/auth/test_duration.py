"""`assume --for`: enough time for the job, or a refusal before it starts."""

from __future__ import annotations

import pytest

from tests.auth.test_sts_calls import temporary
from tests.conftest import REGION
from tests.strict_sts import USER_ARN, Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

HOUR = 3600
TASKS = """
import sys
from invoke import task
from tasks_aws import *

@task
def job(c):
    left = round(credentials(c).seconds_left() / 60)
    print(f"the job runs, with {left} minutes")

@task
def child(c):
    c.run(f"{sys.executable} -c 'import os, json; print(json.dumps(dict(os.environ)))'")

@task
def load(c):
    text = redshift(c, lasting="3h")
    assert text == redshift(c, lasting="3h")
    statement = "COPY t FROM 's3://b/k' CREDENTIALS '" + text + "'"
    print(repr(text), repr(statement), [statement])
    print(statement.count("aws_access_key_id=ASIA"), statement.endswith("'"))
"""


@pytest.fixture
def long_role(project: Project, sts: StrictSts, user: Key) -> Role:
    """A role whose sessions may last four hours, assumed for what the setting says: one."""
    role = sts.role("Loader", maximum=4 * HOUR)
    project.tasks(TASKS)
    project.settings(profile="dev", role_arn=role.arn)
    return role


def durations(sts: StrictSts) -> list[str | None]:
    return [params.get("DurationSeconds") for name, params in sts.calls if name == "AssumeRole"]


def test_a_session_lasts_as_long_as_the_job_and_serves_all_that_need_no_more(
    project: Project, sts: StrictSts, long_role: Role
) -> None:
    first = project.run("assume", "--for", "3h", "job", "assume", "--for", "3h")
    project.run("assume", "--for", "90m")
    project.run("assume")

    assert "the job runs, with 180 minutes" in first.out
    assert durations(sts) == ["10800"]


def test_a_cached_session_with_too_little_time_is_replaced(
    project: Project, sts: StrictSts, long_role: Role
) -> None:
    project.run("assume", "assume", "--for", "50m")  # of the hour of before
    project.run("assume", "--for", "2h")

    assert durations(sts) == [None, "7200"]


def test_active_credentials_are_extended_and_their_role_stays(
    project: Project, sts: StrictSts, long_role: Role
) -> None:
    other = sts.role("Other", maximum=2 * HOUR)
    words = ["assume", "--role-arn", other.arn, "assume", "--for", "2h", "job", "whoami"]

    out = project.run(*words).out

    assert "with 120 minutes" in out
    assert "assumed-role/Other" in out
    assert durations(sts) == [None, "7200"]


def test_more_than_the_setting_is_asked_for_and_never_less(
    project: Project, sts: StrictSts, long_role: Role
) -> None:
    for seconds in (900, 4 * HOUR):
        project.settings(profile="dev", role_arn=long_role.arn, duration_seconds=seconds)
        project.run("assume", "--for", "2h", "--fresh")

    assert durations(sts) == ["7200", "14400"]


def test_the_session_of_plain_keys_lasts_as_long_as_the_job(
    project: Project, sts: StrictSts, user: Key
) -> None:
    project.tasks(TASKS)
    project.settings(profile="dev")

    assert "with 180 minutes" in project.run("assume", "--for", "3h", "job").out


def test_a_role_whose_maximum_is_shorter_is_a_refusal_and_no_fallback(
    project: Project, sts: StrictSts, long_role: Role
) -> None:
    result = project.run("assume", "--for", "5h", "job", code=1)

    assert result.out == ""
    assert result.err.count("\n") == 3  # what, why, what to do
    assert f"{long_role.arn} allows no session of 5 h." in result.err
    assert "aws iam update-role --role-name Loader --max-session-duration 18000" in result.err
    assert "--keep-fresh" in result.err
    assert sts.count("AssumeRole") == 1


def test_a_setting_beyond_the_maximum_is_lowered_when_that_is_enough(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(TASKS)

    result = project.run("assume", "--duration", "2h", "--for", "50m", "job")

    assert "asking for 1 h" in result.err
    assert "with 60 minutes" in result.out


def test_a_setting_beyond_the_maximum_is_lowered_to_what_is_needed_and_not_below(
    project: Project, sts: StrictSts, long_role: Role
) -> None:
    project.settings(profile="dev", role_arn=long_role.arn, duration_seconds=6 * HOUR)

    enough = project.run("assume", "--for", "3h", "job")
    short = project.run("assume", "--for", "5h", "job", code=1)

    assert "asking for 3 h." in enough.err
    assert "with 180 minutes" in enough.out
    assert f"{long_role.arn} allows no session of 5 h." in short.err
    assert short.out == ""
    assert durations(sts) == ["21600", "10800", "21600", "18000"]


def test_a_code_is_spent_once_and_never_on_a_session_that_cannot_be_enough(
    project: Project, sts: StrictSts, user: Key
) -> None:
    device, role = sts.device(), sts.role("Guarded", mfa=True)
    project.tasks(TASKS)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial)
    code = ["--mfa-code", device.code()]

    short = project.run("assume", "--for", "2h", *code, "job", code=1)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial, mfa_session=True)
    calls = len(sts.calls)
    chained = project.run("assume", "--for", "2h", "--mfa-code", "123456", "job", code=1)

    assert "allows no session of 2 h" in short.err
    assert "another MFA code" not in short.err
    assert "AWS limits it to one hour" in chained.err
    assert "without `aws.mfa_session`" in chained.err
    assert len(sts.calls) == calls


@pytest.mark.parametrize("source", ["a role", "single sign-on", "a container", "a program"])
def test_a_chain_of_roles_is_refused_before_sts_is_asked(
    project: Project, sts: StrictSts, long_role: Role, source: str
) -> None:
    key, environ = sts.issue("arn:aws:sts::111111111111:assumed-role/A/b", HOUR), {}
    profile = "other"
    if source == "a role":
        arn = sts.role("First", maximum=4 * HOUR).arn
        project.profile(profile, role_arn=arn, source_profile="dev", region=REGION)
    elif source == "single sign-on":
        start = "https://corp.awsapps.com/start"
        project.profile(
            profile,
            sso_start_url=start,
            sso_region=REGION,
            sso_account_id="1" * 12,
            sso_role_name="Dev",
            region=REGION,
        )
    elif source == "a program":
        answer = project.home / ".aws" / "answer.json"
        answer.write_text(
            f'{{"Version": 1, "AccessKeyId": "{key.id}", "SecretAccessKey": "{key.secret}", '
            f'"SessionToken": "{key.token}"}}'
        )
        TAINT.own(answer, key.secret, str(key.token))
        project.profile(profile, credential_process=f"cat {answer}", region=REGION)
    else:
        project.profile(profile, region=REGION)
        profile = ""
        environ = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/",
            "AWS_REGION": REGION,
        }
    project.settings(role_arn=long_role.arn, **({"profile": profile} if profile else {}))

    result = project.run("assume", "--for", "2h", "job", code=1, environ=environ)

    assert f"A session of {long_role.arn} cannot last 2 h: AWS limits it to one hour." in result.err
    assert result.out == ""
    assert sts.calls == []


def test_credentials_whose_end_others_decide_are_measured(project: Project, sts: StrictSts) -> None:
    project.tasks(TASKS)
    environ = {**temporary(sts.issue(USER_ARN, 3600), seconds=3600), "AWS_REGION": REGION}

    enough = project.run("assume", "--for", "50m", "job", environ=environ)
    short = project.run("assume", "--for", "2h", "job", environ=environ, code=1)

    assert "with 60 minutes" in enough.out
    assert "last 1 h, but 2 h is required." in short.err
    assert short.out == ""


def test_a_web_identity_is_asked_for_a_session_that_lasts(project: Project, sts: StrictSts) -> None:
    token = project.home / "token"
    token.write_text(sts.web_identity_token)
    TAINT.own(token, sts.web_identity_token)
    project.tasks(TASKS)
    environ = {
        "AWS_ROLE_ARN": sts.role("Ci", maximum=7200).arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
        "AWS_REGION": REGION,
    }

    enough = project.run("assume", "--for", "2h", "job", environ=environ)
    short = project.run("assume", "--for", "3h", "job", environ=environ, code=1)

    assert "with 120 minutes" in enough.out
    assert "role/Ci allows no session of 3 h." in short.err
    assert short.out == ""


def test_credentials_whose_end_nobody_knows_are_no_promise(
    project: Project, sts: StrictSts
) -> None:
    key = sts.issue("arn:aws:sts::111111111111:assumed-role/A/b", HOUR)
    environ = {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_SESSION_TOKEN": str(key.token),
        "AWS_REGION": REGION,
    }

    project.run("assume", environ=environ)
    result = project.run("assume", "--for", "5m", environ=environ, code=1)

    assert (
        "Cannot tell whether the credentials of the default credential chain last 5 min:"
        in result.err
    )


def test_a_shorter_answer_than_was_asked_is_refused(
    project: Project, sts: StrictSts, long_role: Role
) -> None:
    sts.lifetime = HOUR

    result = project.run("assume", "--for", "2h", "job", code=1)

    assert "last 1 h, but 2 h is required." in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--for", "soon"], "`--for` must be a duration from 1s to 365d, got 'soon'."),
        (["--for", "0"], "`--for` must be a duration from 1s to 365d, got '0'."),
        (["--for", "13h"], "`--for` is 13 h, but no session lasts longer than 12 hours."),
        (["--for", "3h", "--duration", "1h"], "`--duration` (1 h) is shorter than `--for` (3 h)."),
    ],
)
def test_times_that_cannot_be_are_refused_before_any_call(
    project: Project, sts: StrictSts, long_role: Role, options: list[str], says: str
) -> None:
    assert says in project.run("assume", *options, "job", code=1).err
    assert sts.calls == []


def test_a_statement_for_redshift_has_its_time_and_shows_no_secret(
    project: Project, sts: StrictSts, long_role: Role
) -> None:
    result = project.run("assume", "load")

    assert result.out.splitlines() == ["'***' '***' ['***']", "1 True"]
    assert durations(sts) == [None, "10800"]


def test_a_statement_that_cannot_have_its_time_is_not_begun(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(TASKS)

    result = project.run("load", code=1)

    assert result.out == ""
    assert f"{role.arn} allows no session of 3 h." in result.err
