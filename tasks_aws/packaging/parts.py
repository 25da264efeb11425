"""What an archive consists of, as its own directory says: packages, folders, and their files."""

from __future__ import annotations

import json
import re
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..process.importing import own_imports
from .files import find_folders
from .imports import DISTRIBUTIONS
from .python.requirements import normalize

_LOOSE_FILES = "(files)"  # those in no folder

# The packages inside a package come and go with it; pnpm keeps each in a folder of its own.
_node_package = re.compile(
    r"(?:.*?/)??node_modules/(?:\.pnpm/[^/]+/node_modules/)?((?:@[^/]+/)?[^/]+)/"
).match
_requirement_lines = re.compile(r"^Requires-Dist: (.+)$", re.MULTILINE).findall

_Read = Callable[[str], str]


class File(NamedTuple):
    """A file in an archive."""

    name: str
    size: int  # bytes
    zipped: int  # bytes of its data in the archive
    crc: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """A distribution of Python's, a package of Node's, or a folder of other files."""

    name: str
    version: str = ""
    files: tuple[File, ...]
    modules: frozenset[str]  # the top-level names under which it is imported
    requires: frozenset[str] = frozenset()  # names of other packages
    optional: frozenset[str] = frozenset()  # those that it uses if they are there

    @property
    def size(self) -> int:
        """Return its size in bytes, unzipped."""
        return sum(file.size for file in self.files)

    @property
    def zipped(self) -> int:
        """Return the bytes that its data takes in the archive."""
        return sum(file.zipped for file in self.files)


def read_files(archive: Path) -> list[File]:
    """Return the files of an archive, from its directory alone."""
    with zipfile.ZipFile(archive) as opened:
        return _list(opened)


def read_parts(archive: Path) -> list[Part]:
    """Return the parts of an archive, the largest first."""
    with zipfile.ZipFile(archive) as opened:
        files = _list(opened)
        split = _Splitter(
            {file.name for file in files}, lambda name: opened.read(name).decode(errors="replace")
        )
        groups: defaultdict[_Package, list[File]] = defaultdict(list)
        modules: defaultdict[_Package, set[str]] = defaultdict(set)
        for file in files:
            package, module = split(file.name)
            groups[package].append(file)
            modules[package].add(module)
        parts = [
            Part(
                name=package.name,
                version=package.version,
                files=tuple(found),
                modules=frozenset(modules[package]),
                requires=package.requires,
                optional=package.optional - package.requires,
            )
            for package, found in groups.items()
        ]
    return sorted(parts, key=lambda part: (-part.size, part.name))


def _list(archive: zipfile.ZipFile) -> list[File]:
    return [
        File(each.filename, each.file_size, each.compress_size, each.CRC)
        for each in archive.infolist()
        if not each.is_dir()
    ]


class _Package(NamedTuple):
    name: str
    version: str = ""
    requires: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()


class _Splitter:
    """Tells which package a file belongs to, and the name under which that is imported."""

    def __init__(self, names: Set[str], read: _Read) -> None:
        self._names = names
        self._read = read
        self._node: dict[str, _Package] = {}
        self._roots = {"": _Root()}
        for name in sorted(names):
            folder, _, file = name.rpartition("/")
            root, _, info = folder.rpartition("/")
            if info.endswith(".dist-info") and file == "METADATA" and not self._is_inside(root):
                self._roots.setdefault(root and f"{root}/", _Root()).add(info, folder, names, read)
        for prefix, found in self._roots.items():
            found.find_namespaces(name.removeprefix(prefix) for name in self._below(prefix))

    def __call__(self, name: str) -> tuple[_Package, str]:
        if found := _node_package(name):
            package = found[1]
            if package not in self._node:
                self._node[package] = self._describe_node(package, f"{found[0]}package.json")
            return self._node[package], package
        prefix = max((each for each in self._roots if name.startswith(each)), key=len)
        return self._roots[prefix].split(name.removeprefix(prefix))

    def _below(self, prefix: str) -> Iterator[str]:
        return (name for name in self._names if name.startswith(prefix))

    def _is_inside(self, folder: str) -> bool:
        """Return whether a folder is inside a Python package, which has copies of others."""
        while folder and f"{folder}/__init__.py" not in self._names:
            folder = folder.rpartition("/")[0]
        return bool(folder)

    def _describe_node(self, package: str, manifest: str) -> _Package:
        found = {}
        if manifest in self._names:
            with suppress(ValueError, RecursionError):
                found = json.loads(self._read(manifest))
        if not isinstance(found, dict):
            found = {}

        def named(*keys: str) -> frozenset[str]:
            values = (found.get(key) for key in keys)
            return frozenset(name for each in values if isinstance(each, dict) for name in each)

        optional = named("optionalDependencies", "peerDependenciesMeta")
        requires = named("dependencies", "peerDependencies") - optional
        return _Package(package, str(found.get("version") or ""), requires, optional)


