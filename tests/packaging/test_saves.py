"""Saves are found wherever a function is made of something, and nowhere else."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.config.function_parsers import Source
from tasks_aws.config.functions import Function
from tasks_aws.packaging.saves import Saves
from tasks_aws.packaging.workspace import Workspace

LENGTHS = count(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with two sources, and a file that is of neither."""
    for name in ("src/pkg/app.py", "src/data/x", "src/pkg/.env", "lib/tool.py", "notes.md"):
        write(tmp_path / name)
    (tmp_path / "src" / ".lambdaignore").write_text("*.log\ndata/\n")
    return tmp_path


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x" * next(LENGTHS))  # two writes may be of the same tick of the clock


def saves(folder: Path, **keys: Any) -> Saves:
    source = (Source("src"), Source("lib"))
    function = Function(**{"name": "hello", "key": "x", "parameters": {}, "source": source, **keys})
    return Saves([function], Workspace(project=folder, environ={}, run=run))


def run(command: str, *, folder: Path, environ: Mapping[str, str]) -> None:
    raise AssertionError("nothing is built")


def test_what_is_written_added_and_removed_is_found_once(folder: Path) -> None:
    found = saves(folder)
    assert found.find() == []

    write(folder / "src/pkg/app.py")
    write(folder / "src/new/deeper/module.py")
    (folder / "lib/tool.py").unlink()

    assert found.find() == ["lib/tool.py", "src/new/deeper/module.py", "src/pkg/app.py"]
    assert found.find() == []


def test_a_file_in_a_folder_that_was_empty_is_found(folder: Path) -> None:
    (folder / "src/later").mkdir()
    found = saves(folder)

    write(folder / "src/later/module.py")

    assert found.find() == ["src/later/module.py"]


def test_a_file_that_an_editor_replaces_is_found(folder: Path) -> None:
    found = saves(folder)

    write(folder / "src/pkg/.app.py.swp")
    (folder / "src/pkg/.app.py.swp").replace(folder / "src/pkg/app.py")

    assert found.find() == ["src/pkg/app.py"]


def test_a_file_that_is_copied_with_its_time_is_found(folder: Path) -> None:
    app = folder / "src/pkg/app.py"
    found, before = saves(folder), app.stat()
    app.write_text("y" * before.st_size)
    os.utime(app, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert found.find() == ["src/pkg/app.py"]


def test_what_is_not_packaged_is_no_save(folder: Path) -> None:
    found = saves(folder)

    for name in (
        *("notes.md", ".tasks_aws/hello.zip", "src/.tasks_aws/x", "src/pkg/__pycache__/app.pyc"),
        *("src/pkg/.env", "src/data/x", "src/data/y", "src/x.log", "src/.git/index"),
    ):
        write(folder / name)

    assert found.find() == []


@pytest.mark.parametrize(
    "name", ["src/requirements.txt", "uv.lock", "package-lock.json", "src/.npmrc", ".lambdaignore"]
)
def test_what_decides_on_dependencies_is_found_beside_and_above_the_source(
    folder: Path, name: str
) -> None:
    found = saves(folder)

    for _ in range(2):
        write(folder / name)
        assert found.find() == [name]


def test_files_that_settings_name_are_found(folder: Path) -> None:
    named = saves(folder, requirements="elsewhere/list.txt", source=(Source("one.py"),))
    prebuilt = saves(folder, archive="made.zip", source=())

    for name in ("elsewhere/list.txt", "one.py", "made.zip"):
        write(folder / name)

    assert named.find() == ["elsewhere/list.txt", "one.py"]
    assert prebuilt.find() == ["made.zip"]


def test_patterns_that_change_hold_at_once(folder: Path) -> None:
    found = saves(folder)

    (folder / "src/.lambdaignore").write_text("data/\n")
    assert found.find() == ["src/.lambdaignore"]
    write(folder / "src/x.log")
    assert found.find() == ["src/x.log"]


def test_links_are_followed_without_end_and_may_lead_nowhere(folder: Path) -> None:
    write(folder / "shared/module.py")
    (folder / "src/shared").symlink_to(folder / "shared")
    (folder / "src/round").symlink_to(folder / "src")
    (folder / "shared/round").symlink_to(folder / "shared")
    (folder / "src/broken").symlink_to("nowhere")
    found = saves(folder)

    write(folder / "shared/module.py")

    assert found.find() == ["src/shared/module.py"]


def test_a_source_may_go_and_come_back(folder: Path) -> None:
    found = saves(folder)

    shutil.move(folder / "src", folder / "away")
    assert "src/pkg/app.py" in found.find()
    shutil.move(folder / "away", folder / "src")
    assert "src/pkg/app.py" in found.find()


def test_a_look_at_ten_thousand_files_takes_no_time(folder: Path) -> None:
    for number in range(100):
        (folder / f"src/{number}").mkdir()
        for other in range(100):
            (folder / f"src/{number}/{other}.py").touch()
    found = saves(folder)
    assert found.count > 10_000

    times = []
    for _ in range(5):
        began = time.process_time()
        assert found.find() == []
        times.append(time.process_time() - began)

    assert min(times) < 0.2


@pytest.mark.parametrize(
    ("files", "runtime"),
    [
        ({"src/requirements.txt": "../local\n"}, "python3.13"),
        (
            {
                "src/uv.lock": "",
                "src/pyproject.toml": '[project]\nname = "x"\ndependencies = ["local"]\n'
                '[tool.uv.sources]\nlocal = {path = "../local"}\n',
            },
            "python3.13",
        ),
        (
            {
                "package.json": '{"workspaces": ["src", "local"]}',
                "package-lock.json": '{"packages": {"": {}, "src": {}, "local": {}}}',
                "src/package.json": '{"name": "src", "dependencies": {"local": "*"}}',
                "local/package.json": '{"name": "local"}',
            },
            "nodejs22.x",
        ),
    ],
)
def test_dependencies_on_this_machine_are_found(
    folder: Path, files: dict[str, str], runtime: str
) -> None:
    write(folder / "local/code/module.py")
    (folder / "local/setup.py").write_text("from setuptools import setup; setup(name='local')")
    for name, text in files.items():
        (folder / name).write_text(text)
    found = saves(folder, parameters={"Runtime": runtime})

    write(folder / "local/code/module.py")
    write(folder / "local/code/new.py")

    assert found.find() == ["local/code/module.py", "local/code/new.py"]
    assert found.may_be_written == runtime.startswith("python")


def test_what_building_leaves_is_no_save(folder: Path) -> None:
    write(folder / "local/module.py")
    (folder / "src/requirements.txt").write_text("../local\n")
    (folder / "local/setup.py").write_text("from setuptools import setup; setup(name='local')")
    found = saves(folder, parameters={"Runtime": "python3.13"})

    for name in ("local/build/x.py", "local/x.egg-info/PKG-INFO", "src/y.egg-info/PKG-INFO"):
        write(folder / name)

    assert found.find() == []
