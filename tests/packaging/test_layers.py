"""Layers go through all modules of packaging: what their archives contain, and their platforms.

There is no module for layers: they are packaged as functions are, so this file tests the whole.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.support import FUNCTION, RUNTIME, make_zip
from tests.support import Project
from tests.wheels import make_wheel

NODE_FUNCTION = {"Runtime": "nodejs22.x", "requirements": "none"}
RUNTIMES = ["python3.13", "python3.12"]
BOTH = ["x86_64", "arm64"]


def layer(project: Project, *, needs: str = "", function: Any = None, **more: Any) -> Path:
    """Describe a layer, and a function of its name that uses it; return where its archive will be.

    `needs` is the text of its requirements.txt.
    """
    for folder, name in (("src", "app.py"), ("lib", "shared.py")):
        (project.folder / folder).mkdir(exist_ok=True)
        (project.folder / folder / name).write_text("def handler(event, context): return event\n")
    if needs:
        (project.folder / "lib" / "requirements.txt").write_text(needs)
    settings = {"source": "lib", "CompatibleRuntimes": ["python3.13"], **more}
    project.settings(
        functions={"hello": {**FUNCTION, "layers": ["hello"], **(function or {})}},
        layers={"hello": settings},
    )
    return project.folder / ".tasks_aws" / "hello.layer.zip"


def names(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as found:
        return found.namelist()


def test_source_and_dependencies_are_where_python_looks_for_them(
    project: Project, wheels: Path
) -> None:
    archive = layer(project, needs="pure\n")

    project.run("package")

    assert names(archive) == [
        "python/pure-1.0.dist-info/METADATA",
        "python/pure-1.0.dist-info/WHEEL",
        "python/pure/__init__.py",
        "python/requirements.txt",
        "python/shared.py",
    ]
    assert names(archive.with_name("hello.zip")) == ["app.py"]


def test_a_layer_may_have_requirements_alone(project: Project, wheels: Path) -> None:
    (project.folder / "lambda.txt").write_text("pure\n")
    archive = layer(project, source=None, requirements="lambda.txt")

    project.run("package")

    assert "python/pure/__init__.py" in names(archive)
    assert "python/app.py" not in names(archive)


def test_a_source_goes_where_it_is_put(project: Project) -> None:
    tools = project.folder / "tools"
    tools.mkdir()
    (tools / "convert").touch()
    archive = layer(project, source=["lib", {"tools": "bin", "src": "python/app"}])

    project.run("package")

    assert names(archive) == ["bin/convert", "python/app/app.py", "python/shared.py"]


@pytest.mark.parametrize("runtimes", [None, ["nodejs22.x", "python3.13"]])
def test_plain_files_go_to_the_root(project: Project, runtimes: list[str] | None) -> None:
    archive = layer(project, needs="pure", requirements="none", CompatibleRuntimes=runtimes)

    project.run("package")

    assert names(archive) == ["requirements.txt", "shared.py"]


def test_only_layers_that_a_chosen_function_names_are_packaged(project: Project) -> None:
    archive = layer(project, function={"layers": None})

    project.run("package")

    assert not archive.exists()


def test_a_layer_has_the_same_bytes_everywhere(
    project: Project, wheels: Path, tmp_path: Path
) -> None:
    first = layer(project, needs="pure\n")
    project.run("package")
    before = first.read_bytes()
    project.folder = project.folder.rename(tmp_path / "elsewhere")
    os.utime(project.folder / "lib" / "shared.py", (1, 1))
    shutil.rmtree(project.folder / ".tasks_aws")

    project.run("package")

    assert (project.folder / ".tasks_aws" / "hello.layer.zip").read_bytes() == before


def test_clean_of_a_function_leaves_its_layers(project: Project) -> None:
    archive = layer(project)
    project.run("build", "package", "clean", "--function", "hello")

    assert sorted(path.name for path in archive.parent.glob("hello*")) == [
        "hello.layer",
        "hello.layer.index",
        "hello.layer.zip",
    ]
    project.run("clean")
    assert not archive.parent.exists()


class TestSeveralRuntimes:
    """One archive for all of them: what runs on one only is refused."""

    def test_the_oldest_counts(self, project: Project, wheels: Path) -> None:
        for tag in ("cp312-abi3-manylinux_2_28_x86_64", "cp313-abi3-manylinux_2_28_x86_64"):
            make_wheel(wheels, "native", tag=tag, files={"native.txt": tag})
        archive = layer(project, needs="native\npure\n", CompatibleRuntimes=RUNTIMES)

        result = project.run("package")

        assert "requirements.txt for Python 3.12 on x86_64" in result.err
        with zipfile.ZipFile(archive) as found:
            assert found.read("python/native.txt") == b"cp312-abi3-manylinux_2_28_x86_64"

    @pytest.mark.parametrize(
        ("tag", "settings", "says"),
        [
            (
                "cp312-cp312-manylinux_2_28_x86_64",
                {"CompatibleRuntimes": RUNTIMES},
                "native-1.0 runs only on Python 3.12, but the layer lists other CompatibleRuntimes",
            ),
            (
                "py3-none-manylinux_2_28_x86_64",
                {"CompatibleArchitectures": BOTH},
                "native-1.0 runs only on x86_64, but the layer lists other CompatibleArch",
            ),
        ],
    )
    def test_a_wheel_for_one_of_them_is_an_error(
        self, project: Project, wheels: Path, tag: str, settings: dict[str, Any], says: str
    ) -> None:
        make_wheel(wheels, "native", tag=tag, files={"native.txt": tag})
        layer(project, needs="native\n", **settings)

        assert says in project.run("package", code=1).err

    def test_a_cached_installation_for_one_of_them_is_not_taken_for_all(
        self, project: Project, wheels: Path
    ) -> None:
        tag = "cp313-cp313-manylinux_2_28_x86_64"
        make_wheel(wheels, "native", tag=tag, files={"native.txt": tag})
        layer(project, needs="native\n")
        project.run("package")
        layer(project, CompatibleRuntimes=["python3.13", "python3.14"])

        assert "runs only on Python 3.13" in project.run("package", code=1).err


class TestNode:
    """Packages of Node's, from one that lies on the disk."""

    @pytest.fixture
    def archive(self, project: Project) -> Path:
        if not shutil.which("npm"):
            pytest.skip("npm is not installed")
        archive = layer(project, function=NODE_FUNCTION, CompatibleRuntimes=["nodejs22.x"])
        source, library = project.folder / "lib", project.folder / "library"
        (project.folder / "src" / "app.js").touch()
        (source / "shared.py").unlink()
        library.mkdir()
        (library / "package.json").write_text('{"name": "library", "version": "1.0.0"}')
        (library / "native.node").touch()
        words = ["npm", "pack", "--silent", "--pack-destination", str(project.folder)]
        subprocess.run(words, cwd=library, check=True, capture_output=True)
        named = {"library": f"file:{project.folder}/library-1.0.0.tgz"}
        (source / "package.json").write_text(
            json.dumps({"name": "lib", "version": "1.0.0", "dependencies": named})
        )
        words = ["npm", "install", "--package-lock-only", "--silent", "--offline"]
        subprocess.run(words, cwd=source, env=project.environ, check=True, capture_output=True)
        project.environ["npm_config_offline"] = "true"
        return archive

    def test_packages_are_where_node_looks_for_them(self, project: Project, archive: Path) -> None:
        project.run("package")

        assert names(archive) == [
            "nodejs/node_modules/library/native.node",
            "nodejs/node_modules/library/package.json",
            "nodejs/package-lock.json",
            "nodejs/package.json",
        ]

    def test_native_code_for_one_of_two_processors_is_an_error(
        self, project: Project, archive: Path
    ) -> None:
        project.run("package")
        layer(
            project,
            function=NODE_FUNCTION,
            CompatibleRuntimes=["nodejs22.x"],
            CompatibleArchitectures=BOTH,
        )

        result = project.run("package", code=1)

        assert "node_modules/library/native.node runs only on x86_64." in result.err


