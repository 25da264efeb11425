"""What `--keep-fresh` makes goes when invoke ends, however that happens."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tasks_aws.process.temporary import MARK
from tests.strict_sts import Role
from tests.support import Project

WAIT = """
import os, signal, sys, time
from invoke import task
from tasks_aws import *

@task
def wait(c):
    c.run("echo ready $AWS_CONFIG_FILE; exec sleep 20", in_stream=False)

@task
def handle(c):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the user's handler ran"))
"""


@pytest.fixture
def temporary(project: Project, role: Role) -> Path:
    """The user's folder for temporary files, and a project that uses it."""
    project.tasks(WAIT)
    return Path(project.environ["TMPDIR"]) / f"tasks-aws-{os.getuid()}"


def inside(temporary: Path) -> list[str]:
    """Return the names of what invokes have written for their children."""
    return sorted(path.name for path in temporary.glob("*/*/*"))


LASTING = ["config", "credentials", "no-keys"]
ALL = [*LASTING, "s", "token"]


def start(project: Project, *words: str) -> subprocess.Popen[str]:
    """Start a command line that waits, with its credentials kept fresh."""
    process = project.start(*words, "assume", "--keep-fresh", "wait")
    assert process.stdout
    assert process.stdout.readline().startswith("ready /")
    return process


def end(process: subprocess.Popen[str], number: int) -> str:
    """Send a signal to invoke and to its children, as a terminal does, and wait for the end."""
    os.killpg(process.pid, number)
    return process.communicate(timeout=15)[1]


@pytest.mark.parametrize(
    ("number", "codes"),
    [
        (signal.SIGINT, {1, 254}),  # of invoke, or of its child
        (signal.SIGTERM, {-signal.SIGTERM}),
        (signal.SIGHUP, {-signal.SIGHUP}),
    ],
)
def test_a_signal_that_ends_invoke_leaves_no_token(
    project: Project, temporary: Path, number: int, codes: set[int]
) -> None:
    process = start(project)
    assert inside(temporary) == ALL

    said = end(process, number)

    assert process.returncode in codes
    assert "Traceback" not in said
    assert inside(temporary) == LASTING


def test_a_handler_of_the_users_stays(project: Project, temporary: Path) -> None:
    process = start(project, "handle")

    assert "the user's handler ran" in end(process, signal.SIGTERM)
    assert inside(temporary) == LASTING


def test_what_a_killed_invoke_left_is_removed_by_the_next(
    project: Project, temporary: Path
) -> None:
    other = start(project)
    theirs = {*temporary.iterdir()}
    killed = start(project)
    (left,) = {*temporary.iterdir()} - theirs
    end(killed, signal.SIGKILL)
    assert inside(temporary) == sorted([*ALL, *ALL])

    project.run("assume", "--keep-fresh")

    assert sorted(path.name for path in left.glob("*/*")) == LASTING
    assert inside(temporary) == sorted([*ALL, *LASTING, *LASTING])
    for mark in temporary.glob(f"*/{MARK}"):
        os.utime(mark, (0, 0))  # a day goes by

    project.run("assume", "--keep-fresh")

    assert not left.exists()
    assert inside(temporary) == sorted([*ALL, *LASTING])  # the other one still runs
    end(other, signal.SIGTERM)


def test_another_users_folder_is_not_used(project: Project, temporary: Path) -> None:
    (elsewhere := project.home / "elsewhere").mkdir()
    temporary.symlink_to(elsewhere)

    result = project.run("assume", "--keep-fresh", code=1)

    assert "is not a folder of yours" in result.err
    assert "set TMPDIR to another folder" in result.err
    assert list(elsewhere.iterdir()) == []


def test_nobody_else_may_enter_the_users_folder(project: Project, temporary: Path) -> None:
    temporary.mkdir()
    temporary.chmod(0o777)

    project.run("assume", "--keep-fresh")

    assert temporary.stat().st_mode & 0o777 == 0o700


def test_folders_of_the_users_stay_whatever_they_are_called(
    project: Project, temporary: Path
) -> None:
    theirs = [temporary / name for name in ("main", "keep-fresh-main")]
    for folder in theirs:
        folder.mkdir(parents=True)
        (folder / "README.md").write_text("unpacked here")
        os.utime(folder, (0, 0))

    project.run("assume", "--keep-fresh")

    assert {*theirs} < {*temporary.iterdir()}
    assert all([each.name for each in folder.iterdir()] == ["README.md"] for folder in theirs)


