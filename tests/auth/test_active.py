"""`assume`: credentials once, for everything that follows."""

from __future__ import annotations

import json
import stat
from datetime import datetime, timezone

import pytest

from tests.conftest import REGION
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

PRINT_ENVIRONMENT = """
import json, os, subprocess, sys
from invoke import task
from tasks_aws import *

SHOW = [sys.executable, "-c", "import os; print(os.environ['AWS_ACCESS_KEY_ID'])"]

@task
def ways(c):
    import boto3
    shell = f"{sys.executable} -c 'import os; print(os.environ[\\"AWS_ACCESS_KEY_ID\\"])'"
    ids = [
        c.run(shell, hide=True).stdout,
        c.run(shell, hide=True, env={"OTHER": "1"}).stdout,
        c.run(shell, hide=True, env=environment(c), replace_env=True).stdout,
        subprocess.check_output(SHOW, text=True),
        boto3.client("sts", region_name="x-y-1")._request_signer._credentials.access_key,
        session(c).get_credentials().access_key,
        credentials(c).access_key_id,
    ]
    print(len({each.strip() for each in ids}), ids[0].strip())
"""


def test_every_way_to_use_credentials_sees_the_role(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(PRINT_ENVIRONMENT)

    result = project.run("assume", "ways")

    ids = [key.id for key in sts.keys.values() if key.token]
    assert result.out.split() == ["1", *ids]


def test_conflicting_variables_are_removed_and_the_right_ones_set(
    project: Project, sts: StrictSts, role: Role
) -> None:
    stale = {
        "AWS_PROFILE": "dev",
        "AWS_DEFAULT_PROFILE": "dev",
        "AWS_SECURITY_TOKEN": "stale",
        "AWS_ROLE_ARN": "stale",
        "AWS_ROLE_SESSION_NAME": "stale",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "stale",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
        "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z",
        "AWS_ACCOUNT_ID": "999999999999",
        "AWS_CA_BUNDLE": "/kept.pem",
    }

    result = project.run("assume", "child", environ=stale)

    found = project.exported(result)
    aws = {name: text for name, text in found.items() if name.startswith("AWS_")}
    assert set(aws) == {
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_ACCOUNT_ID",
        "AWS_CA_BUNDLE",
        "AWS_ENDPOINT_URL",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_MAX_ATTEMPTS",
    }
    assert aws["AWS_ACCOUNT_ID"] == "123456789012"
    assert aws["AWS_REGION"] == aws["AWS_DEFAULT_REGION"] == "eu-central-1"
    assert aws["AWS_CREDENTIAL_EXPIRATION"].endswith("Z")


def test_an_sts_that_does_not_answer_is_waited_for_in_words(
    project: Project, sts: StrictSts, role: Role
) -> None:
    sts.delay = 2.5

    shown = project.run("assume").err.splitlines()

    assert shown[0] == f"waiting   for AWS ({sts.url.removeprefix('http://')}) …"
    assert len(shown) == 2


@pytest.mark.parametrize("task", ["assume", "whoami"])
def test_ctrl_c_ends_any_task_with_the_exit_code_of_a_shell(
    project: Project, sts: StrictSts, role: Role, task: str
) -> None:
    sts.delay = 30
    terminal = project.terminal(task)
    terminal.expect_exact("for AWS")

    terminal.sendintr()

    assert "Traceback" not in project.finish(terminal, code=130)


def test_a_second_run_asks_aws_nothing(project: Project, sts: StrictSts, role: Role) -> None:
    first = project.exported(project.run("assume", "child"))
    second = project.exported(project.run("assume", "child"))

    assert first["AWS_ACCESS_KEY_ID"] == second["AWS_ACCESS_KEY_ID"]
    assert sts.count("AssumeRole") == 1


def test_the_cached_path_needs_no_botocore(project: Project, sts: StrictSts, role: Role) -> None:
    project.tasks(
        "import sys\nfrom invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef loaded(c):\n"
        "    print([m for m in ('boto3', 'botocore', 'rich') if m in sys.modules])\n"
    )
    project.run("assume")

    assert project.run("assume", "loaded").out == "[]\n"


def test_the_cache_is_private(project: Project, sts: StrictSts, role: Role) -> None:
    folder = project.home / ".aws" / "cli" / "cache"
    folder.mkdir(parents=True, mode=0o755)

    project.run("assume")

    (file,) = project.cache_files()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"Credentials": {"AccessKeyId": "A"}}', "\0\0"]
)
def test_a_broken_cache_file_is_a_miss(
    project: Project, sts: StrictSts, role: Role, content: str
) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    file.write_text(content)

    project.run("assume", "noop")

    assert sts.count("AssumeRole") == 2
    assert json.loads(file.read_text())["Credentials"]["AccessKeyId"].startswith("ASIA")


