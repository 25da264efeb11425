"""The package managers of Node.js, and projects whose locks they write."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.npm_registry import NpmRegistry, pack
from tests.support import Project

MANAGERS = ("npm", "npm-shrinkwrap", "pnpm", "yarn-classic", "yarn-berry")

_PACKAGES = {
    "npm": "npm",
    "npm-shrinkwrap": "npm",
    "pnpm": "pnpm",
    "yarn-classic": "yarn",
    "yarn-berry": "@yarnpkg/cli-dist",
}
_LOCKING = {
    "npm": [["install", "--package-lock-only", "--ignore-scripts"]],
    "npm-shrinkwrap": [["install", "--package-lock-only", "--ignore-scripts"]],
    "pnpm": [["install", "--lockfile-only"]],
    "yarn-classic": [["install", "--ignore-platform", "--non-interactive"]],
    "yarn-berry": [["install", "--mode=update-lockfile"]],
}
LOCKS = {
    "npm": "package-lock.json",
    "npm-shrinkwrap": "npm-shrinkwrap.json",
    "pnpm": "pnpm-lock.yaml",
    "yarn-classic": "yarn.lock",
    "yarn-berry": "yarn.lock",
}


@dataclass
class Manager:
    """A package manager, and the project that it manages."""

    name: str
    project: Project
    members: list[str] = field(default_factory=list)

    @property
    def program(self) -> str:
        """Return the name of its program."""
        return self.name.partition("-")[0]

    @property
    def lock(self) -> str:
        """Return the name of its lock."""
        return LOCKS[self.name]

    def sibling(self) -> str:
        """Return how a member of a workspace depends on another."""
        return "workspace:*" if self.name in ("pnpm", "yarn-berry") else "*"

    def package(self, folder: str, name: str, **manifest: Any) -> Path:
        """Write a package with one file, and return its folder."""
        path = self.project.folder / folder
        path.mkdir(parents=True, exist_ok=True)
        found = {"name": name, "version": "1.0.0", **manifest}
        (path / "package.json").write_text(json.dumps(found, indent=2))
        (path / "index.js").write_text("exports.handler = async () => 'first'\n")
        return path

    def tarball(self, path: str, name: str) -> None:
        """Write a package as a tarball."""
        (self.project.folder / path).parent.mkdir(exist_ok=True)
        (self.project.folder / path).write_bytes(pack(name))

    def workspace(self, *members: str) -> dict[str, Any]:
        """Make the project's folder the root of a workspace; return what its manifest needs."""
        if self.name == "pnpm":
            text = json.dumps({"packages": list(members)})
            (self.project.folder / "pnpm-workspace.yaml").write_text(text)
            return {}
        return {"private": True, "workspaces": list(members)}

    def write_lock(self, folder: str = ".") -> None:
        """Let the package manager write its lock, and nothing else."""
        root = self.project.folder / folder
        if self.name == "yarn-berry":
            (root / ".yarnrc.yml").write_text("nodeLinker: node-modules\n")
            (root / "yarn.lock").touch()
        for words in _LOCKING[self.name]:
            subprocess.run(
                [self.program, *words],
                cwd=root,
                env=self.project.environ,
                check=True,
                capture_output=True,
            )
        if self.name == "npm-shrinkwrap":  # npm 12 has no command for it any more
            (root / LOCKS["npm"]).rename(root / self.lock)
        for left in [*root.rglob("node_modules"), root / ".yarn"]:
            shutil.rmtree(left, ignore_errors=True)


def use_manager(name: str, project: Project, registry: NpmRegistry) -> Manager:
    """Put a package manager first on a project's PATH. Skips the test if it is not installed."""
    project.environ |= {**registry.environ, "NO_COLOR": "1"}
    program = name.partition("-")[0]
    found = _find_program(_PACKAGES[name], program)
    if not found:
        pytest.skip(f"{name} is not installed")
    folder = project.home / "bin"
    folder.mkdir(exist_ok=True)
    (folder / program).symlink_to(found)
    project.environ["PATH"] = f"{folder}{os.pathsep}{project.environ['PATH']}"
    return Manager(name, project)


def _find_program(package: str, program: str) -> str | None:
    """Return a program of a package that is on NODE_PATH, or one on PATH that is no other's."""
    for folder in os.environ.get("NODE_PATH", "").split(os.pathsep):
        manifest = Path(folder) / package / "package.json"
        if folder and manifest.is_file():
            return str(manifest.parent / json.loads(manifest.read_text())["bin"][program])
    return None if program == "yarn" else shutil.which(program)
