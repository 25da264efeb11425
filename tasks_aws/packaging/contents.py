"""What is in an archive, for the checks before it is written, or of one that others wrote."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .archive import Archive
from .files import Entry, find_folders


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """The files of an archive, by name."""

    names: Set[str]
    read: Callable[[str], bytes]
    installed: Set[str] = frozenset()  # those that come from dependencies

    @cached_property
    def folders(self) -> Set[str]:
        """Return all folders above the files."""
        return find_folders(self.names)


def contents_of_entries(entries: Sequence[Entry], installed: Set[str]) -> Contents:
    """Return what will be in an archive; `installed` are the names that an installer wrote.

    Build commands may have installed more: these are in the RECORD of their distributions.
    """
    paths = {entry.name: entry.path for entry in entries}

    def read(name: str) -> bytes:
        return Path(paths[name]).read_bytes()

    return Contents(names=paths.keys(), read=read, installed={*installed, *_records(paths, read)})


def contents_of_archive(archive: Archive) -> Contents:
    """Return what is in a finished archive."""
    names = {name for name, _ in archive.sizes}

    def read(name: str) -> bytes:
        with zipfile.ZipFile(archive.path) as found:
            return found.read(name)

    return Contents(names=names, read=read, installed={*_records(names, read)})


def _records(names: Iterable[str], read: Callable[[str], bytes]) -> Iterator[str]:
    """Yield the files of all installed distributions that list them."""
    for name in names:
        if name.endswith(".dist-info/RECORD"):
            root = name.rpartition("/")[0].rpartition("/")[0]
            for row in csv.reader(read(name).decode(errors="replace").splitlines()):
                if row:
                    yield f"{root}/{row[0]}" if root else row[0]
