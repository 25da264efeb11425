"""Node's dependencies: what the lock names, without those for development."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.support import names
from tests.support import Project


class TestNode:
    """Node's dependencies, from a package that lies on the disk."""

    @pytest.fixture
    def node(self, project: Project) -> Path:
        if not shutil.which("npm"):
            pytest.skip("npm is not installed")
        source = project.folder / "src"
        source.mkdir()
        manifest = {
            "name": "hello",
            "version": "1.0.0",
            "type": "commonjs",
            "dependencies": {"library": self.pack(source, "library")},
            "devDependencies": {"devtool": self.pack(source, "devtool")},
            "optionalDependencies": {
                f"native-{cpu}": self.pack(source, f"native-{cpu}", os=["linux"], cpu=[cpu])
                for cpu in ("x64", "arm64")
            },
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
                    "Architectures": ["arm64"],
                    "exclude": ["*.tgz"],
                }
            }
        )
        return source

    def pack(self, source: Path, name: str, **manifest: object) -> str:
        """Write a package beside the source, and return how package.json names it."""
        folder = source.parent / name
        folder.mkdir()
        manifest = {"name": name, "version": "1.0.0", **manifest}
        (folder / "package.json").write_text(json.dumps(manifest))
        (folder / "index.js").write_text("module.exports = 42\n")
        words = ["npm", "pack", "--silent", "--pack-destination", str(source)]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
        return f"file:{source}/{name}-1.0.0.tgz"

    def lock(self, source: Path, project: Project) -> None:
        words = ["npm", "install", "--package-lock-only", "--silent", "--offline"]
        subprocess.run(words, cwd=source, env=project.environ, check=True, capture_output=True)

    def test_what_the_lock_names_for_the_functions_machine_is_packaged(
        self, project: Project, node: Path
    ) -> None:
        self.lock(node, project)

        project.run("package", environ={"npm_config_offline": "true"})

        assert names(project.folder / ".tasks_aws" / "hello.zip") == [
            "app.js",
            "node_modules/library/index.js",
            "node_modules/library/package.json",
            "node_modules/native-arm64/index.js",
            "node_modules/native-arm64/package.json",
            "package-lock.json",
            "package.json",
        ]

    def test_dependencies_without_a_lock_are_an_error(self, project: Project, node: Path) -> None:
        assert "there is no lock for them" in project.run("package", code=1).err

    def test_none_takes_the_folder_as_it_is(self, project: Project, node: Path) -> None:
        text = (project.folder / "invoke.yaml").read_text()
        (project.folder / "invoke.yaml").write_text(
            text.replace("source: src", "source: src\n      requirements: none")
        )

        project.run("package")

        archive = project.folder / ".tasks_aws" / "hello.zip"
        assert "node_modules/stale.js" in names(archive)