class _Root:
    """A folder where Python looks for modules, and the distributions that are in it."""

    def __init__(self) -> None:
        self._distributions: dict[str, _Package] = {}  # by normalized name
        self._listed: dict[str, _Package] = {}  # by what their top_level.txt names
        self._namespaces: set[str] = set()

    def add(self, info: str, folder: str, names: Set[str], read: _Read) -> None:
        """Read a distribution's metadata."""
        name, _, version = info.removesuffix(".dist-info").rpartition("-")
        requirements = [*_parse_requirements(read(f"{folder}/METADATA"))]
        package = _Package(
            name=normalize(name),
            version=version,
            requires=frozenset(each for each, optional in requirements if not optional),
            optional=frozenset(each for each, optional in requirements if optional),
        )
        self._distributions[package.name] = package
        if f"{folder}/top_level.txt" in names:
            lines = read(f"{folder}/top_level.txt").split()
            self._listed.update(dict.fromkeys(lines, package))

    def find_namespaces(self, names: Iterable[str]) -> None:
        """Find the folders in which several distributions have their packages, such as google."""
        if not self._distributions:
            return
        files = set(names)
        for folder in find_folders(files):
            above = folder.rpartition("/")[0]
            if above and (folder.replace("/", "-") in self._distributions or self._owner(folder)):
                parents = [above]
                while above := above.rpartition("/")[0]:
                    parents.append(above)
                if not any(f"{each}/__init__.py" in files for each in parents):
                    self._namespaces.update(parents)

    def split(self, name: str) -> tuple[_Package, str]:
        """Return the package that a file belongs to, and the top-level name of its module."""
        words = name.split("/")
        if words[0] == "__pycache__":
            words = words[1:] or words
        top = words[0]
        if top.endswith(".dist-info"):
            known = normalize(top.removesuffix(".dist-info").rpartition("-")[0])
            return self._distributions.get(known, _Package(top)), ""
        if len(words) == 1:
            module = top.partition(".")[0]
            return self._owner(module) or _Package(_LOOSE_FILES), module
        path, *below = words
        while path in self._namespaces and len(below) > 1:
            path = f"{path}/{below.pop(0)}"
        owner = self._owner(path) if path not in self._namespaces else None
        return owner or _Package(path), top

    def _owner(self, path: str) -> _Package | None:
        """Return the distribution of a package, by its name or that of the module.

        The lists of files are not shipped: they name paths of the machine that they come from.
        """
        last = path.rpartition("/")[2].removesuffix(".libs")  # of shared libraries: numpy.libs
        usual = (DISTRIBUTIONS.get(path, ""), path.replace("/", "-"), last)
        guesses = (*usual, f"python-{last}", f"{last}-py", f"{last}-python", f"py{last}")
        names = (normalize(each) for each in guesses)
        found = (self._distributions[each] for each in names if each in self._distributions)
        return self._listed.get(path) or next(found, None)


def _parse_requirements(metadata: str) -> Iterator[tuple[str, bool]]:
    """Yield the distributions that one requires, and whether only its extras do."""
    with own_imports():
        from packaging.requirements import InvalidRequirement, Requirement

    for line in _requirement_lines(metadata.replace("\r", "").partition("\n\n")[0]):
        with suppress(InvalidRequirement):
            found = Requirement(line)
            yield normalize(found.name), "extra" in str(found.marker or "")
