"""Which files functions and layers are made of, and which of them have been saved.

The files are asked for their times again and again. What tells of saves as they happen exists on
each system in another way, and on network and container mounts in none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..config.functions import Layer
from .exclusion import IGNORE_FILE, exclusion_of_source, names_indexes
from .files import IsIgnored

# When a file was modified, its size and its inode, which an editor may replace; None: no file.
Status = tuple[int, int, int] | None

# What decides on dependencies, beside the files that name indexes.
_GOVERNING = (IGNORE_FILE, ".npmrc", "package.json", "setup.cfg", "setup.py")


class Saves:
    """Finds the files that have been saved, added or removed since it was asked last.

    It looks at the sources without what is ignored, and at the files beside and above them that
    name dependencies. A folder is read again only when something in it was added or removed.
    """

    def __init__(self, layers: Sequence[Layer], project: Path) -> None:
        """Take functions and layers, and the folder of tasks.py."""
        self._layers, self._project = layers, project
        self._files: dict[str, Status] = {}
        self._folders: dict[str, Status] = {}
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
        for layer in self._layers:
            named = [layer.archive] if layer.archive else [each.path for each in layer.source]
            for path in (*named, *_requirements(layer)):
                self._add(os.path.normpath(self._project / path))
            if not layer.archive:
                for each in named:
                    self._look_into(layer, Path(os.path.normpath(self._project / each)))

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
                    self._add(each.path)

    def _walk(self, folder: str, prefix: str, is_ignored: IsIgnored, followed: set[str]) -> None:
        self._folders[folder] = status(folder)
        for each in _scan(folder):
            name, is_link, is_folder = prefix + each.name, each.is_symlink(), each.is_dir()
            if is_ignored(f"{name}/" if is_folder and not is_link else name):
                continue
            if not is_folder:
                self._add(each.path)
                continue
            real = os.path.realpath(each.path) if is_link else ""
            if not any(f"{real}/".startswith(f"{other}/") for other in followed):
                inside = {*followed, real} if is_link else followed
                self._walk(each.path, f"{name}/", is_ignored, inside)

    def _add(self, path: str) -> None:
        if not os.path.isdir(path):  # noqa: PTH112  # there may be ten thousand
            self._files[path] = status(path)


def status(path: str) -> Status:
    """Return what a file has another of once it is saved; None if there is no such file."""
    try:
        found = os.stat(path)  # noqa: PTH116  # there may be ten thousand
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _is_current(statuses: dict[str, Status]) -> bool:
    return all(status(path) == before for path, before in statuses.items())


def _scan(folder: str) -> Iterable[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as scan:
            return list(scan)
    except OSError:  # it is gone by now
        return ()


def _requirements(layer: Layer) -> list[str]:
    return [layer.requirements] if layer.requirements not in (None, "none") else []
