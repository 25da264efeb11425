"""The locks of Node.js package managers: which one governs a package, and what belongs to it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import PackageError
from ..exclusion import is_ignored_by_default
from ..files import Entry, find_files
from .tree import DEPENDENCIES, read_dependencies, read_json

# Locks and their tools. The first of a tool takes precedence, as it did for npm until version 12.
LOCKS = {
    "npm-shrinkwrap.json": "npm",
    "package-lock.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
_SUPPORTED = ("npm", "pnpm", "yarn")

# What else tells a package manager what to install.
_CONFIGURATION = (
    ".npmrc",
    ".pnpmfile.cjs",
    ".pnpmfile.mjs",
    ".yarnrc",
    ".yarnrc.yml",
    "pnpm-workspace.yaml",
)
_YARN_FOLDERS = ("patches", "plugins", "releases")

# A dependency that is a folder or an archive on this machine.
_LOCAL = re.compile(r"(?:(?:file|link|portal):|(?=\.{1,2}/|/))(?P<path>[^#]+)")
_PATCH = re.compile(r"[\w@./+-]+\.patch\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLock:
    """A lock, and the package of its project that is to be installed."""

    path: Path
    member: str  # the package's folder, relative to that of the lock

    @property
    def root(self) -> Path:
        """Return the folder of the lock."""
        return self.path.parent

    @property
    def package(self) -> Path:
        """Return the folder of the package."""
        return self.root / self.member

    @property
    def tool(self) -> str:
        """Return the program that wrote the lock."""
        return LOCKS[self.path.name]

    @property
    def is_classic(self) -> bool:
        """Return whether Yarn 1 wrote the lock."""
        return self.tool == "yarn" and "\n__metadata:" not in self.path.read_text(encoding="utf-8")


def is_lock(path: Path) -> bool:
    """Return whether a file has the name of a lock."""
    return path.name in LOCKS


def find_lock(package: Path, key: str) -> NodeLock:
    """Return the lock that governs a package: that of its workspace, or the one beside it.

    Raises `PackageError` if there is none, or none that can be used. `key` is that of the function.
    """
    above = []
    for folder in package.parents:
        locks = _list_locks(folder)
        member = package.relative_to(folder).as_posix()
        if any(member in list_members(lock) for lock in locks):
            return NodeLock(path=_choose(locks, key), member=member)
        above += locks
    if locks := _list_locks(package):
        return NodeLock(path=_choose(locks, key), member=".")
    fix = (
        f"Run `npm install` in {package} and commit the lock, or set `{key}.requirements` to none."
    )
    if above:
        tool, root = LOCKS[above[0].name], above[0].parent
        fix = f"If it belongs to {root}, run `{tool} install` there. Otherwise: {fix}"
    raise PackageError(
        f"{package / 'package.json'} has dependencies, but there is no lock for them.",
        why="Without a lock, two builds could install different packages."
        + (f" {above[0]} does not list this package." if above else ""),
        fix=fix,
    )


def _list_locks(folder: Path) -> list[Path]:
    """Return the locks in a folder, one of each package manager."""
    by_tool = {LOCKS[name]: path for name in reversed(LOCKS) if (path := folder / name).is_file()}
    return list(by_tool.values())


def _choose(locks: list[Path], key: str) -> Path:
    """Return the lock that governs. Raises `PackageError` if that is none, or not clear."""
    folder = locks[0].parent
    names = " and ".join(sorted(lock.name for lock in locks))
    manifest = folder / "package.json"
    field = str(read_json(manifest).get("packageManager") or "") if manifest.is_file() else ""
    declared = field.partition("@")[0]
    chosen = [lock for lock in locks if declared in ("", LOCKS[lock.name])]
    if not chosen:
        raise PackageError(
            f"`packageManager` in {manifest} is {field}, but the lock is {names}.",
            why=f"Only {declared} can tell whether its lock agrees with package.json.",
            fix=f"Run `{declared} install` in {folder} and commit its lock, or correct "
            "`packageManager`.",
        )
    if len(chosen) > 1:
        raise PackageError(
            f"{folder} has the locks of several package managers: {names}.",
            why="They may install different packages.",
            fix="Remove the one that is not kept up to date, set `packageManager` in package.json, "
            f"or name one of them in `{key}.requirements`.",
        )
    return check_supported(chosen[0], key)


def check_supported(lock: Path, key: str) -> Path:
    """Return the lock. Raises `PackageError` if it is one that is not supported."""
    if LOCKS[lock.name] in _SUPPORTED:
        return lock
    raise PackageError(
        f"{lock} cannot be used.",
        why=f"Only locks of {', '.join(_SUPPORTED)} are supported.",
        fix=f"Install it with a command in `{key}.build`, and set `{key}.requirements` to none.",
    )


def list_members(lock: Path) -> list[str]:
    """Return the folders of the other packages of a workspace, relative to that of its lock."""
    text = "" if lock.suffix == ".lockb" else lock.read_text(encoding="utf-8")
    if lock.name == "pnpm-lock.yaml":
        section = re.search(r"^importers:\n((?:\n| .*\n)*)", text, re.MULTILINE)
        found = re.findall(r"^  '?([^\s'].*?)'?:", section[1], re.MULTILINE) if section else []
    elif lock.name == "yarn.lock" and "\n__metadata:" in text:
        found = re.findall(r'^  resolution: "[^"]+@workspace:([^"]+)"$', text, re.MULTILINE)
    elif LOCKS[lock.name] != "npm":
        found = list(_expand_workspaces(lock.parent))
    else:
        root = read_json(lock.parent / "package.json").get("workspaces")
        packages = read_json(lock).get("packages") or {}
        found = [name for name in packages if "node_modules" not in name.split("/")] if root else []
    return [name for name in found if name not in ("", ".")]


def list_workspace(lock: NodeLock) -> list[Path]:
    """Return the folders of all packages of a workspace, or of the only one."""
    names = [".", *list_members(lock.path)]
    folders = [Path(os.path.normpath(lock.root / name)) for name in names]
    return [folder for folder in folders if (folder / "package.json").is_file()]


def _expand_workspaces(root: Path) -> Iterator[str]:
    """Yield the members that package.json lists: the locks of Yarn 1 and Bun do not name them."""
    manifest = root / "package.json"
    listed: Any = read_json(manifest).get("workspaces") if manifest.is_file() else None
    patterns = listed.get("packages") if isinstance(listed, dict) else listed
    for pattern in patterns or []:
        for path in root.glob(f"{str(pattern).removeprefix('./').rstrip('/')}/package.json"):
            if "node_modules" not in path.relative_to(root).parts:
                yield path.parent.relative_to(root).as_posix()


def collect_inputs(lock: NodeLock) -> list[Entry]:
    """Return all files that an installation depends on, with absolute names.

    These are the lock and the manifests of its workspace, the configuration of the package manager,
    and the whole contents of the local packages that are installed.
    """
    root = lock.root
    manifests = {folder: read_json(folder / "package.json") for folder in list_workspace(lock)}
    named = ("package.json", *_CONFIGURATION)
    files = {lock.path, *(folder / name for folder in manifests for name in named)}
    texts = [path.read_text(encoding="utf-8") for path in files if path.is_file()]
    files |= {root / name for text in texts for name in _PATCH.findall(text)}
    files |= {path for name in _YARN_FOLDERS for path in (root / ".yarn" / name).rglob("*")}
    entries = [Entry(str(path), str(path)) for path in files if path.is_file()]

    packages = _find_siblings(lock.package, manifests)
    for folder, manifest in manifests.items():
        packages |= _find_local(folder, manifest)
    for package in packages:
        if package.is_dir():
            entries += _list_package(package)
        else:
            entries.append(Entry(str(package), str(package)))
    return list({entry.name: entry for entry in entries}.values())


def find_local_packages(lock: NodeLock) -> list[Path]:
    """Return the folders outside of a workspace that its packages depend on, directly or not."""
    members = [*list_workspace(lock)]
    found = {
        path
        for folder in members
        for path in _find_local(folder, read_json(folder / "package.json"))
    }
    return sorted(path for path in found.difference(members) if (path / "package.json").is_file())


def _find_siblings(package: Path, manifests: dict[Path, dict[str, Any]]) -> set[Path]:
    """Return the members of a workspace that a package depends on, directly or not."""
    named = {str(manifest.get("name")): folder for folder, manifest in manifests.items()}
    found: set[Path] = set()
    waiting = [package]
    while waiting:
        manifest = manifests[waiting.pop()]
        names = {name for kind in DEPENDENCIES for name in read_dependencies(manifest, kind)}
        new = {named[name] for name in names & named.keys()} - found
        found |= new
        waiting += new
    return found


def _find_local(
    folder: Path, manifest: dict[str, Any], found: set[Path] | None = None
) -> set[Path]:
    """Return the files and folders that a package.json names as dependencies, directly or not."""
    found = set() if found is None else found
    for kind in (*DEPENDENCIES, "devDependencies"):
        for spec in read_dependencies(manifest, kind).values():
            match = _LOCAL.match(spec)
            if not match:
                continue
            path = Path(os.path.normpath(folder / match["path"]))
            if path in found or not path.exists():
                continue  # the package manager says what is missing
            found.add(path)
            if (path / "package.json").is_file():
                _find_local(path, read_json(path / "package.json"), found)
    return found


def _list_package(folder: Path) -> list[Entry]:
    def is_ignored(name: str) -> bool:
        return name in ("node_modules", "node_modules/") or is_ignored_by_default(name)

    return [
        entry._replace(name=str(folder / entry.name)) for entry in find_files(folder, is_ignored)
    ]
