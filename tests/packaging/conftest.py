"""Fixtures: wheels without a registry, and each of the installers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tasks_aws.packaging.python.installers import find_uv
from tests.support import Project
from tests.wheels import make_wheel, offline


@pytest.fixture
def wheels(project: Project, tmp_path: Path) -> Path:
    """A folder of wheels that is all the installer sees."""
    folder = tmp_path / "wheels"
    make_wheel(folder, "pure", tag="py3-none-any", files={"pure/__init__.py": "x = 1\n"})
    project.environ.update(offline(folder))
    return folder


@pytest.fixture
def with_pip(project: Project, tmp_path: Path) -> str:
    """Let the project see no uv."""
    hidden = tmp_path / "no uv"
    hidden.mkdir()
    (hidden / "uv.py").write_text("raise ImportError\n")
    project.environ["PYTHONPATH"] = str(hidden)
    folders = project.environ["PATH"].split(os.pathsep)
    kept = [folder for folder in folders if not shutil.which("uv", path=folder)]
    project.environ["PATH"] = os.pathsep.join(kept)
    return "pip"


@pytest.fixture
def with_uv(project: Project) -> str:
    """Let the project see uv."""
    if not find_uv(project.environ):
        pytest.skip("uv is not installed")
    return "uv"


@pytest.fixture(params=["pip", "uv"])
def installer(request: pytest.FixtureRequest) -> str:
    """Each of the installers in turn."""
    name: str = request.getfixturevalue(f"with_{request.param}")
    return name
