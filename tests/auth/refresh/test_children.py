"""`assume --keep-fresh`: children's credentials renew themselves, on clocks that tests move."""

from __future__ import annotations

import json
import sys
import textwrap
from pathlib import Path

import pytest

from tests.clock import MOVE, Clock
from tests.strict_sts import Device, Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

WAYS = ["true", "endpoint"]
PYTHON = [sys.executable, "child.py"]
HEADER = "import subprocess, sys\nfrom invoke import task\nfrom tasks_aws import *\n"
RUN = f"{HEADER}@task\ndef child(c):\n    c.run(f'{{sys.executable}} child.py')\n"


@pytest.fixture
def clock(project: Project, sts: StrictSts, tmp_path: Path) -> Clock:
    folder = tmp_path / "clock"
    folder.mkdir()
    clock = Clock(project, folder)
    sts.clock = clock.now
    return clock


@pytest.fixture
def temporary(project: Project) -> Path:
    """The folder for temporary files."""
    return Path(project.environ["TMPDIR"])


@pytest.fixture
def device(project: Project, sts: StrictSts, user: Key) -> Device:
    """An MFA device, and a role that demands it."""
    device, role = sts.device(), sts.role("Guarded", mfa=True)
    project.settings(
        profile="dev", role_arn=role.arn, mfa_serial=device.serial, duration_seconds=900
    )
    return device


def write_child(project: Project, text: str) -> None:
    """Write the program that needs credentials; it has a client and the clock."""
    client = "import botocore.session as b\nclient = b.get_session().create_client('sts')\n"
    who = "def who(): return client.get_caller_identity()['Arn'].split('/')[1]\n"
    (project.folder / "child.py").write_text(MOVE + client + who + textwrap.dedent(text))


# Each of the two ways alone: botocore prefers the profile.
CONTAINER = "import os\nos.environ['AWS_CONFIG_FILE'] = os.devnull\n"


@pytest.mark.parametrize(("way", "cache"), [("process", "cli"), ("container", "none")])
def test_a_child_lives_for_an_hour_on_sessions_of_900_seconds(
    project: Project, sts: StrictSts, role: Role, clock: Clock, way: str, cache: str
) -> None:
    project.settings(
        profile="dev", role_arn=role.arn, duration_seconds=900, cache=cache, keep_fresh=True
    )
    project.tasks(RUN)
    write_child(project, "while move(180) <= 3600: print(who(), flush=True)\n")
    if way == "container":
        child = project.folder / "child.py"
        child.write_text(CONTAINER + child.read_text())

    result = project.run("assume", "child")

    assert result.out.split() == ["Deployer"] * 20
    # Each session of 900 seconds is used until less than 300 are left, and none to its end.
    assert 3600 / 900 < sts.count("AssumeRole") <= 1 + 3600 / 600
    assert [line.split()[0] for line in result.err.splitlines()] == ["assume", "warning"]


def test_many_children_at_once_cause_one_renewal(
    project: Project, sts: StrictSts, role: Role, clock: Clock
) -> None:
    project.tasks(
        f"{HEADER}{MOVE}"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from time import sleep\n"
        "import boto3\n"
        "@task\n"
        "def many(c):\n"
        "    move(3590)\n"
        "    def run(index):\n"
        "        return c.run(f'{sys.executable} child.py', hide='out', in_stream=False).stdout\n"
        "    with ThreadPoolExecutor(3) as pool: print(*pool.map(run, range(3)))\n"
    )
    write_child(project, "print(who())\n")
    sts.delay = 0.3

    result = project.run("assume", "--keep-fresh", "many")

    assert result.out.split() == ["Deployer"] * 3
    assert sts.count("AssumeRole") == 2


