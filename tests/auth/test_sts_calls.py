"""Whatever a session starts from, it has what is asked for, or there is an error and no session."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tasks_aws.auth.sts_calls import Start, carrier
from tests.conftest import REGION
from tests.strict_sts import Key, StrictSts
from tests.support import Project, sts_model
from tests.taint import TAINT

DENY_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
}
READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"

# Each setting of a session, a value, and what a call of STS that carries it is sent.
SETTINGS: dict[str, tuple[Any, Callable[[dict[str, str]], bool]]] = {
    "policy": (DENY_ALL, lambda sent: json.loads(sent.get("Policy", "{}")) == DENY_ALL),
    "policy_arns": ([READ_ONLY], lambda sent: sent.get("PolicyArns.member.1.arn") == READ_ONLY),
    "read_only": (True, lambda sent: sent.get("PolicyArns.member.1.arn") == READ_ONLY),
    "session_tags": ({"Team": "web"}, lambda sent: sent.get("Tags.member.1.Value") == "web"),
    "source_identity": ("alice", lambda sent: sent.get("SourceIdentity") == "alice"),
    "external_id": ("x:y", lambda sent: sent.get("ExternalId") == "x:y"),
    "role_session_name": (
        "release-42",
        lambda sent: "release-42" in (sent.get("RoleSessionName"), sent.get("Name")),
    ),
    "duration_seconds": (1200, lambda sent: sent.get("DurationSeconds") == "1200"),
}


def start_from(start: Start, project: Project, sts: StrictSts, **settings: Any) -> None:
    """Let the project start from a kind of source, with these settings."""
    key = sts.user_key()
    keys = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
    if start is Start.ROLE:
        role = sts.role("Deployer", external_id=settings.get("external_id"))
        settings["role_arn"] = role.arn
    elif start is Start.KEYS_WITH_MFA:
        keys["mfa_serial"] = sts.device().serial
    elif start is Start.WEB_IDENTITY:
        file = project.home / "token"
        file.write_text(sts.web_identity_token)
        TAINT.own(file, sts.web_identity_token)
        keys = {"role_arn": sts.role("Ci").arn, "web_identity_token_file": str(file)}
    elif start is Start.TEMPORARY:
        key = sts.issue(key.arn, 3600)
        project.environ |= temporary(key, seconds=3600)
        project.environ["AWS_REGION"] = REGION
        project.settings(**settings)
        return
    project.profile("dev", region=REGION, **keys)
    project.settings(profile="dev", **settings)


def temporary(key: Key, *, seconds: float | None) -> dict[str, str]:
    """Return variables with a session's credentials that end in so many seconds."""
    variables = {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_SESSION_TOKEN": str(key.token),
    }
    if seconds is not None:
        end = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        variables["AWS_CREDENTIAL_EXPIRATION"] = end.strftime("%Y-%m-%dT%H:%M:%SZ")
    return variables


def words(start: Start, sts: StrictSts) -> list[str]:
    """Return the command line, with an MFA code where one is needed."""
    code = ["--mfa-code", next(iter(sts.devices.values())).code()] if sts.devices else []
    return ["assume", *code, "child"]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("start", Start, ids=lambda start: start.name)
def test_a_session_has_what_is_asked_for_or_there_is_none(
    project: Project, sts: StrictSts, start: Start, setting: str
) -> None:
    value, is_sent = SETTINGS[setting]
    project.with_sts_model(sts_model())
    start_from(start, project, sts, **{setting: value})
    by = carrier(start, "policy_arns" if setting == "read_only" else setting)

    result = project.run(*words(start, sts), code=0 if by else 1)

    if by:
        assert [action for action, sent in sts.calls if is_sent(sent)] == [by]
        exported = project.exported(result)["AWS_ACCESS_KEY_ID"]
        assert exported == list(sts.keys)[-1]  # that of the last session, which has it all
    else:
        assert f"aws.{setting}`" in result.err or f"--{setting.replace('_', '-')}" in result.err
        assert "cannot be applied to" in result.err
        assert "AWS_ACCESS_KEY_ID" not in result.out
        assert not sts.calls


def test_keys_without_mfa_take_tags_only_with_a_policy(project: Project, sts: StrictSts) -> None:
    start_from(Start.KEYS, project, sts, session_tags={"Team": "web"}, policy=DENY_ALL)

    result = project.run("assume", "whoami")

    [(action, sent), _] = sts.calls
    assert (action, sent["Tags.member.1.Key"], sent["Name"]) == (
        "GetFederationToken",
        "Team",
        "alice",
    )
    assert f"federated-user/{sent['Name']}" in result.out
    assert "warning   A federation session can call neither IAM nor STS" in result.err


def test_a_session_that_ends_soon_is_not_asked_to_last(project: Project, sts: StrictSts) -> None:
    start_from(Start.TEMPORARY, project, sts, duration_seconds="2h")

    message = project.run("assume", "child", code=1).err

    assert "is 2 h, but the credentials of the default credential chain last only 1 h" in message
    assert not sts.calls


def test_a_session_that_lasts_as_long_as_asked_is_used_as_it_is(
    project: Project, sts: StrictSts
) -> None:
    start_from(Start.TEMPORARY, project, sts, duration_seconds=3600)

    found = project.exported(project.run("assume", "child"))

    assert found["AWS_ACCESS_KEY_ID"] == project.environ["AWS_ACCESS_KEY_ID"]


