from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.errors import TasksAwsError
from tasks_aws.local import emulator, server
from tests.support import clean_environment


def broken(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which MiniStack does not start."""
    (tmp_path / "ministack").mkdir()
    (tmp_path / "ministack" / "__init__.py").write_text("")
    (tmp_path / "ministack" / "app.py").write_text("raise ImportError('of another version')")
    folder = tmp_path / "tmp"
    folder.mkdir()
    return clean_environment(tmp_path) | {"PYTHONPATH": str(tmp_path), "TMPDIR": str(folder)}


def test_a_failure_to_start_shows_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(TasksAwsError, match="MiniStack did not start") as caught:
        emulator.start(broken(tmp_path))

    assert caught.value.why == "ImportError: of another version"
    assert "Traceback" in capsys.readouterr().err
    assert list((tmp_path / "tmp").iterdir()) == []


def test_one_that_is_kept_and_does_not_start_is_not_kept(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    with pytest.raises(TasksAwsError, match="of another version"):
        emulator.keep(folder, broken(tmp_path))

    assert emulator.find_kept(folder) is None
    assert not (folder / server.STATE).exists()


def test_without_ministack_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find_spec(name: str, *_: Any) -> None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(TasksAwsError, match=r"pip install 'tasks-aws\[local\]'"):
        emulator.start({})


def test_another_program_on_the_port_is_not_taken_for_it(tmp_path: Path, endpoint: str) -> None:
    (tmp_path / server.STATE).write_text(f'{{"url": "{endpoint}", "token": "of-another"}}')

    assert emulator.find_kept(tmp_path) is None


def test_what_windows_could_not_remove_goes_with_its_process(tmp_path: Path) -> None:
    folder = tmp_path / "left"
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", "input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    emulator.Emulator("", "", folder, process).stop()

    assert not folder.exists()