@pytest.mark.parametrize("way", ["c.run", "c.run(pty=True)", "exec", "a job of a shell"])
def test_a_renewal_asks_for_a_code_on_the_terminal_of_invoke(
    project: Project, sts: StrictSts, device: Device, clock: Clock, way: str
) -> None:
    # A c.run hands what is typed to its child, and a shell gives the terminal to its jobs.
    project.tasks(RUN.replace("child.py'", "child.py', pty=True") if "pty" in way else RUN)
    write_child(project, "print('I am', who(), flush=True)\nmove(890)\nprint('still', who())\n")
    project.environ |= {"SHELL": "/bin/bash", "TERM": "dumb"}
    words = {"exec": ["exec", "--", *PYTHON], "a job of a shell": ["shell"]}.get(way, ["child"])
    terminal = project.terminal("assume", "--keep-fresh", *words)

    terminal.expect_exact(f"MFA code for {device.serial}: ")
    terminal.sendline(device.code())
    if words == ["shell"]:
        terminal.expect_exact("`exit` leaves the shell")
        terminal.sendline(" ".join(PYTHON))
    terminal.expect_exact("I am Guarded")
    terminal.expect_exact(f"MFA code for {device.serial}: ")
    terminal.sendline(f"1\x7f{device.code(1)}")  # a slip, taken back: lines are edited as ever
    terminal.expect_exact("still Guarded")
    if words == ["shell"]:
        terminal.sendline("exit")

    project.finish(terminal)
    assert sts.count("AssumeRole") == 2


def test_a_question_that_is_left_open_leaves_the_terminal_as_it_was(
    project: Project, sts: StrictSts, device: Device, clock: Clock
) -> None:
    write_child(project, "move(700)\nwho()\nimport time\ntime.sleep(5)\nprint('done')\n")
    invoke = f"{sys.executable} -m invoke assume --keep-fresh exec -- {' '.join(PYTHON)}"
    terminal = project.terminal_running(["bash", "-c", f"{invoke}; stty -a"])
    terminal.expect_exact(f"MFA code for {device.serial}: ")
    terminal.sendline(device.code())
    terminal.expect_exact(f"MFA code for {device.serial}: ")
    terminal.expect_exact("done")  # with the old credentials: they are good for 200 seconds

    assert " echo " in project.finish(terminal)


def test_without_a_terminal_the_child_gets_the_error_before_its_credentials_end(
    project: Project, sts: StrictSts, device: Device, clock: Clock
) -> None:
    project.tasks(RUN)
    write_child(
        project,
        """
        while True:
            ahead = move(170)
            try:
                who()
            except Exception as error:
                raise SystemExit(f"at {ahead}: {error}")
            print(ahead)
        """,
    )

    result = project.run("assume", "--keep-fresh", "--mfa-code", device.code(), "child", code=1)

    assert [float(each) for each in result.out.split()][-1] == 680  # the old ones served on
    assert "at 850.0: " in result.err
    assert f"An MFA code is needed for {device.serial}, and nobody can be asked" in result.err
    assert "fix: Pass --mfa-code, or set `aws.mfa_command`" in result.err
    assert result.err.count("could not be renewed") == 1
    assert "ExpiredToken" not in result.err


def test_a_renewal_takes_the_code_of_a_command(
    project: Project, sts: StrictSts, device: Device, clock: Clock, tmp_path: Path
) -> None:
    codes = tmp_path / "codes"
    codes.write_text(f"{device.code(1)}\n")
    TAINT.own(codes, device.code(1))
    project.settings(
        profile="dev",
        role_arn=f"{sts.role('Commanded', mfa=True).arn}",
        mfa_serial=device.serial,
        mfa_command=f"cat {codes}",
        keep_fresh=True,
    )
    project.tasks(RUN)
    write_child(project, "print(who())\nmove(3590)\nprint(who())\n")

    result = project.run("assume", "--mfa-code", device.code(), "child")

    assert result.out.split() == ["Commanded"] * 2


SHOW = f"""
import json, os, pathlib, stat, boto3
{HEADER}
@task
def show(c):
    files = {{
        str(path): [
            oct(stat.S_IMODE(path.stat().st_mode)),
            False if path.is_dir() else path.read_text() if path.is_file() else "",
        ]
        for path in pathlib.Path(os.environ["AWS_CONFIG_FILE"]).parents[1].rglob("*")
    }}
    print(json.dumps(dict(
        files=files,
        environ=json.loads(c.run(f"{{sys.executable}} child.py", hide=True).stdout),
        replaced=environment(c),
        plain=boto3.client("sts").get_caller_identity()["Arn"],
        session=session(c).client("sts").get_caller_identity()["Arn"],
        key=credentials(c).access_key_id,
    )))
"""


