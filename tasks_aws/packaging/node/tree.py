"""Laying out what a Node.js package requires as one `node_modules` without links.

Package managers put a project's packages wherever its whole workspace needs them: beside other
members, above them, or behind links. An archive contains one folder, and nothing outside it. So
what the package requires is found as Node.js finds it, and placed so that Node.js finds the same.
"""

from __future__ import annotations

import json
import shutil
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import PackageError

DEPENDENCIES = ("dependencies", "optionalDependencies", "peerDependencies")

_DEEPEST = 50  # packages in packages; npm's own trees are rarely ten deep

# Where a package is: the names of the packages that it is nested in, and its own.
_Place = tuple[str, ...]


def lay_out(package: Path, target: Path, *, within: Path, machine: str) -> None:
    """Copy everything that an installed package requires into a new folder `node_modules`.

    `within` is the folder above which nothing is looked for, `machine` a CPU in npm's words.
    Raises `PackageError` for a dependency that is not installed, or not made for Lambda.
    """
    package = package.resolve()
    placed: dict[_Place, Path] = {(): package}
    waiting: deque[_Place] = deque([()])
    while waiting:
        place = waiting.popleft()
        for name, required in _list_dependencies(placed[place]):
            found = _find(name, placed[place], within.resolve())
            if found is None or not _runs_on(found, machine):
                if required:
                    raise _unusable(name, placed[place], found, machine)
                continue
            visible = _find_placed(name, place, placed)
            if visible is not None and placed[visible] == found:
                continue
            # Nested when another version is visible. Any place in between would hide the other
            # version from packages that have been looked at before.
            new = (name,) if visible is None else (*place, name)
            if len(new) > _DEEPEST:
                raise PackageError(f"The versions of the Node.js package {name} form a circle.")
            placed[new] = found
            waiting.append(new)
    for place, source in placed.items():
        if place:
            _copy(
                source,
                target.joinpath(*(part for name in place for part in ("node_modules", name))),
            )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file. Raises `PackageError` if there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise PackageError(f"{path} is not valid JSON.", why=str(error)) from error
    if not isinstance(found, dict):
        raise PackageError(f"{path} does not contain a JSON object.")
    return found


def read_dependencies(manifest: dict[str, Any], kind: str) -> dict[str, str]:
    """Return one kind of dependencies of a package.json, by name."""
    found = manifest.get(kind)
    return {str(name): str(spec) for name, spec in found.items()} if isinstance(found, dict) else {}


def _list_dependencies(package: Path) -> Iterator[tuple[str, bool]]:
    """Yield the names of all dependencies, and whether the package does not work without."""
    manifest = read_json(package / "package.json")
    optional = read_dependencies(manifest, "optionalDependencies")
    names = {name for kind in DEPENDENCIES for name in read_dependencies(manifest, kind)}
    for name in sorted(names):
        yield name, name in read_dependencies(manifest, "dependencies") and name not in optional


def _find(name: str, package: Path, within: Path) -> Path | None:
    """Return the folder from which a package gets another, as Node.js looks for it."""
    for folder in (package, *package.parents):
        found = folder / "node_modules" / name
        if (found / "package.json").is_file():
            return found.resolve()
        if folder == within:
            break
    return None


def _find_placed(name: str, place: _Place, placed: dict[_Place, Path]) -> _Place | None:
    for depth in range(len(place), -1, -1):
        if (found := (*place[:depth], name)) in placed:
            return found
    return None


def _runs_on(package: Path, machine: str) -> bool:
    manifest = read_json(package / "package.json")
    for field, value in (("os", "linux"), ("cpu", machine), ("libc", "glibc")):
        found = manifest.get(field) or []
        names = [found] if isinstance(found, str) else list(map(str, found))
        wanted = [name for name in names if not name.startswith("!")]
        if f"!{value}" in names or (wanted and not {value, "any"} & {*wanted}):
            return False
    return True


def _unusable(name: str, package: Path, found: Path | None, machine: str) -> PackageError:
    dependent = read_json(package / "package.json").get("name") or "package.json"
    if found:
        return PackageError(
            f"The Node.js package {name} does not run on Linux {machine} with glibc.",
            why=f"Its package.json says so, and {dependent} depends on it.",
            fix="List it under `optionalDependencies` or `devDependencies`.",
        )
    return PackageError(
        f"{dependent} depends on {name}, which the lock does not install.",
        why="A local package is missing, or it is linked from outside the project: package "
        "managers then do not install its own dependencies.",
        fix=f"Check that the folders that {dependent} names exist. If {dependent} is linked, make "
        "it a member of the workspace, or set `install-links=true` in .npmrc and update the lock.",
    )


def _copy(source: Path, target: Path) -> None:
    def ignore(folder: str, names: list[str]) -> set[str]:
        return {"node_modules"} if folder == str(source) else set()

    shutil.copytree(source, target, symlinks=True, ignore=ignore, dirs_exist_ok=True)
