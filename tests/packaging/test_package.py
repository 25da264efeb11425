"""`build`, `package` and `clean`, as users run them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.packaging.python_dependencies import Platform, uv
from tests.support import Project
from tests.wheels import make_wheel, offline

FUNCTION = {"source": "src", "Runtime": "python3.13", "Handler": "app.handler"}
UV = uv()
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


def test_a_local_package_is_installed_anew(project: Project, wheels: Path) -> None:
    archive = function(project, requirements="./local-1.0-py3-none-any.whl\n")
    contents = []
    for text in ("1", "2"):
        make_wheel(project.folder / "src", "local", tag="py3-none-any", files={"local.txt": text})
        project.run("package")
        with zipfile.ZipFile(archive) as found:
            contents.append(found.read("local.txt").decode())

    assert contents == ["1", "2"]


def test_parallel_builds_in_one_project_wait_for_each_other(project: Project, wheels: Path) -> None:
    archive = function(project, requirements="pure\n")

    processes = [project.start("package") for _ in range(4)]
    results = [(process.communicate(timeout=60)[1], process.returncode) for process in processes]

    assert [code for _, code in results] == [0, 0, 0, 0], results
    assert "pure/__init__.py" in names(archive)


def test_newer_syntax_than_this_python_has_is_the_runtimes_affair(project: Project) -> None:
    archive = function(project, Runtime="python3.99")
    (project.folder / "src" / "app.py").write_text("def handler(e, c): this is from the future\n")

    project.run("package")

    assert names(archive) == ["app.py"]


def test_a_handler_in_a_layer_is_not_looked_for(project: Project) -> None:
    layer = "arn:aws:lambda:eu-west-1:123456789012:layer:handlers:1"
    function(project, Handler="elsewhere.handler", Layers=[layer])

    assert project.run("package").code == 0


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


class TestPythonLocks:
    """Where Python's dependencies may be named."""

    def test_pyproject(self, project: Project, wheels: Path) -> None:
        archive = function(project)
        (project.folder / "src" / "pyproject.toml").write_text(
            '[project]\nname = "x"\nversion = "1"\ndependencies = ["pure==1.0"]\n'
        )

        project.run("package")

        assert "pure/__init__.py" in names(archive)

    def test_a_lock_wins_over_what_it_was_made_from(self, project: Project, wheels: Path) -> None:
        archive = function(project, requirements="pure\n")
        (project.folder / "src" / "pyproject.toml").write_text("[project]\ndependencies = ['no']\n")

        project.run("package")

        assert "pure/__init__.py" in names(archive)

    def test_uv_lock(self, project: Project, wheels: Path) -> None:
        if not UV:
            pytest.skip("uv is not installed")
        make_wheel(wheels, "devtool", tag="py3-none-any", files={"devtool.py": ""})
        archive = function(project)
        (project.folder / "src" / "pyproject.toml").write_text(
            '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n'
            'dependencies = ["pure"]\n[dependency-groups]\ndev = ["devtool"]\n'
        )
        subprocess.run(
            [UV, "lock", "--quiet"],
            cwd=project.folder / "src",
            env=project.environ,
            check=True,
        )

        project.run("package")

        assert "pure/__init__.py" in names(archive)
        assert "devtool.py" not in names(archive)

    @pytest.mark.parametrize(
        ("name", "tool"), [("poetry.lock", "poetry"), ("Pipfile.lock", "pipenv")]
    )
    def test_a_lock_whose_tool_is_missing_names_it(
        self, project: Project, name: str, tool: str, tmp_path: Path
    ) -> None:
        archive = function(project)
        (project.folder / "src" / name).write_text("{}")

        result = project.run("package", code=1, environ={"PATH": str(tmp_path)})

        assert f"There is no {tool}." in result.err
        assert f"Install {tool}" in result.err
        assert not archive.exists()

    def test_hashes_are_checked(self, project: Project, wheels: Path) -> None:
        function(project, requirements=f"pure==1.0 --hash=sha256:{'0' * 64}\n")

        assert "hash" in project.run("package", code=1).err.lower()


class TestNode:
    """Node's dependencies, from a package that lies on the disk."""

    @pytest.fixture
    def node(self, project: Project) -> Path:
        if not shutil.which("npm"):
            pytest.skip("npm is not installed")
        source, library = project.folder / "src", project.folder / "library"
        for folder in (source, library):
            folder.mkdir()
        (library / "package.json").write_text('{"name": "library", "version": "1.0.0"}')
        (library / "index.js").write_text("module.exports = 42\n")
        subprocess.run(["npm", "pack", "--silent"], cwd=library, check=True, capture_output=True)
        (library / "library-1.0.0.tgz").rename(source / "library-1.0.0.tgz")
        manifest = {
            "name": "hello",
            "version": "1.0.0",
            "type": "commonjs",
            "dependencies": {"library": f"file:{source}/library-1.0.0.tgz"},
        }
        (source / "package.json").write_text(json.dumps(manifest))
        (source / "app.js").write_text("exports.handler = async () => require('library')\n")
        (source / "node_modules").mkdir()
        (source / "node_modules" / "stale.js").write_text("")
        project.settings(
            functions={
                "hello": {
                    "source": "src",
                    "Runtime": "nodejs22.x",
                    "Handler": "app.handler",
                    "exclude": ["*.tgz"],
                }
            }
        )
        return source

    def lock(self, source: Path, project: Project) -> None:
        words = ["npm", "install", "--package-lock-only", "--silent", "--offline"]
        subprocess.run(words, cwd=source, env=project.environ, check=True, capture_output=True)

    def test_what_the_lock_names_is_packaged(self, project: Project, node: Path) -> None:
        self.lock(node, project)

        project.run("package", environ={"npm_config_offline": "true"})

        assert names(project.folder / ".tasks_aws" / "hello.zip") == [
            "app.js",
            "node_modules/library/index.js",
            "node_modules/library/package.json",
            "package-lock.json",
            "package.json",
        ]

    def test_dependencies_without_a_lock_are_an_error(self, project: Project, node: Path) -> None:
        assert "there is no package-lock.json" in project.run("package", code=1).err

    def test_none_takes_the_folder_as_it_is(self, project: Project, node: Path) -> None:
        text = (project.folder / "invoke.yaml").read_text()
        (project.folder / "invoke.yaml").write_text(
            text.replace("source: src", "source: src\n      requirements: none")
        )

        project.run("package")

        archive = project.folder / ".tasks_aws" / "hello.zip"
        assert "node_modules/stale.js" in names(archive)


