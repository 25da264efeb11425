"""`fab`, with the same tasks: local commands have the credentials, remote ones never see them."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.strict_sts import Role, StrictSts
from tests.support import Project

if not importlib.util.find_spec("fabric"):
    pytest.skip("fabric is not installed: it needs invoke<3", allow_module_level=True)

paramiko: Any = importlib.import_module("paramiko")

FABFILE = """
import sys
from invoke import task
from tasks_aws import *

@task
def both(c):
    run_local = getattr(c, "local", c.run)
    run_local("echo local $AWS_ACCESS_KEY_ID")
    if hasattr(c, "local"):
        c.run("uname")
        c.run("uname", env={"STAGE": "prod"})
    print("session", session(c).client("sts").get_caller_identity()["Arn"])
"""


class Remote(paramiko.ServerInterface):  # type: ignore[misc]  # paramiko is not always there
    """A remote host that lets everybody in, answers everything, and remembers what it was sent."""

    def __init__(self, received: list[str]) -> None:
        self.received = received

    def check_auth_password(self, username: str, password: str) -> int:
        return int(paramiko.AUTH_SUCCESSFUL)

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return int(paramiko.OPEN_SUCCEEDED)

    def check_channel_env_request(self, channel: Any, name: bytes, value: bytes) -> bool:
        self.received.append(f"{name.decode()}={value.decode()}")
        return True

    def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
        self.received.append(command.decode())

        def answer() -> None:
            channel.sendall(b"answered\n")
            channel.send_exit_status(0)
            channel.close()

        threading.Timer(0.05, answer).start()  # once the client knows that it was accepted
        return True


@pytest.fixture
def remote(project: Project) -> Iterator[tuple[str, list[str]]]:
    """An SSH server on the loopback interface: its address, and what it received."""
    import socket

    received: list[str] = []
    key = paramiko.ECDSAKey.generate()
    listening = socket.create_server(("127.0.0.1", 0))
    transports = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:  # closed: the test is over
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(key)
            transport.start_server(server=Remote(received))
            transports.append(transport)

    threading.Thread(target=serve, daemon=True).start()
    connect = "connect_kwargs: {password: anything, allow_agent: false, look_for_keys: false}\n"
    (project.folder / "fabric.yaml").write_text(
        (project.folder / "invoke.yaml").read_text() + connect
    )
    (project.folder / "fabfile.py").write_text(FABFILE)
    yield f"user@127.0.0.1:{listening.getsockname()[1]}", received
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    for transport in transports:
        transport.close()


def fab(project: Project, *words: str) -> str:
    process = run_fab(project, *words)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def run_fab(
    project: Project, *words: str, script: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *([str(script)] if script else ["-m", "fabric"]), *words],
        cwd=project.folder,
        env=project.environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_remote_hosts_never_see_what_local_commands_have(
    project: Project, sts: StrictSts, role: Role, remote: tuple[str, list[str]]
) -> None:
    address, received = remote

    out = fab(project, "-H", address, "assume", "both")

    (key,) = [key for key in sts.keys.values() if key.token]
    assert f"local {key.id}" in out
    assert out.count("answered") == 2
    assert f"session {role.session('alice')}" in out
    assert received[0] == "uname"
    assert "STAGE" in received[1]  # what a task passes by name is sent, and nothing else
    assert [text for text in received if "AWS_" in text] == []


def test_without_a_host_fab_is_as_invoke(
    project: Project, sts: StrictSts, role: Role, remote: tuple[str, list[str]]
) -> None:
    assert f"session {role.session('alice')}" in fab(project, "assume", "both")
    assert sts.count("AssumeRole") == 1


def test_settings_that_fab_does_not_read_are_named(
    project: Project, sts: StrictSts, role: Role, remote: tuple[str, list[str]]
) -> None:
    (project.folder / "fabric.yaml").unlink()

    process = run_fab(project, "deploy")

    assert process.returncode == 1
    file = project.folder / "fabric.yaml"
    reason = f"invoke.yaml has settings for tasks-aws and is not read: move them to {file}."
    assert f"No functions are configured.\n  why: {reason}" in process.stderr
    assert "Add one under `aws.functions` in fabric.yaml." in process.stderr


def test_messages_name_fab(project: Project) -> None:
    (project.folder / "fabfile.py").write_text(FABFILE)
    (project.folder / "fabric.yaml").write_text("aws: {cache: none}\n")

    (script := project.home / "fab").write_text("from fabric.main import *\nprogram.run()\n")
    rest = "assume --region REGION --profile PROFILE`"

    assert f"fabric.yaml, or run `fab {rest}" in run_fab(project, "assume", script=script).stderr
    assert f"fabric.yaml, or run `python -m fabric {rest}" in run_fab(project, "assume").stderr


def test_fab_runs_a_task_for_each_host(
    project: Project, sts: StrictSts, role: Role, remote: tuple[str, list[str]]
) -> None:
    address, _ = remote

    assert fab(project, "-H", f"{address},{address}", "both").count("session") == 2
