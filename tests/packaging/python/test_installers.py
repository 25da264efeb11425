"""Python dependencies: wheels for the function's platform, from every kind of lock.

uv and pip must give the same files, so most tests run with both: `pip_for_lambda` is tested here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks_aws.packaging.python.installers import find_uv
from tasks_aws.packaging.python.platforms import Platform
from tests.packaging.support import FUNCTION, function, names, text
from tests.support import Project
from tests.taint import TAINT
from tests.wheels import make_sdist, make_wheel, simple_index


def lock(project: Project) -> None:
    """Write the uv.lock of the function's pyproject.toml."""
    words = [str(find_uv(project.environ)), "lock", "--quiet"]
    subprocess.run(words, cwd=project.folder / "src", env=project.environ, check=True)


def test_functions_that_are_packaged_at_once_look_for_uv_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looking: list[int] = []

    def find_uv_bin() -> str:
        looking.append(1)
        time.sleep(0.05)
        others = len(looking) - 1
        looking.pop()
        return f"/uv of {others} others" if others else "/uv"

    monkeypatch.setattr("uv.find_uv_bin", find_uv_bin)

    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(find_uv, [{"PATH": ""}] * 8)} == {"/uv"}


def test_dependencies_are_packaged_without_the_installers_traces(
    project: Project, wheels: Path, installer: str
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


def test_dependencies_are_those_of_the_functions_platform(
    project: Project, wheels: Path, installer: str
) -> None:
    wanted = {
        ("python3.13", "x86_64"): "cp313-cp313-manylinux_2_28_x86_64",
        ("python3.13", "arm64"): "cp313-cp313-manylinux_2_34_aarch64",
        ("python3.11", "x86_64"): "cp311-cp311-manylinux2014_x86_64",
    }
    others = ["cp313-cp313-macosx_11_0_arm64", "cp311-cp311-manylinux_2_28_x86_64"]
    for tag in [*wanted.values(), *others]:
        make_wheel(wheels, "native", tag=tag, files={"native.txt": tag})

    for (runtime, architecture), tag in wanted.items():
        archive = function(
            project, requirements="native\n", Runtime=runtime, Architectures=[architecture]
        )
        project.run("package")
        assert text(archive, "native.txt") == tag


@pytest.mark.parametrize("place", ["the requirements", "a package"])
def test_markers_are_those_of_the_functions_platform(
    project: Project, wheels: Path, installer: str, place: str
) -> None:
    runtime = "3.10" if sys.version_info >= (3, 11) else "3.13"
    marker = f'python_version == "{runtime}" and platform_machine == "aarch64"'
    make_wheel(wheels, "needy", tag="py3-none-any", files={}, requires=f"pure; {marker}")
    archive = function(
        project,
        requirements=f"pure; {marker}\n" if place == "the requirements" else "needy\n",
        Runtime=f"python{runtime}",
        Architectures=["arm64"],
    )

    project.run("package")

    assert "pure/__init__.py" in names(archive)


def test_modules_of_the_source_are_none_of_the_installers(
    project: Project, wheels: Path, installer: str
) -> None:
    archive = function(project, requirements="pure\n")
    for name in ("queue", "email", "select"):
        (project.folder / "src" / f"{name}.py").write_text("raise SystemExit('the wrong module')")

    project.run("package")

    assert "pure/__init__.py" in names(archive)


def test_a_missing_wheel_is_an_error_that_names_package_platform_and_way_out(
    project: Project, wheels: Path, installer: str
) -> None:
    make_wheel(wheels, "native", tag="cp313-cp313-macosx_11_0_arm64", files={"native.txt": ""})
    archive = function(project, requirements="native\n")

    result = project.run("package", code=1)

    assert "The dependencies could not be installed." in result.err
    assert "native" in result.err
    assert "Python 3.13 on Linux x86_64 (glibc 2.34)" in result.err
    assert "`allow_sdist`" in result.err
    assert not archive.exists()


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

    def test_uv_lock(self, project: Project, wheels: Path, with_uv: str) -> None:
        make_wheel(wheels, "devtool", tag="py3-none-any", files={"devtool.py": ""})
        archive = function(project)
        (project.folder / "src" / "pyproject.toml").write_text(
            '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n'
            'dependencies = ["pure"]\n[dependency-groups]\ndev = ["devtool"]\n'
        )
        lock(project)

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

        assert f"{tool} is not on PATH." in result.err
        assert f"Install {tool}" in result.err
        assert not archive.exists()

    def test_hashes_are_checked(self, project: Project, wheels: Path, installer: str) -> None:
        function(project, requirements=f"pure==1.0 --hash=sha256:{'0' * 64}\n")

        assert "hash" in project.run("package", code=1).err.lower()


class TestSourceDistributions:
    """They are built only when they are named, and only if the outcome runs on Lambda."""

    def test_one_that_is_not_named_is_an_error(
        self, project: Project, wheels: Path, installer: str
    ) -> None:
        make_sdist(wheels, "source", builds="py3-none-any")
        function(project, requirements="source\n")

        assert "`allow_sdist`" in project.run("package", code=1).err

    def test_one_that_is_named_is_built(
        self, project: Project, wheels: Path, installer: str
    ) -> None:
        make_sdist(wheels, "source", builds="py3-none-any")
        archive = function(project, requirements="source\npure\n", allow_sdist=["source"])

        project.run("package")

        assert {"source.py", "pure/__init__.py"} <= set(names(archive))

    def test_one_built_for_this_computer_is_an_error(
        self, project: Project, wheels: Path, installer: str
    ) -> None:
        tag = sysconfig.get_platform().replace("-", "_")
        make_sdist(wheels, "source", builds=f"py3-none-{tag}")
        archive = function(project, requirements="source\n", allow_sdist=["source"])

        result = project.run("package", code=1)

        assert f"source-1.0 was built for {tag}." in result.err
        assert not archive.exists()

    def test_one_that_only_another_package_needs_is_built(
        self, project: Project, wheels: Path, installer: str
    ) -> None:
        make_sdist(wheels, "source", builds="py3-none-any")
        make_wheel(wheels, "needy", tag="py3-none-any", files={}, requires="source")
        archive = function(project, requirements="needy\n", allow_sdist=["source"])

        project.run("package")

        assert "source.py" in names(archive)

    def test_one_that_nothing_needs_is_not_built(
        self, project: Project, wheels: Path, installer: str
    ) -> None:
        function(project, requirements="pure\n", allow_sdist=["source"])

        project.run("package")


class TestPrivateIndex:
    """An index of one's own, configured as pip and uv are."""

    @pytest.fixture
    def index(self, project: Project, tmp_path: Path) -> Iterator[str]:
        make_wheel(tmp_path / "private", "secret", tag="py3-none-any", files={"secret.py": ""})
        project.environ["PIP_CONFIG_FILE"] = os.devnull
        with simple_index(tmp_path / "private") as url:
            yield url

    @pytest.mark.parametrize("how", ["variable", "file", "line"])
    def test_pip(self, project: Project, index: str, with_pip: str, how: str) -> None:
        line = f"--index-url {index}\n" if how == "line" else ""
        archive = function(project, requirements=f"{line}secret\n")
        if how == "variable":
            project.environ["PIP_INDEX_URL"] = index
        elif how == "file":
            (project.home / "pip.conf").write_text(f"[global]\nindex-url = {index}\n")
            project.environ["PIP_CONFIG_FILE"] = str(project.home / "pip.conf")

        project.run("package")

        assert "secret.py" in names(archive)

    def test_pip_is_used_where_only_its_variables_name_one(
        self, project: Project, index: str, with_uv: str
    ) -> None:
        archive = function(project, requirements="secret\n")
        project.environ["PIP_INDEX_URL"] = index.replace("//", "//alice:s3cret-s3cret@")
        TAINT.collect("s3cret-s3cret")

        result = project.run("package")

        assert f"by pip with {index}" in result.err
        assert "secret.py" in names(archive)

    @pytest.mark.parametrize("how", ["variable", "old variable", "file", "project", "line"])
    def test_uv(self, project: Project, index: str, with_uv: str, how: str) -> None:
        line = f"--index-url {index}\n" if how == "line" else ""
        archive = function(project, requirements=f"{line}secret\n")
        if how == "variable":
            project.environ["UV_DEFAULT_INDEX"] = index
        elif how == "old variable":
            project.environ["UV_INDEX_URL"] = index
        elif how == "file":
            (project.home / "uv.toml").write_text(f'[[index]]\nurl = "{index}"\ndefault = true\n')
            project.environ["UV_CONFIG_FILE"] = str(project.home / "uv.toml")
        elif how == "project":
            (project.folder / "src" / "pyproject.toml").write_text(
                f'[[tool.uv.index]]\nurl = "{index}"\ndefault = true\n'
            )

        project.run("package")

        assert "secret.py" in names(archive)

    def test_uv_lock_with_an_index_for_one_package_and_a_password(
        self, project: Project, tmp_path: Path, with_uv: str
    ) -> None:
        for folder, name in (("private", "secret"), ("public", "pure")):
            make_wheel(tmp_path / folder, name, tag="py3-none-any", files={f"{name}.py": ""})
        archive = function(project)
        with (
            simple_index(tmp_path / "private", password="s3cret-s3cret") as private,
            simple_index(tmp_path / "public") as public,
        ):
            (project.folder / "src" / "pyproject.toml").write_text(
                '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.10"\n'
                'dependencies = ["secret", "pure"]\n'
                '[tool.uv.sources]\nsecret = {index = "own"}\n'
                f'[[tool.uv.index]]\nname = "own"\nurl = "{private}"\nexplicit = true\n'
                f'[[tool.uv.index]]\nurl = "{public}"\ndefault = true\n'
            )
            TAINT.collect("s3cret-s3cret")
            project.environ["UV_INDEX_OWN_USERNAME"] = "alice"
            project.environ["UV_INDEX_OWN_PASSWORD"] = "s3cret-s3cret"
            lock(project)

            project.run("package")

        assert {"secret.py", "pure.py"} <= set(names(archive))
