"""Combining the entries of one archive: no two have the same name, and every link has a target."""

from __future__ import annotations

import filecmp
import posixpath
from collections.abc import Iterable, Set
from operator import attrgetter

from ..errors import PackageError
from .files import Entry, find_folders
from .node.locks import LOCKS as NODE_LOCKS
from .python.manifests import LOCKS

_MANIFESTS = frozenset({"requirements.txt", "pyproject.toml", "Pipfile", *LOCKS, *NODE_LOCKS})


def merge_entries(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries of one archive, sorted by name.

    Two files with the same name and the same content are one. Of manifests, which installers read
    and Lambda does not, the first is taken. Raises `PackageError` for two other entries with the
    same name, and for a link whose target is not among the entries.
    """
    by_name: dict[str, Entry] = {}
    for entry in entries:
        other = by_name.setdefault(entry.name.casefold(), entry)
        if other is not entry and not _are_one(other, entry):
            same = f"have the same name in the archive: {entry.name}."
            similar = f"have names that differ only in case: {other.name} and {entry.name}."
            raise PackageError(
                f"Two files {same if other.name == entry.name else similar}",
                why=f"They are {other.path} and {entry.path}.",
                fix="Rename one of them, or leave it out with `exclude`.",
            )
    folders = find_folders(by_name)
    for name in by_name.keys() & folders:
        raise PackageError(
            f"A file and a folder have the same name in the archive: {by_name[name].name}.",
            why=f"The file is {by_name[name].path}.",
            fix="Rename one of them, or leave it out with `exclude`.",
        )
    links = [entry for entry in by_name.values() if entry.link is not None]
    present = by_name.keys() | folders if links else folders
    for entry in links:
        if not _is_target_in(present, entry):
            raise PackageError(
                f"{entry.path} is a link to {entry.link}, which is not in the archive.",
                why="The target is ignored, or it is an empty folder.",
                fix="Leave the link out with `exclude`, or bring its target back with `include`.",
            )
    return sorted(by_name.values(), key=attrgetter("name"))


def _are_one(first: Entry, second: Entry) -> bool:
    if first.name != second.name or first.link != second.link:
        return False
    return first.name in _MANIFESTS or filecmp.cmp(first.path, second.path, shallow=False)


def _is_target_in(names: Set[str], entry: Entry) -> bool:
    if str(entry.link).startswith("/"):
        return True  # on Lambda
    target = posixpath.normpath(posixpath.join(posixpath.dirname(entry.name), str(entry.link)))
    return target == "." or target.casefold() in names
