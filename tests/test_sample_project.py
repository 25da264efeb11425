"""The sample project, and the embedded AWS that its first task starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from tasks_aws.local import server
from tests import local_aws
from tests.documents import ROOT
from tests.support import Project
from tests.taint import recording
from tests.wheels import offline, wheel_of_installed

SAMPLE = ROOT / "sample_project"


@pytest.fixture
def sample(project: Project, tmp_path: Path) -> Project:
    """A copy of the sample project, with a folder of its own for temporary files."""
    shutil.rmtree(project.folder)
    leave = shutil.ignore_patterns(".tasks_aws", "__pycache__", ".mypy_cache")
    shutil.copytree(SAMPLE, project.folder, ignore=leave)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel_of_installed(wheels, "humanize")
    (tmp_path / "tmp").mkdir()
    project.environ.update(offline(wheels), **recording(), TMPDIR=str(tmp_path / "tmp"))
    return project


def port_of(text: str) -> int:
    """Return the port that `local` told."""
    found = re.search(r"MiniStack on http://127\.0\.0\.1:(\d+)", text)
    assert found, text
    return int(found[1])


def assert_gone(port: int, tmp: Path, *, within: float = 0) -> None:
    """Check that neither the server nor its files are left."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and (is_open(port) or any(tmp.iterdir())):
        time.sleep(0.05)
    assert not is_open(port)
    assert list(tmp.iterdir()) == []


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_main_job(sample: Project, tmp_path: Path) -> None:
    result = sample.run("local", "assume", "deploy", "invoke", "whoami", "caller", "code")

    answer, *rest = result.out.splitlines()
    assert json.loads(answer) == {"greeting": "Hello, world!", "memory": "256.0 MiB"}
    arn = "arn:aws:sts::000000000000:assumed-role/deployer/alice"
    assert rest[0] == f"arn      {arn}"
    assert rest[5] == arn
    assert rest[6].startswith("hello python3.13 ")
    steps = list(dict.fromkeys(line.split()[0] for line in result.err.splitlines()))
    assert steps[:7] == ["local", "assume", "install", "zip", "account", "smoke", "create"]
    assert_gone(port_of(result.err), tmp_path / "tmp")


def test_its_own_tests_pass(sample: Project) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]

    ran = subprocess.run(
        words, cwd=sample.folder, env=sample.environ, capture_output=True, text=True, timeout=120
    )

    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


EDIT = """

@task
def edit(c):
    path = "src/app.py"
    text = open(path).read().replace("Hello, ", "Hello again, ")
    open(path, "w").write(text)
    path = "invoke.yaml"
    text = open(path).read().replace("Hello, ", "Hello again, ")
    open(path, "w").write(text)
"""


def test_the_life_of_a_function(sample: Project) -> None:
    with (sample.folder / "tasks.py").open("a") as file:
        file.write(EDIT)
    (sample.folder / "edited.yaml").write_text(
        'aws: {functions: {hello: {smoke: {expect: {greeting: "Hello again, smoke!"}}}}}'
    )
    words = "-f edited.yaml local assume edit plan deploy invoke status logs prune --yes init"

    result = sample.run(*words.split())

    assert "plan      hello  create" in result.err
    assert "+ alias live  the new version" in result.err
    assert "smoke     hello  version 1 responds as expected" in result.err
    assert "create    hello  version 1" in result.err
    assert '"greeting": "Hello again, world!"' in result.out
    assert re.search(r"^hello .*live.* 1 ", result.out, re.MULTILINE), result.out
    assert "alias: live" in result.out


def test_a_rollback_serves_the_version_of_before(sample: Project) -> None:
    with (sample.folder / "tasks.py").open("a") as file:
        file.write(EDIT)
    text = (sample.folder / "invoke.yaml").read_text()
    (sample.folder / "invoke.yaml").write_text(text.split("      smoke:")[0])
    words = "local assume deploy invoke edit deploy invoke rollback invoke deploy invoke"

    result = sample.run(*words.split())

    greetings = [json.loads(line)["greeting"] for line in result.out.splitlines()]
    first, again = "Hello, world!", "Hello again, world!"
    assert greetings == [first, again, first, again]
    assert "rollback  hello  live: 2 -> 1" in result.err


