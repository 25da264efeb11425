"""Which files functions and layers are made of, and which of them have been saved.

The files are asked for their times again and again. What tells of saves as they happen exists on
each system in another way, and on network and container mounts in none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ..config.functions import Layer
from ..errors import PackageError
from .exclusion import IGNORE_FILE, exclusion_of_source, is_ignored_by_default, names_indexes
from .files import IsIgnored
from .node.dependencies import find_locks
from .node.locks import collect_inputs
from .python.local_projects import local_sources
from .python.manifests import Manifest, find_manifests
from .python.requirements import read_requirements
from .workspace import Workspace

# When a file was modified, its size and its inode, which an editor may replace; None: no file.
Status = tuple[int, ...] | None

# What decides on dependencies, beside the files that name indexes.
_GOVERNING = (IGNORE_FILE, ".npmrc", "package.json", "setup.cfg", "setup.py")


class Saves:
    """Finds the files that have been saved, added or removed since it was asked last.

    It looks at the sources without what is ignored, at the files beside and above them that name
    dependencies, and at dependencies on this machine. Folders are read again only when something
    in one of them was added or removed, or when a file has changed.
    """

    def __init__(self, layers: Sequence[Layer], workspace: Workspace) -> None:
        """Take functions and layers, and where they are built."""
        self._layers = layers
        self._project, self._environ = workspace.project, workspace.environ
        self._files: dict[str, Status] = {}
        self._folders: dict[str, Status] = {}
        self.may_be_written = False  # by what builds the functions: there may be no end of it
        self._look()

    @property
    def count(self) -> int:
        """Return how many files there are."""
        return sum(each is not None for each in self._files.values())

    def find(self) -> list[str]:
        """Return the paths of what has changed, relative to the project where they are in it."""
        if _is_current(self._files) and _is_current(self._folders):
            return []
        before = self._files
        self._look()
        paths = {*before, *self._files}
        changed = [path for path in paths if before.get(path) != self._files.get(path)]
        return sorted(path.removeprefix(f"{self._project}{os.sep}") for path in changed)

    def _look(self) -> None:
        self._files, self._folders = {}, {}
        self.may_be_written = any(each.build for each in self._layers)
        for layer in self._layers:
            named = [layer.archive] if layer.archive else [each.path for each in layer.source]
            for path in (*named, *_requirements(layer)):
                self._add(os.path.normpath(self._project / path))
            if not layer.archive:
                for each in named:
                    self._look_into(layer, Path(os.path.normpath(self._project / each)))
                # Whatever is wrong with them, the next deploy says.
                with suppress(PackageError, OSError, UnicodeError):
                    self._look_at_dependencies(layer)

    def _look_into(self, layer: Layer, source: Path) -> None:
        folders = [source, *source.parents] if source.is_dir() else [*source.parents]
        if source.is_dir():
            is_ignored = exclusion_of_source(layer, source, self._project)
            self._walk(str(source), "", is_ignored, {os.path.realpath(source)})
        for folder in folders:
            if not folder.is_relative_to(self._project):
                break
            self._folders[str(folder)] = status(str(folder))
            for each in _scan(str(folder)):
                if (names_indexes(each.name) or each.name in _GOVERNING) and each.is_file():
                    self._add_file(each.path)

    def _look_at_dependencies(self, layer: Layer) -> None:
        if layer.language == "nodejs" and layer.requirements != "none":
            for lock in find_locks(layer, self._project):
                for entry in collect_inputs(lock):
                    self._add(entry.path)
                    folder = os.path.dirname(entry.path)  # noqa: PTH120  # they may be many
                    self._folders[folder] = status(folder)
        elif layer.language == "python":
            for manifest in find_manifests(layer, self._project):
                for file in manifest.governing_files():
                    self._add(str(file))
                local = _find_local(manifest, self._environ)
                self.may_be_written |= manifest.is_dynamic or bool(local)
                for path in local:
                    self._add(str(path))
                    self._walk(str(path), "", _is_no_source, {os.path.realpath(path)})

    def _walk(self, folder: str, prefix: str, is_ignored: IsIgnored, followed: set[str]) -> None:
        self._folders[folder] = status(folder)
        for each in _scan(folder):
            name, is_link, is_folder = prefix + each.name, each.is_symlink(), each.is_dir()
            if each.name.endswith(".egg-info") or is_ignored(
                f"{name}/" if is_folder and not is_link else name
            ):
                continue
            if not is_folder:
                self._add_file(each.path)
                continue
            real = os.path.realpath(each.path) if is_link else ""
            if not any(f"{real}/".startswith(f"{other}/") for other in followed):
                inside = {*followed, real} if is_link else followed
                self._walk(each.path, f"{name}/", is_ignored, inside)

    def _add(self, path: str) -> None:
        if not os.path.isdir(path):  # noqa: PTH112  # they may be many
            self._add_file(path)

    def _add_file(self, path: str) -> None:
        if path not in self._files:  # several functions may have the same source
            self._files[path] = status(path)


def status(path: str) -> Status:
    """Return the values that change when a file is saved; None if there is no such file."""
    try:
        found = os.stat(path)  # noqa: PTH116  # there may be ten thousand
    except OSError:
        return None
    # The last changes even where a copy keeps size and time.
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_ctime_ns


def _is_current(statuses: dict[str, Status]) -> bool:
    return all(status(path) == before for path, before in statuses.items())


def _scan(folder: str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as scan:
            return list(scan)
    except OSError:  # it is gone by now
        return ()


def _find_local(manifest: Manifest, environ: Mapping[str, str]) -> list[Path]:
    """Return the files and folders on this machine that a project needs."""
    if manifest.name.endswith(".txt"):
        requirements = read_requirements(manifest.path, environ).requirements
        return [each.path for each in requirements if each.path]
    return [path for path in local_sources(manifest.project).values() if path]


def _is_no_source(name: str) -> bool:
    """Return whether a file of a package is none of its sources, such as what building leaves."""
    return name in ("build/", "dist/") or is_ignored_by_default(name)


def _requirements(layer: Layer) -> list[str]:
    return [layer.requirements] if layer.requirements not in (None, "none") else []