@pytest.mark.parametrize("way", WAYS)
def test_children_get_no_keys_and_nothing_that_is_written_holds_one(
    project: Project, sts: StrictSts, role: Role, temporary: Path, way: str
) -> None:
    project.tasks(SHOW)
    (project.folder / "child.py").write_text(
        "import json, os\nprint(json.dumps(dict(os.environ)))\n"
    )

    environ = {"INVOKE_AWS_KEEP_FRESH": way, "AWS_EC2_METADATA_DISABLED": "false"}
    result = project.run("assume", "show", environ=environ)

    told = json.loads(result.out)
    given = {name for name in told["environ"] if name.startswith(("AWS_", "CPL_", "TASKS_AWS"))}
    assert given == {
        "AWS_ACCOUNT_ID", "AWS_CONFIG_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CREDENTIAL_FILE", "AWS_CREDENTIAL_PROFILES_FILE",
        "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED", "AWS_ENDPOINT_URL", "AWS_MAX_ATTEMPTS",
        "AWS_REGION", "AWS_SDK_LOAD_CONFIG", "AWS_SHARED_CREDENTIALS_FILE",
        "CPL_AWS_CREDENTIALS_FILE", "TASKS_AWS_ADDED",
        "TASKS_AWS_EC2_METADATA_DISABLED", "TASKS_AWS_REQUEST",
    }  # fmt: skip
    assert {name: told["replaced"][name] for name in given} == {
        name: told["environ"][name] for name in given
    }
    assert told["environ"]["AWS_EC2_METADATA_DISABLED"] == "true"  # no way to the machine's role
    left = {path.name for path in temporary.glob("*/*/*/*")}
    assert left == {"config", "credentials", "no-keys"}  # the token is gone
    folders = {mode for mode, text in told["files"].values() if text is False}
    texts = {Path(path).name: text for path, (mode, text) in told["files"].items() if text}
    assert folders == {"0o700"}
    assert {mode for mode, text in told["files"].values() if text is not False} == {"0o600"}
    assert told["key"] not in "".join(texts.values())
    token = texts["token"]
    assert token not in texts["config"]  # the command line of the program is there
    assert token not in "".join(told["environ"].values())
    assert "assumed-role/Deployer/alice" in told["plain"]
    assert told["session"] == told["plain"]
    assert sts.count("AssumeRole") == 1


def test_the_profile_keeps_its_other_settings(project: Project, sts: StrictSts, role: Role) -> None:
    del project.environ["AWS_ENDPOINT_URL"]
    key = sts.user_key()
    project.profile(
        "local",
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        region="eu-west-1",
        services="here",
        retry_mode="adaptive",
        s3="\n  addressing_style = path",
    )
    with (project.home / ".aws" / "config").open("a") as file:
        file.write(f"[services here]\nsts =\n  endpoint_url = {sts.url}\n")
    write_child(
        project,
        """
        s3 = b.get_session().get_scoped_config()["s3"]
        print(who(), client.meta.config.retries["mode"], s3["addressing_style"])
        """,
    )

    result = project.run("assume", "--profile", "local", "--keep-fresh", "exec", "--", *PYTHON)

    assert result.out == "Deployer adaptive path\n"


@pytest.mark.parametrize("named_by", ["settings", "variable"])
@pytest.mark.parametrize("name", ["work", "my work"])
def test_a_child_that_names_the_profile_has_the_role(
    project: Project, sts: StrictSts, named_by: str, name: str
) -> None:
    key, role = sts.user_key(), sts.role("Deployer")
    project.profile(
        f"'{name}'", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region="eu-west-1"
    )
    project.settings(role_arn=role.arn, **({"profile": name} if named_by == "settings" else {}))
    (project.folder / "child.py").write_text(
        f"import boto3\nsession = boto3.Session(profile_name={name!r})\n"
        "print(session.client('sts').get_caller_identity()['Arn'])\n"
    )
    environ = {} if named_by == "settings" else {"AWS_PROFILE": name}

    result = project.run("assume", "--keep-fresh", "exec", "--", *PYTHON, environ=environ)

    assert ":assumed-role/Deployer/" in result.out


