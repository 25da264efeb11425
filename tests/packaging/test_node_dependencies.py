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
