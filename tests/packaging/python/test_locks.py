"""Locks are read by the tools that wrote them: Poetry, Pipenv and PDM themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.python.test_declared_ships import APP, SHARED, write
from tests.packaging.support import FUNCTION, names
from tests.support import Project
from tests.wheels import make_wheel, simple_index

POETRY = """
[tool.poetry]
name = "x"
version = "1"
package-mode = false
[tool.poetry.dependencies]
python = ">=3.10,<4"
pure = "^1.0"
shared = {path = "../libs/shared", develop = true}
[tool.poetry.group.dev.dependencies]
devtool = "^1.0"
[tool.poetry.group.report.dependencies]
other = "^1.0"
[[tool.poetry.source]]
name = "local"
url = "{index}"
priority = "primary"
"""
PIPFILE = """
[[source]]
name = "local"
url = "{index}"
verify_ssl = false
[packages]
pure = "*"
shared = {path = "../libs/shared", editable = true}
[dev-packages]
devtool = "*"
[report]
other = "*"
"""
PDM = """
[project]
name = "x"
version = "1"
requires-python = ">=3.10"
dependencies = ["pure", "shared @ file:///${PROJECT_ROOT}/../libs/shared"]
[project.optional-dependencies]
report = ["other"]
[dependency-groups]
dev = ["devtool"]
[[tool.pdm.source]]
name = "pypi"
url = "{index}"
"""
TOOLS = {
    "poetry": ("src/pyproject.toml", POETRY, ["poetry", "lock"]),
    "pipenv": ("src/Pipfile", PIPFILE, ["pipenv", "lock"]),
    "pdm": ("src/pyproject.toml", PDM, ["pdm", "lock", "--group", "report"]),
}


@pytest.fixture
def index(project: Project, tmp_path: Path) -> Iterator[str]:
    """The URL of an index that has a stranger's `shared`, too."""
    folder = tmp_path / "wheels"
    for name in ("pure", "other", "devtool"):
        make_wheel(folder, name, tag="py3-none-any", files={f"{name}/__init__.py": ""})
    make_wheel(folder, "shared", tag="py3-none-any", files={"stranger.py": ""})
    project.environ |= {"PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}
    with simple_index(folder) as url:
        yield url


@pytest.fixture(params=[*TOOLS])
def tool(request: pytest.FixtureRequest, project: Project, index: str, tmp_path: Path) -> str:
    """A project of each tool, with its lock."""
    name: str = request.param
    path, text, command = TOOLS[name]
    program = shutil.which(name)
    if program is None:
        pytest.skip(f"{name} is not installed")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / name).symlink_to(program)
    project.environ["PATH"] = f"{tmp_path / 'tools'}{os.pathsep}{project.environ['PATH']}"
    write(project, None, {**APP, **SHARED, path: text.replace("{index}", index)})
    subprocess.run(command, cwd=project.folder / "src", env=project.environ, check=True)
    return name


def packaged(project: Project, **settings: Any) -> set[str]:
    """Return the packages in the archive."""
    project.settings(functions={"hello": {**FUNCTION, "exclude": ["*.lock"], **settings}})
    project.run("package")
    found = names(project.folder / ".tasks_aws" / "hello.zip")
    assert not {"stranger.py", "devtool/__init__.py"} & {*found}
    assert not [name for name in found if name.endswith(".pth")]
    return {name.partition("/")[0] for name in found if name.endswith("/__init__.py")}


def test_what_is_locked_ships_or_is_an_error(project: Project, tool: str) -> None:
    assert packaged(project, installer="uv") == {"pure", "shared"}
    assert packaged(project, installer="pip") == {"pure", "shared"}
    assert packaged(project, groups=["report"]) == {"pure", "shared", "other"}

    path = project.folder / TOOLS[tool][0]
    path.write_text(path.read_text().replace("pure", "other"))

    assert f"Run `{tool} lock`." in project.run("package", code=1).err
