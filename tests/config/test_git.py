"""The commit of a project, whatever its repository is configured to do."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from tasks_aws.config import git
from tasks_aws.config.git import read_commit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with one commit of one file."""
    (tmp_path / "app.py").write_text("")
    for words in (
        ["init", "-q"],
        ["config", "user.name", "a"],
        ["config", "user.email", "a@b"],
        ["add", "."],
        ["commit", "-qm", "x"],
    ):
        run(tmp_path, *words)
    return tmp_path


def run(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def change(repository: Path) -> None:
    (repository / "app.py").write_text("changed")


def test_it_is_the_hash_and_says_when_a_tracked_file_has_changed(repository: Path) -> None:
    run(repository, "tag", "v1")
    commit = run(repository, "rev-parse", "HEAD")

    (repository / "untracked.py").write_text("")
    assert read_commit(repository, os.environ) == commit

    change(repository)
    assert read_commit(repository, os.environ) == f"{commit}-dirty"


def test_there_is_none_without_a_commit_a_repository_or_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert read_commit(tmp_path, os.environ) is None
    run(tmp_path, "init", "-q")
    assert read_commit(tmp_path, os.environ) is None
    (tmp_path / ".git" / "config").write_bytes(b"[broken \xff")
    assert read_commit(tmp_path, os.environ) is None
    monkeypatch.setenv("PATH", "")
    assert read_commit(tmp_path, os.environ) is None
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "configured",
    [
        {"core.fsmonitor": "{program}"},
        {"core.hooksPath": "{folder}"},
        {"core.pager": "{program}", "pager.describe": "true"},
        {"alias.describe": "!{program}", "diff.external": "{program}", "core.abbrev": "7"},
        {"color.ui": "always", "core.editor": "{program}", "core.quotePath": "false"},
    ],
)
def test_an_unusual_configuration_runs_no_program(
    repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
    configured: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path_factory.mktemp("hooks")
    program = folder / "post-index-change"
    program.write_text(f"#!/bin/sh\necho ran >&2\ntouch {folder}/ran\n")
    program.chmod(0o755)
    for key, value in configured.items():
        run(repository, "config", key, value.format(program=program, folder=folder))
    (folder / "ran").unlink(missing_ok=True)
    capfd.readouterr()
    (branch,) = (repository / ".git" / "refs" / "heads").iterdir()
    change(repository)

    assert read_commit(repository, os.environ) == f"{branch.read_text().strip()}-dirty"
    assert not (folder / "ran").exists()
    assert capfd.readouterr() == ("", "")


def test_a_filter_that_never_ends_is_not_waited_for(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(git, "_TIMEOUT_SECONDS", 1)
    run(repository, "config", "filter.slow.clean", "echo slow >&2; sleep 20")
    (repository / ".gitattributes").write_text("* filter=slow\n")
    (repository / "app.py").write_text("")  # the same size, so that Git has to compare
    start = time.monotonic()

    assert read_commit(repository, os.environ) is None

    assert time.monotonic() - start < 10
    assert capfd.readouterr() == ("", "")


def test_a_filter_gets_the_environment_that_it_is_given_without_what_is_for_aws(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "that of the process")
    run(repository, "config", "filter.nosy.clean", f"env > '{tmp_path}/seen'; cat")
    (repository / ".gitattributes").write_text("* filter=nosy\n")
    (repository / "app.py").write_text("")  # the same size, so that Git has to compare

    assert read_commit(
        repository, {"PATH": os.environ["PATH"], "KEPT": "1", "AWS_SESSION_TOKEN": "given"}
    )

    seen = (tmp_path / "seen").read_text().splitlines()
    assert "KEPT=1" in seen
    assert not [line for line in seen if line.startswith("AWS_")]
