"""Systems: what the package does where Python has less than on Linux.

`WITHOUT_UNIX` takes away what Windows lacks; `os.name` stays, for it decides which paths there are.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import ROOT
from tests.packaging.support import function
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.wheels import make_wheel, offline

WITHOUT_UNIX = """
import getpass, os, signal, socket, subprocess, sys, tempfile
import filelock, invoke.program  # these have a way of their own for Windows
for module in ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"):
    sys.modules[module] = None
LACKING = {
    os: "fork geteuid getpgid getpgrp getsid getuid killpg register_at_fork setsid tcgetpgrp "
    "tcsetpgrp O_NOCTTY O_NOFOLLOW",
    signal: "SIGHUP SIGKILL SIGQUIT SIGTSTP SIGTTOU SIGUSR1 SIGWINCH pthread_kill pthread_sigmask",
    socket: "AF_UNIX SO_PEERCRED",
}
for module, names in LACKING.items():
    for name in names.split():
        delattr(module, name)
"""
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "tasks_aws").rglob("*.py")
    if path.name != "__init__.py" and path.parent.name != "runners"
)


@pytest.fixture
def elsewhere(project: Project, tmp_path: Path) -> Project:
    """A project on a system that has nothing that only Unix has."""
    folder = tmp_path / "without-unix"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(WITHOUT_UNIX)
    project.environ |= {"PYTHONPATH": str(folder), "USERNAME": "alice"}
    del project.environ["LOGNAME"]
    return project


def test_every_module_can_be_imported(elsewhere: Project) -> None:
    script = f"import importlib\nfor name in {MODULES}: importlib.import_module(name)"

    subprocess.run([sys.executable, "-c", script], env=elsewhere.environ, check=True, cwd=ROOT)


def test_a_session_is_obtained_cached_handed_on_and_forgotten(
    elsewhere: Project, sts: StrictSts, role: Role
) -> None:
    program = "import os; print('AWS_SESSION_TOKEN' in os.environ)"

    elsewhere.run("assume", "whoami")
    result = elsewhere.run("assume", "exec", "--", sys.executable, "-c", program)
    listed = elsewhere.run("sessions").out
    elsewhere.run("forget")

    assert result.out == "True\n"
    assert "Deployer" in listed
    assert sts.count("AssumeRole") == 1
    assert elsewhere.cache_files() == []


def test_nobody_is_asked_for_a_code_without_a_terminal(
    elsewhere: Project, sts: StrictSts, user: Key
) -> None:
    device, guarded = sts.device(), sts.role("Guarded", mfa=True)
    elsewhere.settings(profile="dev", role_arn=guarded.arn, mfa_serial=device.serial)

    assert "there is no terminal" in elsewhere.run("assume", "whoami", code=1).err


def test_functions_are_packaged_into_the_same_bytes(elsewhere: Project, tmp_path: Path) -> None:
    make_wheel(tmp_path / "wheels", "pure", tag="py3-none-any", files={"pure.py": "x = 1\n"})
    elsewhere.environ |= offline(tmp_path / "wheels")
    archive = function(elsewhere, requirements="pure\n")
    elsewhere.run("package")
    there = archive.read_bytes()
    elsewhere.run("clean")
    del elsewhere.environ["PYTHONPATH"]

    elsewhere.run("package")

    assert archive.read_bytes() == there


def test_temporary_files_are_in_a_folder_that_is_named_after_the_user(elsewhere: Project) -> None:
    script = (
        "from tasks_aws.auth.refresh.private_files import make_private_folder\n"
        "print(make_private_folder().is_dir(), make_private_folder())"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=elsewhere.environ,
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout.startswith("True ")
    assert "/tasks-aws-alice/" in done.stdout
