"""Which files name a function's dependencies.

A project's lock comes before what it was made from. A file that is seen and cannot be used is an
error: an archive without what a project declares fails on Lambda, not here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...config.functions import Layer
from ...errors import PackageError
from ..files import not_found
from .local_projects import (
    local_sources,
    name_of_project,
    read_pyproject,
    table,
    workspace_root,
)

LOCKS = ("uv.lock", "poetry.lock", "Pipfile.lock", "pdm.lock", "pylock.toml")
SETUP = ("setup.py", "setup.cfg")

# Files that name dependencies and that no installer can use, and what makes one that can be used.
_UNUSABLE = {
    "Pipfile": "Run `pipenv lock`",
    "requirements.in": "Compile it to requirements.txt, such as with `uv pip compile`",
    "environment.yml": "List the packages in requirements.txt",
    "environment.yaml": "List the packages in requirements.txt",
}

# The settings of uv in pyproject.toml that decide where packages come from, or which.
_OF_UV = (
    *("sources", "workspace", "index", "index-url", "extra-index-url", "find-links", "no-index"),
    *("constraint-dependencies", "override-dependencies", "dependency-metadata", "pip"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A file that names dependencies, and the project whose dependencies count."""

    path: Path
    project: Path  # in a workspace it is below the folder of the lock

    @property
    def name(self) -> str:
        """Return the file's name: it tells the format."""
        return self.path.name

    @property
    def needs_uv(self) -> str:
        """Return why only uv can resolve this, or an empty string."""
        if self.name == "uv.lock":
            return "Only uv reads uv.lock."
        if self.name != "pyproject.toml":
            return ""
        pyproject = read_pyproject(self.project)
        if found := [each for each in _OF_UV if each in table(pyproject, "tool", "uv")]:
            return f"{self.path} has [tool.uv] {', '.join(found)}, which only uv understands."
        if workspace_root(self.project):
            return f"{self.project} is in a uv workspace."
        return ""

    @property
    def is_dynamic(self) -> bool:
        """Return whether only the build backend knows the dependencies."""
        if self.name in SETUP:
            return True
        project = table(read_pyproject(self.project), "project")
        return self.name == "pyproject.toml" and "dependencies" in (project.get("dynamic") or ())

    def governing_files(self) -> list[Path]:
        """Return the files that decide what is installed, as far as they are known beforehand."""
        folders = {self.project, self.path.parent, workspace_root(self.project) or self.project}
        others = {folder / name for folder in folders for name in ("pyproject.toml", "uv.toml")}
        beside = {self.path.parent / "Pipfile"} if self.name == "Pipfile.lock" else set()
        return [self.path, *sorted(each for each in others | beside if each.is_file())]


def find_manifests(function: Layer, project: Path) -> list[Manifest]:
    """Return the files that name a function's dependencies; each of its sources may have one.

    They are looked for in the source, and upwards to the folder of tasks.py. Raises `PackageError`
    for a file that cannot be used.
    """
    if function.requirements == "none":
        return []
    sources = [project / source.path for source in function.source]
    if function.requirements:
        return [_named(function, function.requirements, sources, project)]
    found: dict[Manifest, None] = {}
    for source in sources:
        for folder in _upwards(source, project):
            if manifest := _manifest_in(folder, function):
                found[manifest] = None
                break
    return [*found]


def _named(function: Layer, requirements: str, sources: list[Path], project: Path) -> Manifest:
    key = f"{function.key}.requirements"
    path = Path(os.path.normpath(project / requirements))
    if path.is_dir():
        raise PackageError(
            f"`{key}` names {requirements}, which is a folder.", fix="Name the file in it."
        )
    if not path.is_file():
        fix = f"To install nothing, set `{key}` to none."
        raise not_found(key, requirements, project, fix=fix)
    if path.name in _UNUSABLE:
        raise _unusable(path, function)
    if path.name == "pyproject.toml":
        return _of_pyproject(path.parent, function, named=True) or Manifest(
            path=path, project=path.parent
        )
    if path.name == "uv.lock":
        for source in sources:
            for folder in _upwards(source, path.parent):
                if "project" in read_pyproject(folder):
                    return Manifest(path=path, project=folder)
        return _of_uv_lock(path.parent, function)
    return Manifest(path=path, project=path.parent)


def _upwards(source: Path, project: Path) -> Iterator[Path]:
    """Yield a source's folders, up to that of tasks.py, or to the last that is not above it."""
    folder = Path(os.path.normpath(source if source.is_dir() else source.parent))
    top = Path(os.path.normpath(project))
    while folder == top or not top.is_relative_to(folder):
        yield folder
        if folder == top:
            return
        folder = folder.parent


