"""The files of one archive: each has a name of its own, and each link leads somewhere."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Set
from operator import attrgetter

from ..errors import PackageError
from .files import Entry


def merged(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries of one archive, sorted by name.

    Raises `PackageError` for two of one name, and for a link to what is not among them.
    """
    by_name: dict[str, Entry] = {}
    for entry in entries:
        other = by_name.setdefault(entry.name.casefold(), entry)
        if other is not entry:
            raise PackageError(
                f"Two files would have one name in the archive: {entry.name}.",
                why=f"They are {other.path} and {entry.path}; names that differ only by case are "
                "one on many computers.",
                fix="Rename one of them, or leave it out with `exclude`.",
            )
    folders = _folders(by_name)
    for name in by_name.keys() & folders:
        raise PackageError(
            f"The archive would have a file and a folder of one name: {by_name[name].name}.",
            why=f"The file is {by_name[name].path}.",
            fix="Rename one of them, or leave it out with `exclude`.",
        )
    links = [entry for entry in by_name.values() if entry.link is not None]
    present = by_name.keys() | folders if links else folders
    for entry in links:
        if not _leads_to(entry, present):
            raise PackageError(
                f"{entry.path} is a link to {entry.link}, which is not in the archive.",
                why="Ignore patterns leave it out, or it is an empty folder.",
                fix="Leave the link out with `exclude`, too, or bring back what it points to with "
                "`include`.",
            )
    return sorted(by_name.values(), key=attrgetter("name"))


def _folders(names: Iterable[str]) -> set[str]:
    """Return the folders, and theirs, of the files of these names."""
    found: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _leads_to(entry: Entry, names: Set[str]) -> bool:
    if str(entry.link).startswith("/"):
        return True
    target = posixpath.normpath(posixpath.join(posixpath.dirname(entry.name), str(entry.link)))
    return target == "." or target.casefold() in names
