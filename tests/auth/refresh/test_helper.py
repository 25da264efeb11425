"""The program that children run asks invoke, and knows when there is no answer to come."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from botocore.compat import compat_shell_split

from tasks_aws.auth.refresh import children, helper
from tasks_aws.auth.refresh.server import SocketServer, running_server
from tests.auth.refresh.test_renewer import fail, renewer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose path is too long for a socket, and which the program may enter."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.chdir(folder)  # and back at the end
    return folder


@pytest.fixture
def silent(folder: Path) -> Iterator[socket.socket]:
    """Something that accepts connections and says nothing."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        server.listen()
        yield server


def test_the_answer_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SocketServer(folder / "s", renewer(600, fail))

    assert helper.main(str(folder / "s")) == 0
    assert '"AccessKeyId": "OLD"' in capsys.readouterr().out


def test_the_reason_is_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SocketServer(folder / "s", renewer(10, fail))

    assert helper.main(str(folder / "s")) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.endswith("\nThere is no code.\n")


def test_an_invoke_that_does_not_answer_is_not_waited_for_for_ever(
    folder: Path,
    silent: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(helper, "_SECONDS", 0.1)

    assert helper.main(str(folder / "s")) == 1
    assert "has not answered" in capsys.readouterr().err


def test_a_stranger_is_not_believed(
    folder: Path,
    silent: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        pytest.skip("this system does not tell who is at the other end")
    monkeypatch.setattr("os.geteuid", lambda: 12345)  # so that this process is another user

    assert helper.main(str(folder / "s")) == 1
    assert "belongs to another user" in capsys.readouterr().err


def test_on_windows_it_asks_the_server_that_the_file_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(children, "system", "nt")
    made = renewer(600, fail)
    asked = children._asked(tmp_path, made, running_server().serve(made))
    words = compat_shell_split(children._command(asked), "win32")

    with monkeypatch.context() as patch:
        patch.setattr(os, "name", "nt")
        patch.delattr(socket, "AF_UNIX")
        code = helper.main(words[-1])

    assert code == 0
    assert '"AccessKeyId": "OLD"' in capsys.readouterr().out


def test_windows_splits_the_command_into_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "system", "nt")
    monkeypatch.setattr(sys, "executable", r"C:\Program Files\Python\python.exe")
    asked: Any = PureWindowsPath(r"C:\Users\Alice B\Temp\server")

    words = compat_shell_split(children._command(asked), "win32")

    assert words == [sys.executable, "-I", "-S", str(Path(helper.__file__)), str(asked)]