def test_a_session_from_other_keys_is_a_miss(project: Project, sts: StrictSts, role: Role) -> None:
    project.run("assume")
    bob = sts.user_key("arn:aws:iam::111111111111:user/bob")
    project.profile(
        "bob", aws_access_key_id=bob.id, aws_secret_access_key=bob.secret, region="eu-central-1"
    )

    project.run("assume", "--profile", "bob")

    assert sts.count("AssumeRole") == 2


def test_a_session_from_another_endpoint_is_a_miss(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.run("assume")
    project.environ["AWS_ENDPOINT_URL"] = sts.url.replace("127.0.0.1", "localhost")

    project.run("assume")

    assert sts.count("AssumeRole") == 2


def test_an_entry_of_the_aws_cli_is_taken_as_it_is(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    entry = json.loads(file.read_text())
    del entry["TasksAws"]
    file.write_text(json.dumps(entry))

    project.run("assume")

    assert sts.count("AssumeRole") == 1


def test_fresh_asks_for_a_new_session(project: Project, sts: StrictSts, role: Role) -> None:
    project.run("assume", "assume", "--fresh")

    assert sts.count("AssumeRole") == 2


def test_a_session_that_ends_soon_is_renewed(project: Project, sts: StrictSts, role: Role) -> None:
    project.run("assume")
    (file,) = project.cache_files()
    entry = json.loads(file.read_text())
    soon = sts.issue("arn:aws:sts::123456789012:assumed-role/Deployer/a", 200)
    entry["Credentials"]["Expiration"] = _iso(soon.expires)
    file.write_text(json.dumps(entry))

    project.run("assume")

    assert sts.count("AssumeRole") == 2


def test_a_session_of_900_seconds_is_used_until_it_ends(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(
        "from invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef calls(c):\n"
        "    for _ in range(5):\n"
        "        session(c).client('sts').get_caller_identity()\n"
    )

    project.run("assume", "--duration", "900", "calls")

    assert sts.count("AssumeRole") == 1
    assert sts.count("GetCallerIdentity") == 5


def test_parallel_runs_ask_once(project: Project, sts: StrictSts, role: Role) -> None:
    sts.delay = 0.5

    processes = [project.start("assume", "noop") for _ in range(4)]
    results = [(*process.communicate(timeout=60), process.returncode) for process in processes]

    assert [code for _, _, code in results] == [0, 0, 0, 0]
    assert sts.count("AssumeRole") == 1
    assert any("waiting   for another process" in err for _, err, _ in results)


def test_without_a_cache_no_file_is_written(project: Project, sts: StrictSts, role: Role) -> None:
    project.settings(profile="dev", role_arn=role.arn, cache="none")

    project.run("assume", "--profile", "dev", "assume", "--profile", "dev", "noop")

    assert sts.count("AssumeRole") == 1
    assert not (project.home / ".aws" / "cli").exists()


class TestOnce:
    """One command line, several assumes."""

    def test_a_bare_assume_changes_nothing(
        self, project: Project, sts: StrictSts, role: Role
    ) -> None:
        other = sts.role("Other")

        result = project.run("assume", "--role-arn", other.arn, "assume", "child")

        assert project.exported(result)["AWS_ACCESS_KEY_ID"] == _last_id(sts)
        assert [call["RoleArn"] for _, call in sts.calls] == [other.arn]

    def test_a_second_role_starts_from_the_original_environment(
        self, project: Project, sts: StrictSts, user: Key
    ) -> None:
        first, second = sts.role("First"), sts.role("Second")
        environ = {
            "AWS_ACCESS_KEY_ID": user.id,
            "AWS_SECRET_ACCESS_KEY": user.secret,
            "AWS_REGION": "eu-central-1",
        }
        words = [word for arn in (first.arn, second.arn) for word in ("assume", "--role-arn", arn)]

        project.run(*words, "assume", "--role-arn", first.arn, "noop", environ=environ)

        sources = [call["RoleArn"] for _, call in sts.calls]
        assert sources == [first.arn, second.arn]  # and switching back asked nothing
        assert project.run("assume", "--role-arn", second.arn, environ=environ).code == 0

    def test_switching_is_not_lost_to_dedupe(
        self, project: Project, sts: StrictSts, role: Role
    ) -> None:
        one, two = sts.role("One"), sts.role("Two")
        project.tasks(
            "from invoke import call, task\nfrom tasks_aws import *\n"
            "def show(c, name): print(name, credentials(c).access_key_id)\n"
            f"@task(pre=[call(assume, role_arn='{one.arn}')])\ndef a(c): show(c, 'a')\n"
            f"@task(pre=[call(assume, role_arn='{two.arn}')])\ndef b(c): show(c, 'b')\n"
            f"@task(pre=[call(assume, role_arn='{one.arn}')])\ndef d(c): show(c, 'd')\n"
        )

        result = project.run("a", "b", "d")

        words = result.out.split()
        assert words[1] == words[5] != words[3]

    def test_a_task_that_needs_credentials_gets_them_by_itself(
        self, project: Project, sts: StrictSts, role: Role
    ) -> None:
        result = project.run("whoami")

        assert "assumed-role/Deployer/alice" in result.out


class TestSources:
    """Where the credentials start."""

    def test_plain_keys_are_never_exported(
        self, project: Project, sts: StrictSts, user: Key
    ) -> None:
        project.settings(profile="dev")

        found = project.exported(project.run("assume", "child"))
        again = project.exported(project.run("assume", "child"))

        assert found["AWS_ACCESS_KEY_ID"].startswith("ASIA")
        assert found["AWS_ACCOUNT_ID"] == "111111111111"
        assert found["AWS_ACCESS_KEY_ID"] == again["AWS_ACCESS_KEY_ID"]
        assert sts.count("GetSessionToken") == 1

    def test_plain_keys_in_the_environment_are_replaced(
        self, project: Project, sts: StrictSts, user: Key
    ) -> None:
        result = project.run(
            "assume",
            "child",
            environ={
                "AWS_ACCESS_KEY_ID": user.id,
                "AWS_SECRET_ACCESS_KEY": user.secret,
                "AWS_REGION": "eu-central-1",
            },
        )

        assert project.exported(result)["AWS_ACCESS_KEY_ID"].startswith("ASIA")

    def test_temporary_keys_pass_through(self, project: Project, sts: StrictSts) -> None:
        key = sts.issue("arn:aws:sts::123456789012:assumed-role/Ci/run", 3600)

        result = project.run(
            "assume",
            "child",
            environ={
                "AWS_ACCESS_KEY_ID": key.id,
                "AWS_SECRET_ACCESS_KEY": key.secret,
                "AWS_SESSION_TOKEN": str(key.token),
                "AWS_REGION": "eu-central-1",
            },
        )

        found = project.exported(result)
        assert found["AWS_ACCESS_KEY_ID"] == key.id
        assert found["AWS_ACCOUNT_ID"] == "123456789012"

    def test_a_profile_that_names_a_role_assumes_it(
        self, project: Project, sts: StrictSts, user: Key
    ) -> None:
        role = sts.role("FromProfile", external_id="abc")
        project.profile("ops", role_arn=role.arn, source_profile="dev", external_id="abc")
        project.settings(profile="ops", region="eu-west-1")

        assert "assumed-role/FromProfile/alice" in project.run("assume", "whoami").out

    def test_roles_are_chained_and_each_is_cached(
        self, project: Project, sts: StrictSts, user: Key
    ) -> None:
        inner, outer = sts.role("Inner"), sts.role("Outer", maximum=43200)
        project.profile("inner", role_arn=inner.arn, source_profile="dev", region="eu-west-1")
        project.settings(profile="inner", role_arn=outer.arn, duration_seconds=7200)

        result = project.run("assume", "whoami")
        project.run("assume", "--fresh")

        assert "assumed-role/Outer/alice" in result.out
        assert f"limits {outer.arn} to one hour" in result.err
        assert [call["RoleArn"] for name, call in sts.calls if name == "AssumeRole"] == [
            inner.arn,
            outer.arn,
            outer.arn,
        ]

    def test_the_chained_role_is_assumed_with_the_keys_of_the_first(
        self, project: Project, sts: StrictSts, user: Key
    ) -> None:
        inner, outer = sts.role("Inner"), sts.role("Outer")
        project.profile("inner", role_arn=inner.arn, source_profile="dev", region="eu-west-1")
        project.settings(profile="inner", role_arn=outer.arn)

        project.run("assume", "noop")

        assert sts.count("AssumeRole") == 2


def test_all_arguments_of_assume_role_are_sent(project: Project, sts: StrictSts, user: Key) -> None:
    role = sts.role("Full", external_id="x:y")
    policy = {"Version": "2012-10-17", "Statement": []}
    project.settings(
        profile="dev",
        role_arn=role.arn,
        duration_seconds=1800,
        role_session_name="release-42",
        external_id="x:y",
        source_identity="alice",
        session_tags={"Team": "web", "Stage": "prod"},
        transitive_tag_keys=["Team"],
        policy=policy,
        policy_arns=["arn:aws:iam::aws:policy/ReadOnlyAccess"],
    )

    project.run("assume")

    sent = sts.calls[-1][1]
    assert json.loads(sent["Policy"]) == policy
    assert {name: sent[name] for name in sorted(sent) if name not in ("Policy", "Version")} == {
        "Action": "AssumeRole",
        "DurationSeconds": "1800",
        "ExternalId": "x:y",
        "PolicyArns.member.1.arn": "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "RoleArn": role.arn,
        "RoleSessionName": "release-42",
        "SourceIdentity": "alice",
        "Tags.member.1.Key": "Stage",
        "Tags.member.1.Value": "prod",
        "Tags.member.2.Key": "Team",
        "Tags.member.2.Value": "web",
        "TransitiveTagKeys.member.1": "Team",
    }


def test_a_role_with_a_shorter_maximum_gets_one_hour_and_says_so(
    project: Project, sts: StrictSts, role: Role
) -> None:
    result = project.run("assume", "--duration", "2h", "whoami")

    assert f"{role.arn} allows no session of 2 h" in result.err
    assert "1 h left" in result.out


def test_run_env_that_would_override_the_credentials_is_a_warning(
    project: Project, sts: StrictSts, role: Role
) -> None:
    text = (project.folder / "invoke.yaml").read_text()
    (project.folder / "invoke.yaml").write_text(text + "run:\n  env:\n    AWS_PROFILE: dev\n")

    assert "`run.env` sets AWS_PROFILE" in project.run("assume").err


def test_run_replace_env_is_a_warning(project: Project, sts: StrictSts, role: Role) -> None:
    text = (project.folder / "invoke.yaml").read_text()
    (project.folder / "invoke.yaml").write_text(text + "run:\n  replace_env: true\n")

    assert (
        "`run.replace_env` hides the credentials from commands of c.run"
        in project.run("assume").err
    )


def test_a_second_context_starts_from_the_original_environment(
    project: Project, sts: StrictSts, user: Key
) -> None:
    first, second = sts.role("First"), sts.role("Second", maximum=43200)
    project.tasks(
        "from invoke import Context, task\nfrom tasks_aws import *\n"
        "@task\ndef two(c):\n"
        f"    assume(Context(), role_arn={first.arn!r}, region='eu-west-1')\n"
        f"    assume(Context(), role_arn={second.arn!r}, region='eu-west-1', duration='2h')\n"
    )

    assert "AWS limits" not in project.run("two", environ={"AWS_PROFILE": "dev"}).err


def test_the_endpoint_of_the_profile_is_that_of_the_session(
    project: Project, sts: StrictSts
) -> None:
    key = sts.user_key()
    project.profile(
        "own",
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        region="eu-central-1",
        endpoint_url=sts.url,
    )
    del project.environ["AWS_ENDPOINT_URL"]
    project.tasks(
        "from invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef where(c): print(session(c).client('lambda').meta.endpoint_url)\n"
    )

    assert project.run("assume", "--profile", "own", "where").out.strip() == sts.url


def test_a_variable_can_switch_off_what_a_file_switches_on(
    project: Project, sts: StrictSts, user: Key
) -> None:
    device, role = sts.device(), sts.role("Guarded", mfa=True)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial, mfa_session=True)

    project.run("assume", "--mfa-code", device.code(), environ={"INVOKE_AWS_MFA_SESSION": "false"})

    assert [name for name, _ in sts.calls] == ["AssumeRole"]


def _iso(moment: float | None) -> str:
    return datetime.fromtimestamp(moment or 0, timezone.utc).isoformat()


def _last_id(sts: StrictSts) -> str:
    return [key.id for key in sts.keys.values() if key.token][-1]


def test_the_profiles_own_role_named_again_is_assumed_once(
    project: Project, sts: StrictSts, user: Key
) -> None:
    role = sts.role("Deployer")
    project.profile("ops", role_arn=role.arn, source_profile="dev", region="eu-central-1")

    project.run("assume", "--profile", "ops", "--role-arn", role.arn, "noop")

    assert sts.count("AssumeRole") == 1


IN_A_THREAD = """
import os, threading
from invoke import task
from tasks_aws import *

def in_a_thread(work):
    def run():
        try:
            print(work())
        except TasksAwsError as error:
            print(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

def key():
    return os.environ.get("AWS_ACCESS_KEY_ID", "none")

def handed_over(c):
    ours = os.environ.get("AWS_CONFIG_FILE", "").startswith(os.environ["TMPDIR"])
    return ours or credentials(c).access_key_id == key()

@task
def switch(c):
    before = key()
    in_a_thread(lambda: assume(c, role_arn=OTHER))
    print(before == key())

@task
def use(c):
    in_a_thread(lambda: session(c).client("sts").get_caller_identity()["Arn"])
    print(key())
    credentials(c)
    print(handed_over(c))
"""


def test_another_thread_cannot_assume(project: Project, sts: StrictSts, role: Role) -> None:
    project.tasks(IN_A_THREAD.replace("OTHER", repr(sts.role("Other").arn)))

    said, *_, unchanged = project.run("assume", "switch").out.splitlines()

    assert said == "`assume` can only be called in the main thread."
    assert unchanged == "True"
    assert sts.count("AssumeRole") == 1


@pytest.mark.parametrize("keep_fresh", [False, True])
def test_credentials_for_another_thread_are_exported_by_the_main_one(
    project: Project, sts: StrictSts, role: Role, keep_fresh: bool
) -> None:
    project.tasks(IN_A_THREAD)
    project.settings(profile="dev", role_arn=role.arn, keep_fresh=keep_fresh)

    arn, key, exported = project.run("use").out.splitlines()

    assert ":assumed-role/Deployer/" in arn
    assert key == "none"
    assert exported == "True"


AUDIT = """
import os
from invoke import call, task
from tasks_aws import *

def who(c, label):
    key = credentials(c).access_key_id
    child = c.run(f"{sys.executable} -c 'import boto3; print(boto3.client(\\"sts\\")"
        ".get_caller_identity()[\\"Arn\\"])'", hide=True).stdout
    print(label, child.split("/")[-2], key == os.environ["AWS_ACCESS_KEY_ID"])

@task(pre=[call(assume, target="audit")])
def report(c):
    who(c, "report")

@task
def migrate(c):
    who(c, "migrate")

@task
def scoped(c):
    with assumed(c, target="audit") as found:
        assert found.access_key_id == credentials(c).access_key_id
        who(c, "inside")
        with assumed(c, role_arn=LAST):
            who(c, "deeper")
        who(c, "inside")
    print({name: os.environ.get(name) for name in ("AWS_PROFILE", "AWS_REGION")})
    who(c, "after")

@task
def failing(c):
    try:
        with assumed(c, target="audit"):
            raise ValueError
    except ValueError:
        print(os.environ.get("AWS_PROFILE"), "AWS_ACCESS_KEY_ID" in os.environ)
"""


@pytest.fixture
def audit(project: Project, sts: StrictSts, role: Role) -> Role:
    """A target `audit` with a role of its own, and tasks that use it."""
    made, last = sts.role("Audit", account="210987654321"), sts.role("Last")
    project.settings(profile="dev", role_arn=role.arn, targets={"audit": {"role_arn": made.arn}})
    project.tasks("import sys\n" + AUDIT.replace("LAST", repr(last.arn)))
    return made


def test_a_role_lasts_until_it_is_ended(project: Project, sts: StrictSts, audit: Role) -> None:
    lasting = project.run("report", "migrate").out
    ended = project.run("report", "assume", "--end", "migrate").out

    assert lasting.splitlines() == ["report Audit True", "migrate Audit True"]
    assert ended.splitlines() == ["report Audit True", "migrate Deployer True"]


def test_the_assume_after_an_end_is_that_of_the_settings(
    project: Project, sts: StrictSts, audit: Role
) -> None:
    out = project.run("report", "assume", "--end", "assume", "migrate").out

    assert out.splitlines() == ["report Audit True", "migrate Deployer True"]


def test_after_the_end_the_environment_is_the_users_own(
    project: Project, sts: StrictSts, audit: Role
) -> None:
    project.tasks()
    environ = {"AWS_PROFILE": "dev", "AWS_BEARER_TOKEN_BEDROCK": "own", "AWS_REGION": "eu-west-1"}

    before = project.exported(project.run("child", environ=environ))
    result = project.run("assume", "noop", "assume", "--end", "child", environ=environ)

    assert project.exported(result) == before


def test_an_end_takes_no_other_option(project: Project, sts: StrictSts, audit: Role) -> None:
    message = project.run("report", "assume", "--end", "--target", "audit", code=1).err

    assert "`--end` cannot be combined with other options" in message


@pytest.mark.parametrize("words", [["assume", "scoped"], ["scoped"]])
def test_a_role_for_a_block_ends_with_it(
    project: Project, sts: StrictSts, audit: Role, words: list[str]
) -> None:
    out = project.run(*words, environ={"AWS_PROFILE": "dev"}).out.splitlines()

    assert out[:3] == ["inside Audit True", "deeper Last True", "inside Audit True"]
    region = REGION if words[0] == "assume" else None
    profile = None if words[0] == "assume" else "dev"
    assert out[3] == str({"AWS_PROFILE": profile, "AWS_REGION": region})
    assert out[4] == "after Deployer True"


def test_a_block_that_fails_puts_back_what_was_before(
    project: Project, sts: StrictSts, audit: Role
) -> None:
    assert project.run("failing", environ={"AWS_PROFILE": "dev"}).out == "dev False\n"


def test_keys_of_one_service_and_other_names_of_keys_are_removed(
    project: Project, sts: StrictSts, role: Role
) -> None:
    stale = {
        "AWS_BEARER_TOKEN_BEDROCK": "stale",
        "AWS_BEARER_TOKEN_OF_TOMORROW": "stale",
        "AWS_ACCESS_KEY": "stale",
        "AWS_SECRET_KEY": "stale",
        "AWS_TOKEN": "stale",
        "AWS_SDK_LOAD_CONFIG": "1",
        "AWS_SECRET_NAME": "db",  # somebody's own
    }
    conflicting = {name for name in stale if stale[name] == "stale"}

    plain = project.exported(project.run("assume", "child", environ=stale))
    fresh = project.exported(project.run("assume", "--keep-fresh", "child", environ=stale))
    with TAINT.prints_secrets("`env` does"):
        printed = project.run("assume", "env", environ=stale).out.splitlines()

    assert not conflicting & {*plain, *fresh}
    assert {f"unset {name}" for name in conflicting} <= {*printed}
    assert plain["AWS_SDK_LOAD_CONFIG"] == "1"
    assert plain["AWS_SECRET_NAME"] == fresh["AWS_SECRET_NAME"] == "db"


def test_a_bearer_token_is_not_used_in_place_of_the_role(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(
        "import boto3\nfrom invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef signer(c):\n"
        "    for made in (boto3, session(c)):\n"
        "        client = made.client('bedrock', region_name='us-east-1')\n"
        "        print(client._request_signer.signature_version)\n"
    )

    out = project.run("assume", "signer", environ={"AWS_BEARER_TOKEN_BEDROCK": "stale"}).out

    assert out.split() == ["v4", "v4"]
