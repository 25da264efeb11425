"""Sessions of IAM Identity Center: cached as the AWS CLI does it, and named in errors."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.credentials import SSOCredentialFetcher

from tests.oidc import ACCOUNT, REGION, START_URL, IdentityCenter, token_file, write_token
from tests.strict_sts import StrictSts
from tests.support import Project


@pytest.fixture(autouse=True)
def _signed_in(project: Project, center: IdentityCenter) -> None:
    write_token(project, center.token())
    project.settings(profile="sso")


def key_of_the_cli(**place: Any) -> str:
    create: Any = SSOCredentialFetcher
    fetcher = create(START_URL, REGION, "Dev", ACCOUNT, client_creator=None, **place)
    return str(fetcher._create_cache_key())


@pytest.mark.parametrize("kind", ["sso_session", "legacy"])
def test_a_second_run_makes_no_call(project: Project, center: IdentityCenter, kind: str) -> None:
    place = {"sso_session_name": "corp"}
    if kind == "legacy":
        place = {}
        project.profile(
            "old",
            sso_start_url=START_URL,
            sso_region=REGION,
            sso_account_id=ACCOUNT,
            sso_role_name="Dev",
            region=REGION,
        )
        project.settings(profile="old")
        token_file(project).rename(token_file(project, START_URL))

    first = project.exported(project.run("assume", "child"))
    token_file(project, "corp" if place else START_URL).unlink()
    again = project.exported(project.run("assume", "child"))

    assert first["AWS_ACCESS_KEY_ID"] == again["AWS_ACCESS_KEY_ID"]
    assert first["AWS_ACCOUNT_ID"] == again["AWS_ACCOUNT_ID"] == ACCOUNT
    assert center.calls == ["get_role_credentials"]
    assert center.sts.calls == []
    [kept] = project.cache_files()
    assert kept.stem == key_of_the_cli(**place)
    assert json.loads(kept.read_text())["ProviderType"] == "sso"


def test_a_cached_session_is_found_without_importing_botocore(project: Project) -> None:
    project.run("assume")
    project.tasks(
        "import sys\nfrom invoke import task\nfrom tasks_aws import *\n@task\ndef loaded(c):\n"
        "    print([m for m in ('boto3', 'botocore', 'rich') if m in sys.modules])\n"
    )

    assert project.run("assume", "loaded").out == "[]\n"


def test_a_session_of_the_aws_cli_is_used_and_listed_but_not_removed(
    project: Project, center: IdentityCenter
) -> None:
    project.run("assume")
    [kept] = project.cache_files()
    answer = json.loads(kept.read_text())
    del answer["TasksAws"]
    kept.write_text(json.dumps(answer))

    result = project.run("assume", "sessions", "forget")

    assert center.count("get_role_credentials") == 1
    assert "permission set of IAM Identity Center  (AWS CLI)" in result.out
    assert "nothing to remove" in result.err
    assert project.cache_files() == [kept]


def test_a_session_is_listed_and_forgotten_by_its_name(project: Project) -> None:
    project.run("assume")
    name = f"permission set Dev in account {ACCOUNT}"

    assert f"{ACCOUNT}  {name}\n" in project.run("sessions").out
    project.run("forget", "--role-arn", name)
    assert project.cache_files() == []


@pytest.mark.parametrize("other", ["endpoint", "start URL"])
def test_a_session_of_another_place_is_a_miss(
    project: Project, center: IdentityCenter, other: str
) -> None:
    project.run("assume")
    if other == "endpoint":
        url = center.url.replace("127.0.0.1", "localhost")
        project.environ["AWS_ENDPOINT_URL_SSO"] = url
    else:
        config = project.home / ".aws" / "config"
        config.write_text(config.read_text().replace("corp.awsapps", "other.awsapps"))

    project.run("assume")

    assert center.count("get_role_credentials") == 2


def test_a_role_that_starts_from_the_session_uses_the_cached_one(
    project: Project, center: IdentityCenter, sts: StrictSts
) -> None:
    one, two = sts.role("One"), sts.role("Two")

    project.run("assume", "--role-arn", one.arn)
    token_file(project).unlink()
    out = project.run("assume", "--role-arn", two.arn, "whoami").out

    assert "assumed-role/Two" in out
    assert center.count("get_role_credentials") == 1


def test_fresh_and_a_session_that_ends_soon_ask_again(
    project: Project, center: IdentityCenter
) -> None:
    center.session_seconds = 1000
    project.run("assume", "assume", "--fresh")
    assert center.count("get_role_credentials") == 2

    project.run("assume", "--for", "20m", code=1)
    [kept] = project.cache_files()
    answer = json.loads(kept.read_text())
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
    answer["Credentials"]["Expiration"] = soon
    kept.write_text(json.dumps(answer))
    project.run("assume")

    assert center.count("get_role_credentials") == 4


@pytest.mark.parametrize("chained", [False, True])
def test_a_refused_permission_set_is_named_with_its_account(
    project: Project, center: IdentityCenter, sts: StrictSts, chained: bool
) -> None:
    center.roles.clear()
    words = ["--role-arn", sts.role("Deployer").arn] if chained else []

    message = project.run("assume", *words, code=1).err

    assert f"no access to the permission set Dev in account {ACCOUNT}" in message
    assert "profile sso" in message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sso_account_id": None}, "sso_account_id is missing"),
        ({"sso_role_name": None}, "sso_role_name is missing"),
        ({"sso_account_id": None, "sso_role_name": None}, "sso_account_id and sso_role_name are"),
        ({"sso_session": "crop"}, "There is no [sso-session crop]"),
        ({"sso_region": "us-east-1"}, "sso_region in [profile bad] is not that in"),
        ({"sso_session": None}, "sso_start_url and sso_region are missing"),
        ({"sso_session": "half"}, "sso_region is missing"),
    ],
)
def test_what_is_missing_in_a_profile_is_said_before_any_call(
    project: Project, center: IdentityCenter, changes: dict[str, str | None], says: str
) -> None:
    values = {"sso_session": "corp", "sso_account_id": ACCOUNT, "sso_role_name": "Dev", **changes}
    project.profile("bad", region=REGION, **{key: text for key, text in values.items() if text})
    with (project.home / ".aws" / "config").open("a") as file:
        file.write(f"[sso-session half]\nsso_start_url = {START_URL}\n")

    message = project.run("assume", "--profile", "bad", code=1).err

    assert says in message
    assert "  fix: " in message
    assert not center.calls + center.sts.calls


def test_a_profile_with_a_session_for_other_tools_keeps_its_own_source(
    project: Project, sts: StrictSts
) -> None:
    key = sts.user_key()
    keys = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
    project.profile("both", sso_session="corp", region=REGION, **keys)

    assert "user/" in project.run("assume", "--profile", "both", "whoami").out
