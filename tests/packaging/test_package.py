"""`build`, `package` and `clean`, as users run them."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.packaging.python_dependencies import Platform
from tests.support import Project
from tests.wheels import make_wheel, offline

FUNCTION = {"source": "src", "Runtime": "python3.13", "Handler": "app.handler"}
LINUX = "cp313-cp313-manylinux_2_28_x86_64"


@pytest.fixture
def wheels(project: Project, tmp_path: Path) -> Path:
    """A folder of wheels that is all the installer sees."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "pure", tag="py3-none-any", files={"pure/__init__.py": "x = 1\n"})
    project.environ.update(offline(folder))
    return folder


def function(project: Project, *, requirements: str = "", **settings: Any) -> Path:
    """Describe a function and write its source; return where its archive will be."""
    source = project.folder / "src"
    source.mkdir(exist_ok=True)
    (source / "app.py").write_text("def handler(event, context): return event\n")
    if requirements:
        (source / "requirements.txt").write_text(requirements)
    project.settings(functions={"hello": {**FUNCTION, **settings}})
    return project.folder / ".tasks_aws" / "hello.zip"


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as found:
        return found.namelist()


def test_package_needs_neither_credentials_nor_a_region(project: Project) -> None:
    archive = function(project)

    result = project.run("package")

    assert names(archive) == ["app.py"]
    assert re.search(
        r"^zip       hello  \d+ B, 1 files, \d+ B unzipped, 0 % and 0 % of the limits, \d+ ms$",
        result.err,
        re.MULTILINE,
    )
    assert result.out == ""


def test_dependencies_are_packaged_without_the_installers_traces(
    project: Project, wheels: Path
) -> None:
    archive = function(project, requirements="pure\n")

    project.run("package")

    assert names(archive) == [
        "app.py",
        "pure-1.0.dist-info/METADATA",
        "pure-1.0.dist-info/WHEEL",
        "pure/__init__.py",
        "requirements.txt",
    ]


def test_dependencies_are_those_of_the_functions_platform(project: Project, wheels: Path) -> None:
    for tag in (LINUX, "cp311-cp311-manylinux_2_17_x86_64", "cp313-cp313-macosx_11_0_arm64"):
        make_wheel(wheels, "native", tag=tag, files={"native.txt": tag})
    archive = function(project, requirements="native\n")

    project.run("package")

    with zipfile.ZipFile(archive) as found:
        assert found.read("native.txt").decode() == LINUX


def test_a_missing_wheel_is_an_error_that_names_the_package(project: Project, wheels: Path) -> None:
    make_wheel(wheels, "native", tag="cp313-cp313-macosx_11_0_arm64", files={"native.txt": ""})
    archive = function(project, requirements="native\n")

    result = project.run("package", code=1)

    assert "The dependencies could not be installed." in result.err
    assert "native" in result.err
    assert not archive.exists()


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


def test_two_checkouts_give_the_same_bytes(project: Project, wheels: Path, tmp_path: Path) -> None:
    archive = function(project, requirements="pure\n")
    project.run("package", environ={"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "1"})
    first = archive.read_bytes()
    moved = project.folder.rename(tmp_path / "elsewhere")
    project.folder = moved
    project.run("clean", "package", environ={"TZ": "UTC", "PYTHONHASHSEED": "2"})

    assert (moved / ".tasks_aws" / "hello.zip").read_bytes() == first


def test_a_dependency_and_a_source_of_one_name_are_an_error(project: Project, wheels: Path) -> None:
    function(project, requirements="pure\n")
    (project.folder / "src" / "pure").mkdir()
    (project.folder / "src" / "pure" / "__init__.py").touch()

    assert "Two files would have one name" in project.run("package", code=1).err


def test_the_project_is_the_folder_of_tasks_py(project: Project) -> None:
    archive = function(project)
    below = project.folder / "src" / "below"
    below.mkdir()
    project.folder = below

    project.run("package")

    assert archive.exists()


def test_clean_removes_what_was_built(project: Project) -> None:
    archive = function(project)
    project.run("build")
    assert (project.folder / ".tasks_aws" / "hello" / "app.py").exists()
    assert (project.folder / ".tasks_aws" / ".gitignore").read_text() == "*\n"

    project.run("package", "clean", "--function", "hello")
    assert not archive.exists()
    assert (project.folder / ".tasks_aws").exists()

    project.run("clean")
    assert not (project.folder / ".tasks_aws").exists()


def test_requirements_may_be_elsewhere_or_none(project: Project, wheels: Path) -> None:
    archive = function(project, requirements="missing\n")
    (project.folder / "lambda.txt").write_text("pure\n")

    project.settings(functions={"hello": {**FUNCTION, "requirements": "lambda.txt"}})
    project.run("package")
    assert "pure/__init__.py" in names(archive)

    project.settings(functions={"hello": {**FUNCTION, "requirements": "none"}})
    project.run("package")
    assert names(archive) == ["app.py", "requirements.txt"]


def test_platform_tags_follow_the_runtimes_glibc() -> None:
    old, new = (Platform(python=python, machine="aarch64") for python in ("3.11", "3.12"))

    assert old.tags[:2] == ["manylinux_2_17_aarch64", "manylinux2014_aarch64"]
    assert new.tags[0] == "manylinux_2_34_aarch64"
    assert "manylinux1_aarch64" in new.tags
