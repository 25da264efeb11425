"""Dependencies are installed once for each state of their lock, in a given environment."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tasks_aws.errors import PackageError
from tasks_aws.packaging.installs import run_tool
from tests.packaging.support import function, text
from tests.support import Project
from tests.wheels import make_wheel


def test_unchanged_requirements_are_installed_once(project: Project, wheels: Path) -> None:
    archive = function(project, requirements="-r more.txt\n")
    (project.folder / "src" / "more.txt").write_text("pure\n")
    project.run("package")
    first = archive.read_bytes()
    for wheel in wheels.iterdir():
        wheel.unlink()

    again = project.run("package")
    (project.folder / "src" / "more.txt").write_text("other\n")
    changed = project.run("package", code=1)

    assert "cached" in again.err
    assert archive.read_bytes() == first
    assert "other" in changed.err


def test_a_local_package_is_installed_anew(project: Project, wheels: Path, installer: str) -> None:
    archive = function(project, requirements="./local-1.0-py3-none-any.whl\n")
    contents = []
    for each in ("1", "2"):
        make_wheel(project.folder / "src", "local", tag="py3-none-any", files={"local.txt": each})
        project.run("package")
        contents.append(text(archive, "local.txt"))

    assert contents == ["1", "2"]


def test_a_tool_that_fails_and_one_that_is_missing_have_different_fixes(
    project: Project, tmp_path: Path
) -> None:
    function(project)
    (project.folder / "src" / "uv.lock").write_text("")
    (project.folder / "src" / "pyproject.toml").write_text('[project]\nname = "x"\n')
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\necho broken >&2; exit 3\n")
    uv.chmod(0o755)
    project.environ["PATH"] = f"{uv.parent}:{project.environ['PATH']}"

    message = project.run("package", code=1).err

    assert message.endswith("The dependencies could not be installed.\n  why: broken\n")


def test_the_whole_reason_of_npm_is_shown_without_its_usage() -> None:
    reason = [f"Missing: package-{number}@1.0.0 from lock file" for number in range(30)]
    usage = ["Clean install a project", "", "Usage:", "npm ci", *["  --option"] * 60]
    lines = ["npm warn deprecated", *(f"npm error {line}" for line in ["", *reason, *usage])]
    program = "import sys; sys.exit(sys.argv[1])"  # on stderr, with exit code 1

    with pytest.raises(PackageError) as caught:
        run_tool(
            [sys.executable, "-c", program, "\n".join(lines)],
            folder=Path(),
            environ={},
            missing="",
        )

    assert str(caught.value).split("why: ")[1].split("\n       ") == reason


def test_a_tool_of_windows_that_is_a_script_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "npm.cmd"
    script.write_text("#!/bin/sh\necho ran $1\n")
    script.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name, path: f"{path}/{name}.cmd")

    found = run_tool(["npm", "ci"], folder=tmp_path, environ={"PATH": str(tmp_path)}, missing="")

    assert found == "ran ci\n"