@pytest.mark.parametrize("by", ["read_only", "policy"])
def test_a_session_that_is_narrowed_cannot_deploy(sample: Project, by: str) -> None:
    statement = {"Effect": "Allow", "Action": "lambda:Get*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    environ = {"INVOKE_AWS_POLICY": policy} if by == "policy" else {"INVOKE_AWS_READ_ONLY": "true"}

    message = sample.run("local", "assume", "deploy", environ=environ, code=1).err

    assert "Lambda could not create the function hello." in message
    assert "not authorized to perform: lambda:CreateFunction" in message
    ways = {
        "read_only": "Run this without `aws.read_only` (--read-only)",
        "policy": "Allow lambda:CreateFunction in `aws.policy`",
    }
    assert f"fix: {ways[by]}, which narrows the session." in message


def test_a_denial_in_another_region_than_that_of_the_policy_names_both(sample: Project) -> None:
    statement = {"Effect": "Allow", "Action": "lambda:Get*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    (sample.folder / "deployer.json").write_text(json.dumps(policy))
    words = "local --policy deployer.json assume --region us-west-1 deploy"

    message = sample.run(*words.split(), code=1).err

    account = "000000000000"
    assert f"It prints that for {account}, us-east-1, as in the settings" in message
    assert f"the role needs the same for {account}, us-west-1." in message


def test_the_users_own_aws_files_are_neither_read_nor_written(sample: Project) -> None:
    (sample.home / ".aws").mkdir()
    (sample.home / ".aws" / "config").write_text("not an INI file")
    environ = {
        "AWS_PROFILE": "real",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_ENDPOINT_URL": "http://x",
    }

    result = sample.run("local", "assume", "whoami", environ=environ)

    assert "assumed-role/deployer" in result.out
    assert [path.name for path in (sample.home / ".aws").iterdir()] == ["config"]


def test_it_stops_after_an_error(sample: Project, tmp_path: Path) -> None:
    result = sample.run("local", "assume", "--profile", "nowhere", code=1)

    assert_gone(port_of(result.err), tmp_path / "tmp")


WAIT = "\n@task\ndef wait(c):\n    print('waiting', flush=True)\n    import time; time.sleep(60)\n"


def test_it_stops_after_ctrl_c(sample: Project, tmp_path: Path) -> None:
    with (sample.folder / "tasks.py").open("a") as file:
        file.write(WAIT)
    terminal = sample.terminal("local", "assume", "wait")
    terminal.expect_exact("waiting")
    port = port_of(terminal.before)
    assert is_open(port)

    terminal.sendintr()

    sample.finish(terminal, code=1)
    assert_gone(port, tmp_path / "tmp")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_it_stops_when_invoke_is_killed(sample: Project, tmp_path: Path, number: int) -> None:
    with (sample.folder / "tasks.py").open("a") as file:
        file.write(WAIT)
    process = sample.start("local", "assume", "wait")
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == "waiting\n"
    port = port_of(process.stderr.readline())

    os.kill(process.pid, number)
    process.communicate(timeout=20)

    assert process.returncode in (-number, 128 + number)
    assert_gone(port, tmp_path / "tmp", within=10)


@pytest.mark.parametrize("name", ["local-aws-main", f"{server.PREFIX}main"])
def test_it_removes_nothing_that_it_has_not_made(
    sample: Project, tmp_path: Path, name: str
) -> None:
    theirs = tmp_path / "tmp" / name
    theirs.mkdir()
    (theirs / "README.md").write_text("unpacked here")
    os.utime(theirs, (0, 0))

    sample.run("local")

    assert list((tmp_path / "tmp").iterdir()) == [theirs]
    assert (theirs / "README.md").read_text() == "unpacked here"


def test_its_tasks_are_listed_without_boto3(sample: Project) -> None:
    (sample.folder / "probe.py").write_text(
        "import sys, tasks\n"
        "print([m for m in ('boto3', 'botocore', 'ministack', 'rich') if m in sys.modules])"
    )
    command = [sys.executable, "probe.py"]
    terminal = sample.terminal_running(command)

    assert "[]" in sample.finish(terminal)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_nothing_of_it_can_be_reached_from_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:  # for another listener, whose usual port may be taken
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("IOT_MTLS_PORT", str(probe.getsockname()[1]))

    aws = local_aws.start()
    assert aws.process
    try:
        urlopen(f"{aws.url}/_ministack/ready", timeout=20).close()
        processes = [aws.process.pid, *children_of(aws.process.pid)]
        addresses = [each for process in processes for each in listening_addresses(process)]
    finally:
        aws.stop()

    assert addresses
    assert set(addresses) == {"0100007F"}  # 127.0.0.1


def children_of(process: int) -> list[int]:
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for path in tasks for child in path.read_text().split()]


def listening_addresses(process: int) -> list[str]:
    """Return the addresses that a process listens on, as hexadecimal digits."""
    files = [each.readlink() for each in Path(f"/proc/{process}/fd").iterdir() if each.is_symlink()]
    tables = [Path(f"/proc/{process}/net/{name}").read_text() for name in ("tcp", "tcp6")]
    sockets = [line.split() for table in tables for line in table.splitlines()[1:]]
    return [
        local.partition(":")[0]
        for _, local, _, state, _, _, _, _, _, inode, *_ in sockets
        if state == "0A" and Path(f"socket:[{inode}]") in files
    ]
