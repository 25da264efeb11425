"""An invoke below another one, or in a shell that took credentials, finds its request active."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tests.auth.test_sts_calls import DENY_ALL, temporary
from tests.conftest import REGION
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

INVOKE = f"{sys.executable} -m invoke"
# `inside` runs invoke again, with the words in WORDS.
TASKS = f"""
import os, sys
from invoke import task
from tasks_aws import *

@task
def inside(c):
    c.run("{INVOKE} " + os.environ["WORDS"])

@task
def child(c):
    c.run(sys.executable + " child.py")
"""


@pytest.fixture
def shared(project: Project, sts: StrictSts) -> Role:
    """Keys in `[default]`, and a role in the project's settings."""
    key = sts.user_key()
    project.profile(
        "default", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region=REGION
    )
    role = sts.role("Deployer")
    project.settings(role_arn=role.arn)
    project.tasks(TASKS)
    return role


def inside(project: Project, outer: str, inner: str, *, code: int = 0, **environ: Any) -> Any:
    """Run invoke with `outer`, and in its environment once more with `inner`."""
    return project.run(*outer.split(), "inside", code=code, environ={"WORDS": inner, **environ})


def in_bash(
    project: Project, script: str, *, code: int = 0, **environ: Any
) -> subprocess.CompletedProcess[str]:
    """Run a script in the project's folder, and check its exit code."""
    process = subprocess.run(
        ["bash", "-c", script],
        cwd=project.folder,
        env={**project.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == code, process.stderr
    return process


def actions(sts: StrictSts) -> list[str]:
    return [action for action, _ in sts.calls if action != "GetCallerIdentity"]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"policy": DENY_ALL},
        {"duration_seconds": 1800},
        {"source_identity": "alice", "session_tags": {"Team": "web"}},
    ],
)
@pytest.mark.parametrize("outer", ["assume", "assume --keep-fresh"])
def test_the_same_request_is_active_inside(
    project: Project, sts: StrictSts, shared: Role, settings: dict[str, Any], outer: str
) -> None:
    project.settings(role_arn=shared.arn, cache="none", **settings)

    result = inside(project, outer, "assume whoami")

    assert actions(sts) == ["AssumeRole"]
    assert "assumed-role/Deployer/alice" in result.out


def test_a_shell_that_took_the_credentials_has_the_request(
    project: Project, sts: StrictSts, shared: Role
) -> None:
    project.settings(role_arn=shared.arn, cache="none", duration_seconds=1800)
    script = f'creds=$({INVOKE} assume env) && eval "$creds" && {INVOKE} assume whoami'

    process = in_bash(project, script)

    assert actions(sts) == ["AssumeRole"]
    assert "assumed-role/Deployer/alice" in process.stdout


def test_what_is_asked_of_nothing_in_particular_is_what_is_active(
    project: Project, sts: StrictSts, shared: Role
) -> None:
    other = sts.role("Other")
    (project.folder / "invoke.yaml").unlink()

    result = inside(project, f"assume --role-arn {other.arn} --region eu-west-1", "assume whoami")

    assert actions(sts) == ["AssumeRole"]
    assert "assumed-role/Other/alice" in result.out
    assert "eu-west-1" in result.out


@pytest.mark.parametrize("option", ["policy", "role"])
def test_another_request_starts_from_the_users_own_source(
    project: Project, sts: StrictSts, shared: Role, option: str
) -> None:
    other = sts.role("Other")
    project.settings(role_arn=shared.arn, targets={"narrow": {"policy": DENY_ALL}})
    words = f"--role-arn {other.arn}" if option == "role" else "--target narrow"

    result = inside(project, "assume", f"assume {words} whoami")

    assert actions(sts) == ["AssumeRole", "AssumeRole"]
    assert ("assumed-role/Other/" if option == "role" else "assumed-role/Deployer/") in result.out
    assert ("Policy" in sts.calls[1][1]) is (option == "policy")


def test_the_users_own_profile_and_region_are_found_again(
    project: Project, sts: StrictSts, shared: Role
) -> None:
    key = sts.user_key("arn:aws:iam::111111111111:user/eu")
    project.profile(
        "eu", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region="eu-west-3"
    )
    other = sts.role("Other")
    words = f"assume --role-arn {other.arn} whoami"

    result = inside(project, "assume --region us-east-1", words, AWS_PROFILE="eu")

    assert "region   eu-west-3" in result.out
    assert actions(sts) == ["AssumeRole", "AssumeRole"]
    assert [caller for caller in sts.callers if "user" in caller] == [key.arn, key.arn]


