"""Node.js dependencies: what the lock of a package.json names, without development packages."""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ...config.functions import Layer
from ...errors import PackageError
from ..files import Entry, not_found
from ..installs import Dependencies, hash_parts
from ..workspace import Workspace
from .install import install
from .locks import NodeLock, check_supported, collect_inputs, find_lock, is_lock
from .tree import DEPENDENCIES, read_json

_MACHINES = {"x86_64": "x64", "arm64": "arm64"}

# A package.json with none of these says something else of its folder, such as `"type": "module"`.
_DECLARING = (*DEPENDENCIES, "devDependencies", "workspaces")


def find_node_dependencies(function: Layer, workspace: Workspace) -> Dependencies | None:
    """Return the dependencies of a Node.js function, or None when no package.json names any.

    Raises `PackageError` for a package.json that has dependencies, but no lock that can be used.
    """
    if function.language != "nodejs" or function.requirements == "none":
        return None
    locks = find_locks(function, workspace.project)
    is_module = _is_module(function, workspace.project)
    if not locks and not is_module:
        return None
    machine = _MACHINES.get(function.architectures[0], "x64")
    portable = len(function.architectures) > 1
    inputs = {lock.package: collect_inputs(lock) for lock in locks}

    def install_all(target: Path) -> None:
        folders = {lock.package: target / str(number) for number, lock in enumerate(locks)}
        for lock in locks:
            folders[lock.package].mkdir()
            install(lock, inputs[lock.package], folders[lock.package], machine, workspace.environ)
        _merge(folders, target)
        if portable:
            _check_portable(function, target)
        if is_module:
            (target / "package.json").write_text(json.dumps({"type": "module"}) + "\n")

    names = dict.fromkeys(lock.path.name for lock in locks) or ["package.json"]
    contents = [(lock.member, _hash(inputs[lock.package], lock.root)) for lock in locks]
    return Dependencies(
        description=f"{', '.join(names)} for {function.runtime} on {machine}",
        digest=hash_parts("node", machine, portable, is_module, contents),
        install=install_all,
    )


def find_locks(function: Layer, project: Path) -> list[NodeLock]:
    """Return the locks of a function's packages. Raises `PackageError` if one cannot be used."""
    if function.requirements:
        return [_find_named(function, function.requirements, project)]
    packages = {}
    for source in function.source:
        folder = project / source.path
        package = _find_package(folder, project)
        if package and _has_dependencies(package):
            packages[package] = find_lock(package, function.key)
        elif not package and (folder / "node_modules").is_dir():
            raise PackageError(
                f"{folder / 'node_modules'} is not packaged, and no package.json names the "
                "dependencies to install.",
                why="Packages are installed anew for Lambda, from the lock of a package.json.",
                fix="Add a package.json and its lock, or set "
                f"`{function.key}.requirements` to none to package the folder as it is.",
            )
    return list(packages.values())


def _find_named(function: Layer, requirements: str, project: Path) -> NodeLock:
    named = Path(os.path.normpath(project / requirements))
    key = f"{function.key}.requirements"
    fix = f"To install nothing, set `{key}` to none."
    if not named.is_file():
        raise not_found(key, requirements, project, fix=fix)
    has_manifest = (named.parent / "package.json").is_file()
    if is_lock(named) and has_manifest:
        return NodeLock(path=check_supported(named, function.key), member=".")
    if named.name == "package.json":
        return find_lock(named.parent, function.key)
    raise PackageError(
        f"`{key}` is {requirements}, which does not declare Node.js packages.",
        why=f"There is no package.json in {named.parent}."
        if is_lock(named)
        else f"The runtime is {function.runtime}.",
        fix=f"Name a package.json or the lock beside it. {fix}",
    )


def _find_package(source: Path, project: Path) -> Path | None:
    """Return the folder of the package.json that declares, or denies, dependencies of a source."""
    for manifest in _find_manifests(source, project):
        declares = any(kind in read_json(manifest) for kind in _DECLARING)
        if declares or any(map(is_lock, manifest.parent.iterdir())):
            return manifest.parent
    return None


def _has_dependencies(package: Path) -> bool:
    manifest = read_json(package / "package.json")
    return any(manifest.get(kind) for kind in DEPENDENCIES)


def _find_manifests(source: Path, project: Path) -> Iterator[Path]:
    """Yield the package.json beside a source, and those above it, the nearest first.

    Looks upwards to the folder of tasks.py, or to the one that it has in common with the source.
    """
    source, project = Path(os.path.normpath(source)), Path(os.path.normpath(project))
    last = Path(os.path.commonpath([source, project]))
    for folder in (source, *source.parents):
        if (folder / "package.json").is_file():
            yield folder / "package.json"
        if folder == last:
            return


def _is_module(function: Layer, project: Path) -> bool:
    """Return whether files that Node.js takes for modules would ship without what says so."""
    folders = [project / source.path for source in function.source if not source.inside]
    if any((folder / "package.json").is_file() for folder in folders):
        return False
    nearest = [next(_find_manifests(folder, project), None) for folder in folders]
    return any(path and read_json(path).get("type") == "module" for path in nearest)


def _hash(inputs: list[Entry], root: Path) -> list[tuple[str, str]]:
    """Return a digest of each file, with its name from the root: the same on every machine."""
    return sorted(
        (
            os.path.relpath(entry.name, root),
            entry.link or hashlib.sha256(Path(entry.path).read_bytes()).hexdigest(),
        )
        for entry in inputs
    )


def _merge(folders: dict[Path, Path], target: Path) -> None:
    """Move the installed packages of several package.json into one `node_modules`.

    Raises `PackageError` when they need different contents of the same name.
    """
    owners: dict[str, Path] = {}
    for package, folder in folders.items():
        for installed in _list_packages(folder / "node_modules"):
            name = installed.relative_to(folder).as_posix()
            if name not in owners:
                owners[name] = package
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                installed.rename(target / name)
            elif not _is_same(installed, target / name):
                raise PackageError(
                    f"{owners[name]} and {package} install different contents of {name}.",
                    why="The sources of a function share one folder `node_modules`.",
                    fix="Lock the same versions in both, or make them members of one workspace.",
                )
        shutil.rmtree(folder)


def _list_packages(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.glob("*")):
        yield from sorted(path.iterdir()) if path.name.startswith("@") else [path]


def _is_same(one: Path, other: Path) -> bool:
    names = {path.relative_to(one) for path in one.rglob("*")}
    if names != {path.relative_to(other) for path in other.rglob("*")}:
        return False
    files = [name for name in names if (one / name).is_file()]
    return all(filecmp.cmp(one / name, other / name, shallow=False) for name in files)


def _check_portable(layer: Layer, target: Path) -> None:
    """Raise `PackageError` when a layer for several architectures contains native code for one."""
    native = next(target.rglob("*.node"), None)
    if native:
        raise PackageError(
            f"{native.relative_to(target)} runs only on {layer.architectures[0]}.",
            why=f"`{layer.key}.CompatibleArchitectures` is {', '.join(layer.architectures)}.",
            fix="Name one architecture, and add a layer for each of the others.",
        )