def test_credentials_without_an_end_are_given_one(project: Project, sts: StrictSts) -> None:
    project.with_sts_model(sts_model())
    start_from(Start.TEMPORARY, project, sts, duration_seconds=1200)
    del project.environ["AWS_CREDENTIAL_EXPIRATION"]

    result = project.run("assume", "child")

    assert "20 min left" in result.err
    assert "AWS_CREDENTIAL_EXPIRATION" in project.exported(result)


@pytest.mark.parametrize("start", [Start.KEYS_WITH_MFA, Start.TEMPORARY])
def test_an_older_botocore_is_named_before_a_code_is_spent(
    project: Project, sts: StrictSts, start: Start
) -> None:
    start_from(start, project, sts, policy=DENY_ALL)
    model = sts_model()
    model["operations"].pop("GetScopedCredentials", None)
    project.with_sts_model(model)

    message = project.run(*words(start, sts), code=1).err

    assert "does not know GetScopedCredentials" in message
    assert "pip install --upgrade boto3" in message
    assert not sts.calls


def test_limits_are_those_of_the_installed_botocore(project: Project, sts: StrictSts) -> None:
    model = sts_model()
    model["shapes"]["sourceIdentityType"]["max"] = 64
    project.with_sts_model(model)
    start_from(Start.ROLE, project, sts, source_identity="a" * 65)

    message = project.run("assume", code=1).err

    assert "`aws.source_identity` has 65 characters, but AssumeRole takes at most 64" in message
    assert not sts.calls


def test_a_federated_name_is_not_cut(project: Project, sts: StrictSts) -> None:
    start_from(Start.KEYS, project, sts, policy=DENY_ALL, role_session_name="a" * 33)

    message = project.run("assume", code=1).err

    assert "(--session-name) has 33 characters, but GetFederationToken takes at most 32" in message
    assert not sts.calls


def test_the_web_identity_of_a_profile_named_again_is_no_chain(
    project: Project, sts: StrictSts
) -> None:
    start_from(Start.WEB_IDENTITY, project, sts, role_arn="arn:aws:iam::123456789012:role/Ci")

    project.run("assume")

    assert [action for action, _ in sts.calls] == ["AssumeRoleWithWebIdentity"]
    assert sts.calls[0][1]["RoleSessionName"] == "alice"


@pytest.mark.parametrize("key", ["policy", "policy_arns"])
def test_read_only_cannot_be_widened(project: Project, sts: StrictSts, key: str) -> None:
    start_from(Start.ROLE, project, sts, **{key: SETTINGS[key][0]})

    message = project.run("assume", "--read-only", code=1).err

    assert f"`--read-only` and `aws.{key}` cannot be combined" in message
    assert not sts.calls


def test_read_only_names_the_policy_of_the_partition(project: Project, sts: StrictSts) -> None:
    sts.role("Reader")
    key = sts.user_key()
    project.profile(
        "dev", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region="cn-north-1"
    )
    role = "arn:aws-cn:iam::123456789012:role/Reader"
    project.settings(profile="dev", role_arn=role)

    project.run("assume", "--read-only", code=None)

    assert sts.calls[0][1]["PolicyArns.member.1.arn"] == READ_ONLY.replace("aws:iam", "aws-cn:iam")


@pytest.mark.parametrize("policy", ["{}", "null"])
def test_an_empty_policy_is_not_no_policy(project: Project, sts: StrictSts, policy: str) -> None:
    (project.folder / "policy.json").write_text(policy)
    start_from(Start.ROLE, project, sts, policy="policy.json")

    message = project.run("assume", code=1).err

    assert "`aws.policy` is empty." in message
    assert not sts.calls


def test_the_line_of_assume_says_that_a_session_is_narrowed(
    project: Project, sts: StrictSts
) -> None:
    start_from(Start.ROLE, project, sts)

    assert "role/Deployer, read-only  account" in project.run("assume", "--read-only").err
    assert "read-only" not in project.run("assume").err


def test_a_variable_has_json_for_a_mapping(project: Project, sts: StrictSts) -> None:
    start_from(Start.ROLE, project, sts)
    environ = {
        "INVOKE_AWS_SESSION_TAGS": '{"Team": "web"}',
        "INVOKE_AWS_POLICY": json.dumps(DENY_ALL),
        "INVOKE_AWS_POLICY_ARNS": json.dumps([READ_ONLY]),
    }

    project.run("assume", environ=environ)

    [(_, sent)] = sts.calls
    assert all(SETTINGS[name][1](sent) for name in ("session_tags", "policy", "policy_arns"))
    joined = {"INVOKE_AWS_POLICY_ARNS": f"{READ_ONLY},{READ_ONLY}"}
    assert (
        "must be the ARN of a managed policy" in project.run("assume", code=1, environ=joined).err
    )


def test_a_setting_about_mfa_without_a_device_is_a_warning(
    project: Project, sts: StrictSts
) -> None:
    start_from(Start.ROLE, project, sts, mfa_session=True)

    assert "`aws.mfa_session` has no effect" in project.run("assume").err


def test_an_expiry_that_is_no_time_is_named(project: Project, sts: StrictSts) -> None:
    start_from(Start.TEMPORARY, project, sts)
    project.environ["AWS_CREDENTIAL_EXPIRATION"] = "soon"

    message = project.run("assume", code=1).err

    assert "is not a time" in message
    assert "AWS_CREDENTIAL_EXPIRATION" in message