def test_a_fork_removes_nothing(project: Project, temporary: Path) -> None:
    project.tasks(
        "import multiprocessing, os, time\nfrom invoke import task\nfrom tasks_aws import *\n"
        "def work(ready):\n"
        "    ready.set()\n"
        "    time.sleep(20)\n"
        "@task\ndef fork(c):\n"
        "    forking = multiprocessing.get_context('fork')\n"
        "    ready = forking.Event()\n"
        "    worker = forking.Process(target=work, args=(ready,))\n"
        "    worker.start()\n"
        "    ready.wait()\n"
        "    worker.terminate()\n"
        "    worker.join()\n"
        "    print(worker.exitcode, os.path.exists(os.environ['AWS_CONFIG_FILE']))\n"
    )

    assert project.run("assume", "--keep-fresh", "fork").out == "-15 True\n"


@pytest.mark.parametrize("end_of_invoke", [signal.SIGTERM, signal.SIGKILL])
def test_a_child_that_outlives_invoke_takes_keys_from_nobody_else(
    project: Project, temporary: Path, end_of_invoke: int
) -> None:
    project.tasks(
        "import os\nfrom invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef wait(c):\n"
        "    with open(os.environ['AWS_CONFIG_FILE']) as file:\n"
        "        print('ready', os.environ['AWS_CONTAINER_CREDENTIALS_FULL_URI'],\n"
        "              file.readlines()[1].split('=', 1)[1], flush=True)\n"
        "    c.run('exec sleep 20', in_stream=False)\n"
    )
    process = project.start("assume", "--keep-fresh", "wait")
    assert process.stdout
    _, url, *command = process.stdout.readline().split()
    end(process, end_of_invoke)

    with socket.create_server(("127.0.0.1", urlsplit(url).port or 0)) as other:
        asked = subprocess.run(command, capture_output=True, text=True)
        other.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.accept()  # nobody has come

    assert asked.returncode == 1
    assert asked.stdout == ""
    assert "the invoke process that renewed them has ended." in asked.stderr


def test_a_child_that_outlives_invoke_is_told_why_it_has_no_credentials(
    project: Project, temporary: Path
) -> None:
    process = start(project)
    end(process, signal.SIGTERM)
    (config,) = temporary.glob("*/*/config")

    child = subprocess.run(
        [sys.executable, "-c", "import boto3; boto3.client('sts').get_caller_identity()"],
        env={**project.environ, "AWS_CONFIG_FILE": str(config), "AWS_REGION": "eu-west-1",
             "AWS_SHARED_CREDENTIALS_FILE": str(config.with_name("credentials"))},
        capture_output=True,
        text=True,
    )  # fmt: skip

    assert "the invoke process that renewed them has ended." in child.stderr


def test_a_folder_for_temporary_files_that_is_missing_is_an_error(
    project: Project, temporary: Path
) -> None:
    project.tasks(
        "import os, tempfile\nfrom invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef spoil(c): tempfile.tempdir = '/nowhere'\n"
    )

    result = project.run("spoil", "assume", "--keep-fresh", code=1)

    assert "Cannot keep the credentials fresh." in result.err
    assert "Traceback" not in result.err


def test_the_program_imports_next_to_nothing(project: Project, temporary: Path) -> None:
    project.tasks(
        "from invoke import task\nfrom tasks_aws import *\n"
        "@task\ndef show(c): c.run('cat $AWS_CONFIG_FILE')\n"
        "@task\ndef ask(c):\n"
        "    with open(os.environ['AWS_CONFIG_FILE']) as file: line = file.readlines()[1]\n"
        "    words = line.split('=', 1)[1].split()\n"
        "    done = subprocess.run([words[0], '-X', 'importtime', *words[1:]],\n"
        "                          capture_output=True, text=True)\n"
        "    print(done.returncode, sorted(set(MODULES) & {\n"
        "        each.split('|')[-1].strip() for each in done.stderr.splitlines()}))\n"
        "import os, subprocess\n"
        "MODULES = ['socket', 'site', 'json', 're', 'http.client', 'botocore', 'tasks_aws']\n"
    )

    assert project.run("assume", "--keep-fresh", "ask").out == "0 ['socket']\n"
