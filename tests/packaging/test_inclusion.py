"""What `include` names is in the archive, or there is an error."""

from __future__ import annotations

from typing import Any

import pytest

from tests.packaging.support import FUNCTION, function, names
from tests.support import Project

MAKE_KEY = "echo > own.pem"


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        (".env", ".env"),
        ("/keys/", "keys/own.pem"),
        ("keys/*.pem", "keys/own.pem"),
        ("!*.key", "app.py"),  # brings nothing back
    ],
)
def test_a_pattern_that_matches_is_packaged(project: Project, pattern: str, name: str) -> None:
    archive = function(project, include=[pattern, "*.pem"])
    for each in (".env", "keys/own.pem"):
        (project.folder / "src" / each).parent.mkdir(exist_ok=True)
        (project.folder / "src" / each).touch()

    project.run("package")

    assert name in names(archive)


@pytest.mark.parametrize("task", [["package"], ["build"], ["settings", "--check"]])
@pytest.mark.parametrize("pattern", ["ca.pem", "src/app.py", "__pycache__", "venv/ca.pem"])
def test_a_pattern_that_matches_nothing_is_an_error(
    project: Project, pattern: str, task: list[str]
) -> None:
    function(project, include=["app.py", pattern])
    for each in ("__pycache__/app.pyc", "venv/ca.pem"):
        (project.folder / "src" / each).parent.mkdir()
        (project.folder / "src" / each).touch()
    (project.folder / "src" / "venv" / "ca.pem").rename(project.folder / "src" / "venv" / "x.pem")

    err = project.run(*task, code=1).err

    assert f"`aws.functions.hello.include` names {pattern}, which matches no file of hello." in err
    assert not [*project.folder.glob(".tasks_aws/*.zip")]


@pytest.mark.parametrize(("pattern", "code"), [("own.pem", 0), ("other.pem", 1)])
def test_build_commands_may_make_what_is_included(
    project: Project, pattern: str, code: int
) -> None:
    function(project, include=[pattern], build=[MAKE_KEY])

    err = project.run("package", code=code).err

    assert ("matches no file" in err) == bool(code)


def test_what_is_included_may_be_in_a_folder_of_the_archive(project: Project) -> None:
    (project.folder / "common").mkdir()
    (project.folder / "common" / "ca.pem").touch()
    sources = ["src", {"common": "lib"}]
    archive = function(project, source=sources, include=["/ca.pem"], build=[MAKE_KEY])

    project.run("package")

    assert "lib/ca.pem" in names(archive)


def test_a_default_may_match_in_some_functions_and_warns_if_it_matches_in_none(
    project: Project,
) -> None:
    function(project)
    (project.folder / "other").mkdir()
    (project.folder / "other" / "app.py").write_text("def handler(event, context): ...\n")
    (project.folder / "src" / ".env").touch()
    settings: dict[str, Any] = {"hello": FUNCTION, "other": {**FUNCTION, "source": "other"}}
    project.settings(function_defaults={"include": [".env", "ca.pem"]}, functions=settings)

    err = project.run("package").err

    says = "`aws.function_defaults.include` names ca.pem, which matches no file of any function"
    assert err.count("matches no file") == 1
    assert says in err
    project.run("settings", "--check")
    assert ".env" in names(project.folder / ".tasks_aws" / "hello.zip")


def test_a_pattern_of_a_layer_is_checked_as_well(project: Project) -> None:
    function(project)
    (project.folder / "lib").mkdir()
    (project.folder / "lib" / "util.py").touch()
    layer = {"source": "lib", "CompatibleRuntimes": ["python3.13"], "include": "ca.pem"}
    project.settings(functions={"hello": {**FUNCTION, "layers": ["lib"]}}, layers={"lib": layer})

    err = project.run("package", code=1).err

    assert "`aws.layers.lib.include` names ca.pem, which matches no file of layer lib." in err