def test_build_commands_and_bytecode_are_those_of_the_layer(project: Project) -> None:
    archive = layer(
        project,
        function={"Runtime": RUNTIME},
        build=["echo $TASKS_AWS_FUNCTION $TASKS_AWS_RUNTIME > python/built"],
        bytecode=True,
        CompatibleRuntimes=[RUNTIME],
    )

    project.run("package")

    with zipfile.ZipFile(archive) as found:
        assert found.read("python/built").decode().split() == ["hello", RUNTIME]
        compiled = found.read(f"python/__pycache__/shared.{sys.implementation.cache_tag}.pyc")
    assert b"/opt/python/shared.py" in compiled


def test_a_function_and_its_layers_together_may_be_too_large(project: Project) -> None:
    layer(project)
    for folder in ("src", "lib"):
        for index in range(3):
            with (project.folder / folder / f"{index}.bin").open("wb") as file:
                file.truncate(45 << 20)  # of zeros, and no blocks on the disk

    message = project.run("package", code=1).err

    assert "hello and its layers are 283.1 MB unzipped; Lambda's limit is 250 MiB" in message
    assert "hello is 141.6 MB, layer hello is 141.6 MB." in message


def test_a_prebuilt_archive_is_used_as_it_is(project: Project) -> None:
    archive = layer(project, source=None, archive="made.zip", CompatibleRuntimes=None)
    make_zip(project.folder / "made.zip", {"python/shared.py": "x"})

    project.run("package")

    assert not archive.exists()
