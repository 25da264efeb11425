"""An import of the handler that nothing provides is an error before anything is uploaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.packaging.support import FUNCTION, function, make_zip, names
from tests.support import Project
from tests.wheels import make_wheel

ARN = "arn:aws:lambda:eu-west-1:123456789012:layer:others:1"
HANDLER = "\ndef handler(event, context): return event\n"


def write(project: Project, text: str, name: str = "src/app.py") -> None:
    path = project.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + HANDLER)


def test_what_is_missing_is_named_with_its_line_and_the_way_out(project: Project) -> None:
    archive = function(project)
    write(project, "import json\nimport yaml\n")

    result = project.run("package", code=1)

    assert result.err.endswith(
        "app.py line 2 imports yaml, which nothing provides.\n"
        "  why: The archive, the function's layers and the runtime python3.13 were searched.\n"
        "  fix: Add PyYAML to the function's dependencies, or to `aws.functions.hello.source`. If "
        "Lambda does find it, set `aws.functions.hello.check_imports` to false.\n"
    )
    assert not archive.exists()


def test_all_of_it_is_named_at_once(project: Project) -> None:
    function(project)
    write(project, "import requests, store\n")
    write(project, "import boto3\nimport sqlalchemy.orm\n", "src/store.py")

    assert (
        "Nothing provides what the handler imports: app.py line 1 (requests), store.py line 2 "
        "(sqlalchemy).\n"
    ) in project.run("package", code=1).err


def test_a_dependency_provides_it(project: Project, wheels: Path) -> None:
    function(project, requirements="pure\n")
    write(project, "import pure\n")

    assert project.run("package").code == 0

    write(project, "import pure, impure\n")

    assert "imports impure, which nothing provides" in project.run("package", code=1).err


def test_dependencies_are_not_followed(project: Project, wheels: Path) -> None:
    make_wheel(wheels, "odd", tag="py3-none-any", files={"odd.py": "import optional\n"})
    function(project, requirements="odd\n")
    write(project, "import odd\n")

    assert project.run("package").code == 0


def test_a_layer_of_the_project_provides_it(project: Project, wheels: Path) -> None:
    function(project)
    write(project, "import common, pure\n")
    write(project, "", "lib/common.py")
    (project.folder / "lib" / "requirements.txt").write_text("pure\n")
    layer = {"source": "lib", "CompatibleRuntimes": ["python3.13"]}
    described = {**FUNCTION, "layers": ["shared"]}
    project.settings(functions={"hello": described}, layers={"shared": layer})

    assert project.run("package").code == 0

    write(project, "import common, impure\n")

    assert "imports impure, which nothing provides" in project.run("package", code=1).err


@pytest.mark.parametrize("key", ["layers", "Layers"])
def test_with_layers_of_others_it_is_a_warning(project: Project, key: str) -> None:
    layers: Any = {key: [ARN]}
    archive = function(project, **layers)
    write(project, "import yaml\n")

    result = project.run("package")

    assert (
        "warning   hello: app.py line 1 imports yaml, which nothing provides. It has to be in one "
        "of the layers named by ARN.\n"
    ) in result.err
    assert archive.exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"check_imports": False},
        {"Environment": {"Variables": {"PYTHONPATH": "/mnt/libraries"}}},
    ],
)
def test_it_is_not_looked_for_where_that_is_set(project: Project, settings: dict[str, Any]) -> None:
    function(project, **settings)
    write(project, "import yaml\n")

    assert "yaml" not in project.run("package").err


def test_what_a_build_makes_is_there(project: Project) -> None:
    archive = function(project, build=["echo 'import yaml' > made.py"])
    write(project, "import made\n")

    assert "made.py line 1 imports yaml" in project.run("package", code=1).err

    function(project, build=["echo 'import json' > made.py"], bytecode=False)
    write(project, "import made\n")
    project.run("package")

    assert names(archive) == ["app.py", "made.py"]


def test_what_a_build_installs_is_not_followed(project: Project) -> None:
    install = "mkdir odd-1.dist-info && echo odd.py,, > odd-1.dist-info/RECORD"
    function(project, build=["echo 'import optional' > odd.py", install])
    write(project, "import odd\n")

    assert project.run("package").code == 0


def test_a_link_to_a_folder_has_what_is_in_the_folder(project: Project) -> None:
    function(project)
    write(project, "import short.module\nfrom short import module\n")
    write(project, "", "src/a/long/module.py")
    (project.folder / "src" / "short").symlink_to("a/long")

    assert project.run("package").code == 0


def test_a_module_that_is_missing_from_a_package_of_ones_own_is_named(project: Project) -> None:
    function(project)
    write(project, "from pkg import VERSION, database\n")
    write(project, "VERSION = 1\n", "src/pkg/__init__.py")

    assert "app.py line 1 imports pkg.database" in project.run("package", code=1).err

    write(project, "", "src/pkg/database.py")
    project.run("package")


def test_a_package_that_may_define_anything_is_trusted(project: Project) -> None:
    function(project)
    write(project, "from pkg import database\n")
    write(project, "def __getattr__(name): ...\n", "src/pkg/__init__.py")

    project.run("package")


def test_a_prebuilt_archive_is_looked_into(project: Project) -> None:
    function(project, source=None, archive="made.zip")
    files = {
        "app.py": f"import odd, db{HANDLER}",
        "db.py": "import yaml\n",
        "odd.py": "import optional\n",
        "odd-1.dist-info/RECORD": "odd.py,,\n",
    }
    make_zip(project.folder / "made.zip", files)

    assert "db.py line 1 imports yaml, which nothing" in project.run("package", code=1).err


def test_other_runtimes_are_not_looked_into(project: Project) -> None:
    function(project, Runtime="java21", Handler="app.handler")
    write(project, "import yaml\n")

    assert project.run("package").code == 0


@pytest.mark.parametrize(
    ("statement", "name", "instead"),
    [
        ("from . import helpers", ".", "import module"),
        ("from .helpers import x", ".helpers", "from helpers import …"),
    ],
)
def test_a_relative_import_outside_of_a_package_is_no_dependency(
    project: Project, statement: str, name: str, instead: str
) -> None:
    function(project)
    write(project, statement)
    write(project, "x = 1", "src/helpers.py")

    message = project.run("package", code=1).err

    assert f"app.py line 1 imports {name} relative to a package, and is in none.\n" in message
    assert f"works only inside a package: write `{instead}`." in message
    assert "dependencies" not in message