def test_each_child_keeps_the_role_that_it_was_started_with(
    project: Project, sts: StrictSts, role: Role, clock: Clock
) -> None:
    other, last = sts.role("Other"), sts.role("Last")
    project.environ["AWS_CONFIG_FILE"] = str(project.home / ".aws" / "config")
    project.tasks(
        f"""{HEADER}
import os
@task
def roles(c):
    first = subprocess.Popen([sys.executable, "child.py"], stdin=subprocess.PIPE, text=True)
    assume(c, role_arn={other.arn!r}, keep_fresh=True)
    c.run(f"echo | {{sys.executable}} child.py")
    first.communicate("\\n")
    assume(c, role_arn={last.arn!r})
    c.run(f"echo | {{sys.executable}} child.py")
    print(os.environ["AWS_ACCESS_KEY_ID"][:4], os.environ["AWS_CONFIG_FILE"])
    print([name for name in os.environ if name.startswith("TASKS_AWS")])
"""
    )
    write_child(project, "who()\ninput()\nmove(1000)\nprint(who(), flush=True)\n")

    out = project.run("assume", "--keep-fresh", "roles").out

    # The first child goes on beside the second role; both renew their own.
    assert out.split("\n") == [
        "Other", "Deployer", "Last", f"ASIA {project.environ['AWS_CONFIG_FILE']}",
        "['TASKS_AWS_REQUEST']", "",
    ]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_an_invoke_inside_finds_the_users_own_profiles(
    project: Project, sts: StrictSts, role: Role, way: str
) -> None:
    project.tasks(
        f"{HEADER}@task\ndef inside(c): c.run(f'{{sys.executable}} -m invoke assume whoami')\n"
    )

    environ = {"INVOKE_AWS_KEEP_FRESH": way}
    assert "assumed-role/Deployer" in project.run("assume", "inside", environ=environ).out


@pytest.mark.parametrize("keys", [True, False])
def test_keys_that_some_tools_would_take_are_told_of_once(
    project: Project, sts: StrictSts, role: Role, keys: bool
) -> None:
    if not keys:
        (project.home / ".aws" / "credentials").write_text("[default]\nregion = eu-west-1\n")
    project.tasks(f"{HEADER}@task\ndef inside(c): c.run(f'{{sys.executable}} -m invoke assume')\n")
    again = ["assume", "--role-arn", sts.role("Other").arn, "--keep-fresh"]

    fresh = project.run("assume", *again, "assume", "--keep-fresh", "inside").err
    plain = project.run("assume").err

    assert fresh.count("~/.aws/credentials has keys") == keys
    assert ("run it with `assume --for`" in fresh) is keys
    assert "~/.aws/credentials" not in plain


def test_a_tool_that_knows_keys_only_says_that_it_cannot_renew_them(
    project: Project, role: Role
) -> None:
    (project.folder / "child.py").write_text(
        "import configparser, os, pathlib\n"  # as s3cmd and boto 2 do
        "text = pathlib.Path(os.environ['AWS_CREDENTIAL_FILE']).read_text()\n"
        "configparser.ConfigParser().read_string('[default]\\n' + text)\n"
    )

    result = project.run("assume", "--keep-fresh", "exec", "--", *PYTHON, code=1)

    assert "This tool cannot renew credentials. Run it with `assume --for`" in result.err


def test_dry_keeps_nothing_fresh(project: Project, role: Role, temporary: Path) -> None:
    project.tasks(
        f"{HEADER}import os\n@task\ndef key(c): print(os.environ['AWS_ACCESS_KEY_ID'][:4])\n"
    )

    assert project.run("--dry", "assume", "--keep-fresh", "key").out == "ASIA\n"
    assert list(temporary.iterdir()) == []


def test_env_prints_the_keys(project: Project, sts: StrictSts, role: Role) -> None:
    with TAINT.prints_secrets("`env` does"):
        lines = project.run("assume", "--keep-fresh", "env").out

    assert "export AWS_ACCESS_KEY_ID=ASIA" in lines
    assert "AWS_CONFIG_FILE" not in lines


def test_credentials_whose_end_nobody_knows_are_told_of(project: Project, sts: StrictSts) -> None:
    key = sts.issue("arn:aws:sts::123456789012:assumed-role/Found/alice", 3600)
    environ = {
        "AWS_ACCESS_KEY_ID": key.id,
        "AWS_SECRET_ACCESS_KEY": key.secret,
        "AWS_SESSION_TOKEN": str(key.token),
        "AWS_REGION": "eu-central-1",
    }
    write_child(project, "print(who())\n")

    result = project.run("assume", "--keep-fresh", "exec", "--", *PYTHON, environ=environ)

    assert result.out == "Found\n"
    assert "These credentials have no expiry" in result.err