def test_what_keeps_credentials_fresh_gives_way_to_another_request(
    project: Project, sts: StrictSts, shared: Role
) -> None:
    other = sts.role("Other")
    words = f"assume --role-arn {other.arn} child"

    result = inside(project, "assume --keep-fresh", words, AWS_CREDENTIAL_PROFILES_FILE="/mine")

    found = project.exported(result)
    assert found["AWS_CREDENTIAL_PROFILES_FILE"] == "/mine"
    assert not {"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_SDK_LOAD_CONFIG"} & {*found}
    assert not {"AWS_CREDENTIAL_FILE", "CPL_AWS_CREDENTIALS_FILE"} & {*found}
    assert not [name for name in found if name.startswith("AWS_CONTAINER_")]


def test_a_source_that_was_replaced_is_named(project: Project, sts: StrictSts) -> None:
    stranger = sts.user_key("arn:aws:iam::999999999999:user/stranger")
    project.profile("default", aws_access_key_id=stranger.id, aws_secret_access_key=stranger.secret)
    key, role, other = sts.user_key(), sts.role("Deployer"), sts.role("Other")
    project.settings(role_arn=role.arn, region=REGION)
    project.tasks(TASKS)
    keys = {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}

    result = inside(project, "assume", f"assume --role-arn {other.arn}", code=1, **keys)

    assert "The source of the active credentials is no longer available." in result.err
    assert "`assume` has replaced AWS_ACCESS_KEY_ID" in result.err
    assert actions(sts) == ["AssumeRole"]


@pytest.mark.parametrize("inner", ["whoami", "assume whoami", "assume --session-name other whoami"])
def test_everything_inside_a_read_only_session_is_read_only(
    project: Project, sts: StrictSts, shared: Role, inner: str
) -> None:
    inside(project, "assume --read-only", inner)

    assumed = [asked for action, asked in sts.calls if action == "AssumeRole"]
    assert len(assumed) == (2 if "other" in inner else 1)
    for asked in assumed:
        assert any("policy/ReadOnlyAccess" in str(value) for value in asked.values())


def test_a_policy_cannot_widen_a_read_only_session_inside(
    project: Project, sts: StrictSts, shared: Role
) -> None:
    arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
    project.settings(role_arn=shared.arn, targets={"wide": {"policy_arns": [arn]}})

    result = inside(project, "assume --read-only", "assume --target wide", code=1)

    assert "`aws.policy_arns` cannot be used inside a read-only session." in result.err
    assert actions(sts) == ["AssumeRole"]


def test_a_session_that_ends_too_soon_is_not_used_inside(
    project: Project, sts: StrictSts, shared: Role
) -> None:
    project.settings(role_arn=shared.arn, cache="none")
    sts.lifetime = 120

    inside(project, "assume", "assume")

    assert actions(sts) == ["AssumeRole", "AssumeRole"]


@pytest.fixture
def prod(project: Project, sts: StrictSts) -> Role:
    """A target with a role, in a project whose settings ask for nothing else."""
    for name, account, region in (
        ("default", "999999999999", "sa-east-1"),
        ("two", "222222222222", "us-west-1"),
    ):
        key = sts.user_key(f"arn:aws:iam::{account}:user/{name}")
        project.profile(
            name, aws_access_key_id=key.id, aws_secret_access_key=key.secret, region=region
        )
    role = sts.role("Prod")
    project.settings(targets={"prod": {"profile": "two", "role_arn": role.arn}}, cache="none")
    project.tasks(TASKS)
    return role


@pytest.mark.parametrize("words", ["whoami", "assume whoami", "assume --fresh whoami"])
def test_what_ends_is_not_exchanged_for_another_identity(
    project: Project, sts: StrictSts, prod: Role, words: str
) -> None:
    sts.lifetime = 3
    script = f'eval "$({INVOKE} assume --target prod env)"; sleep 4; {INVOKE} {words}'

    process = in_bash(project, script, code=1)

    assert "The credentials that are active have ended, or end too soon." in process.stderr
    assert "999999999999" not in process.stdout


def test_what_is_active_is_used_to_its_end(project: Project, sts: StrictSts, prod: Role) -> None:
    sts.lifetime = 120  # less than `min_ttl_seconds`

    result = inside(project, "assume --target prod", "whoami")

    assert "assumed-role/Prod/" in result.out
    assert "us-west-1" in result.out


@pytest.mark.parametrize("words", ["assume --target prod whoami", "assume --fresh whoami"])
def test_the_users_own_keys_are_the_source_when_they_were_not_replaced(
    project: Project, sts: StrictSts, prod: Role, words: str
) -> None:
    key = sts.issue("arn:aws:sts::444444444444:assumed-role/Mine/me", 3600)
    project.settings(targets={"prod": {"role_arn": prod.arn}}, cache="none")
    environ: dict[str, Any] = {**temporary(key, seconds=3600), "AWS_REGION": "eu-central-1"}

    result = inside(project, "assume", words, **environ)

    assert "999999999999" not in result.out
    assert "region   eu-central-1" in result.out
    assert sts.callers[-2 if "prod" in words else -1].startswith("arn:aws:sts::")