def _manifest_in(folder: Path, function: Layer) -> Manifest | None:
    for name in LOCKS:
        if (folder / name).is_file():
            if name == "uv.lock":
                return _of_uv_lock(folder, function)
            return Manifest(path=folder / name, project=folder)
    if (folder / "requirements.txt").is_file():
        return Manifest(path=folder / "requirements.txt", project=folder)
    if found := _of_pyproject(folder, function):
        return found
    for name in _UNUSABLE:
        if (folder / name).is_file():
            raise _unusable(folder / name, function)
    setup = next((folder / name for name in SETUP if (folder / name).is_file()), None)
    is_project = setup is not None and name_of_project(folder) is not None
    if setup is None or not is_project or "project" in read_pyproject(folder):
        return None
    return Manifest(path=setup, project=folder)


def _of_uv_lock(folder: Path, function: Layer) -> Manifest:
    pyproject = read_pyproject(folder)
    if not pyproject:
        raise PackageError(
            f"{folder / 'uv.lock'} cannot be installed.",
            why="There is no pyproject.toml beside it, and uv reads both.",
            fix=f"Add it, or set `{function.key}.requirements` to another file or to none.",
        )
    if "project" not in pyproject:
        raise PackageError(
            f"{folder / 'uv.lock'} does not say what {function.label} needs.",
            why="It locks a workspace whose root is not a project: each member has dependencies "
            "of its own.",
            fix=f"Set `{function.key}.requirements` to the pyproject.toml of a member, or to none.",
        )
    return Manifest(path=folder / "uv.lock", project=folder)


def _of_pyproject(folder: Path, function: Layer, *, named: bool = False) -> Manifest | None:
    """Return what a pyproject.toml stands for: itself, or the lock of its workspace."""
    path, pyproject = folder / "pyproject.toml", read_pyproject(folder)
    project, poetry = table(pyproject, "project"), table(pyproject, "tool", "poetry")
    lock = (workspace_root(folder) or folder) / "uv.lock"
    if project and lock.is_file():
        return Manifest(path=lock, project=folder)
    if set(table(poetry, "dependencies")) - {"python"} or "source" in poetry:
        raise _without_lock(path, "poetry", function)
    if "source" in table(pyproject, "tool", "pdm"):
        raise _without_lock(path, "pdm", function)
    dynamic = "dependencies" in (project.get("dynamic") or ())
    if dynamic and local_sources(folder):
        raise PackageError(
            f"The dependencies of {path} cannot be resolved.",
            why="They are dynamic, and [tool.uv] has sources for some: only `uv lock` knows both.",
            fix="Run `uv lock`.",
        )
    asked = path.is_file() and (function.groups or function.extras)
    if project.get("dependencies") or dynamic or asked or named:
        return Manifest(path=path, project=folder)
    return None


def _without_lock(path: Path, tool: str, function: Layer) -> PackageError:
    return PackageError(
        f"{path} names dependencies, but there is no {tool}.lock.",
        why=f"Where they come from is in [tool.{tool}], which only {tool} understands.",
        fix=f"Run `{tool} lock`, or set `{function.key}.requirements` to another file or to none.",
    )


def _unusable(path: Path, function: Layer) -> PackageError:
    return PackageError(
        f"{path} cannot be installed.",
        why="Only a lock, requirements.txt and pyproject.toml can be.",
        fix=f"{_UNUSABLE[path.name]}, or set `{function.key}.requirements` to another file or to "
        "none.",
    )


def dependencies_of(manifest: Manifest, function: Layer) -> list[str]:
    """Return the requirements of a pyproject.toml, with the extras and groups that are wanted."""
    pyproject = read_pyproject(manifest.project)
    project = table(pyproject, "project")
    found = [str(each) for each in project.get("dependencies") or ()]
    optional = table(project, "optional-dependencies")
    for extra in function.extras:
        if extra not in optional:
            raise _no_such("extra", extra, manifest, function)
        found += map(str, optional[extra])
    groups = table(pyproject, "dependency-groups")
    for group in function.groups:
        found += _members_of(group, groups, manifest, function, ())
    return found


def _members_of(
    group: str,
    groups: Mapping[str, Any],
    manifest: Manifest,
    function: Layer,
    within: tuple[str, ...],
) -> list[str]:
    if group not in groups or group in within:
        raise _no_such("group", group, manifest, function)
    found: list[str] = []
    for member in groups[group]:
        if isinstance(member, Mapping):
            inner = str(member.get("include-group"))
            found += _members_of(inner, groups, manifest, function, (*within, group))
        else:
            found.append(str(member))
    return found


def _no_such(kind: str, name: str, manifest: Manifest, function: Layer) -> PackageError:
    return PackageError(
        f"{manifest.path} has no {kind} `{name}`.",
        why=f"`{function.key}.{kind}s` names it.",
    )