def test_build_commands_run_in_the_staged_folder(project: Project) -> None:
    archive = function(
        project,
        build=[
            "echo $TASKS_AWS_FUNCTION $TASKS_AWS_RUNTIME $TASKS_AWS_ARCHITECTURE > built.txt",
            "echo said by the build",
        ],
    )

    result = project.run("package")

    with zipfile.ZipFile(archive) as found:
        assert found.read("built.txt").decode() == "hello python3.13 x86_64\n"
    assert "said by the build" in result.err
    assert result.out == ""
    assert not (project.folder / "src" / "built.txt").exists()


def test_a_build_command_that_fails_leaves_nothing(project: Project) -> None:
    archive = function(project, build=["echo broken >&2; exit 3"])

    result = project.run("package", code=3)

    assert "broken" in result.err
    assert not archive.exists()
    assert not (project.folder / ".tasks_aws" / "hello").exists()


def test_bytecode_is_that_of_the_runtime_and_the_same_everywhere(
    project: Project, tmp_path: Path
) -> None:
    runtime = f"python{sys.version_info.major}.{sys.version_info.minor}"
    archive = function(project, Runtime=runtime, bytecode=True)
    project.run("package")
    first = archive.read_bytes()
    project.folder = project.folder.rename(tmp_path / "elsewhere")
    os.utime(project.folder / "src" / "app.py", (1, 1))

    project.run("clean", "package")

    archive = project.folder / ".tasks_aws" / "hello.zip"
    assert archive.read_bytes() == first
    compiled = f"__pycache__/app.{sys.implementation.cache_tag}.pyc"
    with zipfile.ZipFile(archive) as found:
        content = found.read(compiled)
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert content[4:8] == b"\1\0\0\0"  # unchecked hash
    assert b"/var/task/app.py" in content
    assert str(tmp_path).encode() not in content


def test_bytecode_without_that_python_is_an_error(project: Project, tmp_path: Path) -> None:
    function(project, Runtime="python3.99", bytecode=True)

    result = project.run("package", code=1, environ={"PATH": str(tmp_path)})

    assert "There is no Python 3.99 to compile with." in result.err


def test_a_folder_goes_where_it_is_put(project: Project) -> None:
    common = project.folder / "common"
    common.mkdir()
    (common / "util.py").touch()
    archive = function(project, source=["src", {"common": "lib/common"}])

    project.run("package")

    assert names(archive) == ["app.py", "lib/common/util.py"]


@pytest.mark.parametrize("inside", ["../up", "/abs", "."])
def test_nothing_is_put_outside_the_archive(project: Project, inside: str) -> None:
    function(project, source=[{"src": inside}])

    assert "is not a folder inside the archive" in project.run("package", code=1).err


class TestPrebuilt:
    """`archive`: a zip that others made."""

    def test_it_is_used_as_it_is(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")
        with zipfile.ZipFile(project.folder / "made.zip", "w") as made:
            made.writestr("app.py", "x")

        assert project.run("package").code == 0
        assert not (project.folder / ".tasks_aws" / "hello.zip").exists()

    @pytest.mark.parametrize(
        ("names", "says"),
        [(None, "is not a zip"), ([], "is empty"), (["../x"], "unpacked elsewhere")],
    )
    def test_what_lambda_would_refuse_is_an_error(
        self, project: Project, names: list[str] | None, says: str
    ) -> None:
        function(project, source=None, archive="made.zip")
        if names is None:
            (project.folder / "made.zip").write_text("no zip")
        else:
            with zipfile.ZipFile(project.folder / "made.zip", "w") as made:
                for name in names:
                    made.writestr(name, "x")

        assert says in project.run("package", code=1).err

    def test_one_that_is_not_there(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")

        assert "names made.zip, which does not exist" in project.run("package", code=1).err


def test_an_archive_that_is_too_large_names_the_largest_parts(project: Project) -> None:
    archive = function(project)
    for name, count in (("huge", 5), ("large", 1)):
        (project.folder / "src" / name).mkdir()
        for index in range(count):
            with (project.folder / "src" / name / str(index)).open("wb") as file:
                file.truncate(50 << 20)  # of zeros, and no blocks on the disk

    message = project.run("package", code=1).err

    assert "of 262.1 MB that Lambda allows" in message
    assert "The largest parts: huge 262.1 MB, large 52.4 MB" in message
    assert archive.stat().st_size < 1 << 20