@pytest.mark.parametrize("outer", ["assume", "assume --keep-fresh", "assume --target prod"])
@pytest.mark.parametrize("inner", ["assume --target two whoami", "assume --fresh whoami"])
def test_the_users_own_region_is_kept(
    project: Project, sts: StrictSts, prod: Role, outer: str, inner: str
) -> None:
    project.settings(
        profile="two", role_arn=prod.arn, targets={"prod": {}, "two": {"duration_seconds": 1800}}
    )

    result = inside(project, outer, inner, AWS_REGION="ap-south-1")

    assert "region   ap-south-1" in result.out


def test_the_same_request_again_has_the_region_of_before(
    project: Project, sts: StrictSts, shared: Role
) -> None:
    result = inside(project, "assume --region eu-north-1", "assume --fresh whoami")

    assert "region   eu-north-1" in result.out


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [("AWS_REGION", "eu-west-3", "eu-west-3"), ("AWS_PROFILE", "two", "222222222222")],
)
def test_what_is_set_since_counts(
    project: Project, sts: StrictSts, prod: Role, name: str, value: str, expected: str
) -> None:
    project.settings(cache="none")
    environ: dict[str, Any] = {"AWS_PROFILE": "default"}
    script = (
        f'eval "$({INVOKE} assume env)"; export {name}={value}; '
        f"{INVOKE} assume --duration 20m whoami"
    )

    process = in_bash(project, script, **environ)

    assert expected in process.stdout


def test_a_profile_that_is_hidden_does_not_matter_to_what_is_active(
    project: Project, sts: StrictSts, prod: Role
) -> None:
    result = inside(project, "assume --target prod --keep-fresh", "whoami", AWS_PROFILE="two")

    assert "assumed-role/Prod/" in result.out
    words = ["env", "AWS_PROFILE=two", *INVOKE.split(), "whoami"]
    kept = project.run("assume", "--target", "prod", "--keep-fresh", "exec", "--", *words)
    assert "assumed-role/Prod/" in kept.out


def test_keys_that_were_changed_since_are_the_users_own(
    project: Project, sts: StrictSts, shared: Role
) -> None:
    key = sts.issue("arn:aws:sts::111111111111:assumed-role/Mine/me", 3600)
    project.settings()
    environ = " ".join(f"{name}={text}" for name, text in temporary(key, seconds=3600).items())
    with TAINT.prints_secrets("the test writes a script with them"):
        script = project.folder / "run.sh"
        script.write_text(f"export {environ}\n{INVOKE} assume whoami\n")
        TAINT.own(script, key.secret, str(key.token))
        result = project.run("assume", "exec", "--", "sh", str(script))

    assert "assumed-role/Mine/me" in result.out


def test_the_account_is_checked_inside_too(project: Project, sts: StrictSts, shared: Role) -> None:
    variable = "INVOKE_AWS_ACCOUNT_ID=999999999999"

    result = project.run(
        "assume", "exec", "--", "env", variable, *INVOKE.split(), "assume", "whoami", code=1
    )

    assert "999999999999" in result.err
    assert "whoami" not in result.out


@pytest.mark.parametrize("named_by", ["settings", "variable"])
def test_a_credential_process_that_leads_back_to_itself_is_an_error(
    project: Project, sts: StrictSts, named_by: str
) -> None:
    project.profile(
        "loop",
        credential_process=f"{INVOKE} --search-root {project.folder} assume env --format json",
        region=REGION,
    )
    environ = {}
    if named_by == "settings":
        project.settings(profile="loop")
    else:
        environ["AWS_PROFILE"] = "loop"

    message = project.run("assume", environ=environ, code=1, timeout=30).err

    assert "The credential_process of profile loop leads back to itself." in message
    assert "Let `aws.profile` name another profile" in message


def test_a_credential_process_may_run_invoke_for_another_profile(
    project: Project, sts: StrictSts, user: Key
) -> None:
    role = sts.role("Deployer")
    project.settings(profile="dev", role_arn=role.arn)
    project.profile(
        "deployer",
        credential_process=f"{INVOKE} --search-root {project.folder} assume env --format json",
        region=REGION,
    )
    (elsewhere := project.home / "elsewhere").mkdir()
    (elsewhere / "tasks.py").write_text("from tasks_aws import *\n")

    result = project.run(
        "--search-root", str(elsewhere), "assume", "--profile", "deployer", "whoami"
    )

    assert "assumed-role/Deployer/alice" in result.out
