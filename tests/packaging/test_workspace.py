"""The programs that build see the environment of the workspace, and nobody else does."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tasks_aws.config.function_parsers import Source
from tasks_aws.config.functions import Function
from tasks_aws.packaging.build import build
from tasks_aws.packaging.workspace import Workspace
from tests.packaging.support import RUNTIME, no_command
from tests.strict_sts import Role
from tests.support import Project

FUNCTION = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13"}


def program(folder: Path, name: str, log: Path) -> None:
    """Write a program that prints its name, and appends its environment to a file."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nenv | sed "s/^/{name} /" >> "{log}"\necho {name}\n')
    path.chmod(0o755)


def test_its_repr_does_not_show_the_environment(tmp_path: Path) -> None:
    workspace = Workspace(project=tmp_path, environ={"NPM_TOKEN": "s3cret"}, run=no_command)

    assert "s3cret" not in repr(workspace)


@pytest.mark.parametrize(
    ("name", "runtime", "files"),
    [
        ("uv", "python3.13", {"requirements.txt": "x"}),
        ("poetry", "python3.13", {"poetry.lock": ""}),
        (
            "npm",
            "nodejs22.x",
            {"package.json": '{"optionalDependencies": {"x": "1"}}', "package-lock.json": "{}"},
        ),
    ],
)
def test_installers_see_its_environment_and_not_that_of_the_process(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    runtime: str,
    files: dict[str, str],
) -> None:
    log = tmp_path / "log"
    for each in ("uv", "poetry", "npm"):
        program(tmp_path / "bin", each, log)
    for path, content in files.items():
        (tmp_path / path).write_text(content)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "assumed")
    monkeypatch.setenv("PATH", "/nowhere")
    workspace = Workspace(
        project=tmp_path, environ={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, run=no_command
    )
    function = Function(
        name="f",
        key="aws.functions.f",
        source=(Source("."),),
        exclude=("bin", "log"),
        parameters={"Runtime": runtime},
    )

    build(function, workspace)

    seen = log.read_text()
    assert f"{name} PATH={workspace.environ['PATH']}\n" in seen
    assert "AWS_SESSION_TOKEN" not in seen


@pytest.mark.parametrize("nested", [False, True])
def test_no_program_that_builds_has_the_session_of_an_assume(
    project: Project, role: Role, tmp_path: Path, nested: bool
) -> None:
    log, source = tmp_path / "log", project.folder / "src"
    for each in ("git", "uv", "npm"):
        program(tmp_path / "bin", each, log)
    source.mkdir()
    (source / "app.py").write_text("def handler(event, context): ...")
    (source / "requirements.txt").write_text("x==1")
    (source / "package.json").write_text('{"optionalDependencies": {"x": "1"}}')
    (source / "package-lock.json").write_text("{}")
    build_command = f"env | sed 's/^/build /' >> '{log}'"
    own = {**FUNCTION, "Role": role.arn, "Description": "${git:sha}"}
    functions = {
        "python": own,
        "node": {**own, "Runtime": "nodejs22.x"},
        "built": {**own, "requirements": "none", "build": build_command},
    }
    project.settings(profile="dev", role_arn=role.arn, functions=functions)
    project.environ |= {
        "PATH": f"{tmp_path / 'bin'}:{project.environ['PATH']}",
        "OF_THE_USER": "1",
    }
    inner = ["exec", "--", sys.executable, "-m", "invoke"] if nested else []

    project.run("assume", *inner, "package", code=None)

    seen = log.read_text()
    assert "SESSION_TOKEN" not in seen
    assert "AWS_ACCESS_KEY_ID" not in seen
    for each in ("git", "uv", "npm", "build"):
        assert f"{each} OF_THE_USER=1\n" in seen


def test_build_commands_get_it_with_what_they_build(tmp_path: Path) -> None:
    (tmp_path / "app.py").touch()
    seen: list[Mapping[str, str]] = []

    def run(command: str, *, folder: Path, environ: Mapping[str, str]) -> None:
        seen.append(environ)

    function = Function(
        name="f",
        key="aws.functions.f",
        source=(Source("."),),
        requirements="none",
        build=("make",),
        parameters={"Runtime": RUNTIME},
    )

    build(function, Workspace(project=tmp_path, environ={"OWN": "1"}, run=run))

    assert seen == [
        {
            "OWN": "1",
            "TASKS_AWS_FUNCTION": "f",
            "TASKS_AWS_PROJECT": str(tmp_path),
            "TASKS_AWS_RUNTIME": RUNTIME,
            "TASKS_AWS_ARCHITECTURE": "x86_64",
        }
    ]
    assert "OWN" not in os.environ


@pytest.mark.parametrize("ignored", [None, "*\n", "# notes\n"])
@pytest.mark.parametrize(
    "words", [("build",), ("package",), ("clean",), ("clean", "--function", "hello")]
)
def test_a_folder_of_the_users_with_the_name_of_ours_is_left_alone(
    project: Project, words: tuple[str, ...], ignored: str | None
) -> None:
    project.settings(functions={"hello": FUNCTION})
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").touch()
    theirs = project.folder / ".tasks_aws"
    for name in ("hello", "unfinished-letters"):
        (theirs / name).mkdir(parents=True)
        (theirs / name / "notes").touch()
    if ignored:
        (theirs / ".gitignore").write_text(ignored)
    before = sorted(theirs.rglob("*"))

    result = project.run(*words, code=1)

    assert f"{theirs} was not made by tasks-aws." in result.err
    assert sorted(theirs.rglob("*")) == before


@pytest.mark.parametrize("left", ["", "# Build"])
def test_a_folder_that_a_killed_build_has_not_marked_yet_is_ours(
    project: Project, left: str
) -> None:
    project.settings(functions={"hello": FUNCTION})
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("handler = 1")
    output = project.folder / ".tasks_aws"
    output.mkdir()
    (output / ".gitignore").write_text(left)

    project.run("package")

    assert (output / "hello.zip").exists()
    assert "tasks-aws" in (output / ".gitignore").read_text()


def test_a_folder_of_output_that_cannot_be_made_is_an_error(project: Project) -> None:
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("def handler(event, context): pass\n")
    project.settings(functions={"hello": FUNCTION})
    (project.folder / ".tasks_aws").touch()

    for words in (["package"], ["build"], ["clean"]):
        refused = project.run(*words, code=1).err

        assert "Traceback" not in refused
        assert f"{project.folder / '.tasks_aws'} is not a folder." in refused
        assert "fix: Rename or remove it." in refused
