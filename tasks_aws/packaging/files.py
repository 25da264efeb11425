"""Which files go into an archive, and under which names."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from ..config.functions import Layer
from ..errors import PackageError
from .exclusion import (
    IGNORE_FILE,
    OUTPUT_FOLDER,
    exclusion_of_output,
    exclusion_of_source,
    say_left_out,
)
from .ignore_rules import IgnoreRules

# Bookkeeping of installers. It contains paths, so two machines would give two archives.
_INSTALLER_FILES = {
    "INSTALLER",
    "RECORD",
    "REQUESTED",
    "direct_url.json",
    "uv_build.json",
    "uv_cache.json",
}

# Folders on Lambda: of layers, of the function's code, and for its temporary files. An absolute
# link into one of these means the file on Lambda, whatever this machine has at that path.
_ON_LAMBDA = ("/opt/", "/var/task/", "/tmp/")  # noqa: S108

_NO_RIGHT_TO_LINK = 1314  # ERROR_PRIVILEGE_NOT_HELD

# Returns whether to ignore a name; the name of a folder ends with a slash.
IsIgnored = Callable[[str], bool]


class Entry(NamedTuple):
    """One file to archive; a light tuple, because there may be tens of thousands."""

    name: str  # in the archive: relative, with slashes, in Unicode's composed form (NFC)
    path: str  # on this machine
    link: str | None = None  # the target of a symbolic link that is kept as a link
    executable: bool = False  # whatever its mode on this machine says


class SourceFiles(NamedTuple):
    """The files of a function's sources, and the secrets that are not among them."""

    entries: list[Entry]
    names: list[str]  # relative to the sources
    secrets: list[str]  # that were left out by default


def find_source_files(function: Layer, project: Path) -> SourceFiles:
    """Return the files of a function's sources. Raises `PackageError` when there are none."""
    found: list[Entry] = []
    secrets: list[str] = []
    names: list[str] = []
    for each in function.source:
        source, folder = project / each.path, each.inside or function.folder
        if source.is_dir():
            is_excluded = exclusion_of_source(function, source, project)
            files = find_files(source, is_excluded)
            secrets += is_excluded.secrets
        elif source.is_file():
            files = [Entry(name=_compose(source.name), path=str(source))]
        elif source.exists():
            raise _not_a_file(str(source))
        else:
            raise not_found(f"{function.key}.source", str(each.path), project)
        names += [entry.name for entry in files]
        found += move_into(folder, files)
    if function.source and not found:
        raise PackageError(
            f"`{function.key}.source` ({', '.join(each.path for each in function.source)}) "
            "contains no files to package.",
            why="The folder is empty, or all of its files are ignored.",
            fix=f"Check {IGNORE_FILE} and `{function.key}.exclude`.",
        )
    return SourceFiles(found, names, secrets)


def move_into(folder: str, entries: list[Entry]) -> list[Entry]:
    """Return the entries with their names below a folder of the archive, if one is given."""
    if not folder:
        return entries
    return [entry._replace(name=f"{folder}/{entry.name}") for entry in entries]


def find_dependency_files(function: Layer, folder: Path) -> list[Entry]:
    """Return the files that an installer put into a folder, without its bookkeeping.

    Only those patterns of `exclude` apply that name a path, such as `pandas/tests/`. A plain name
    such as `data` is meant for the sources and must not remove parts of packages.
    """
    installed = find_files(folder, _exclusion_of_dependencies(function))
    return [entry for entry in installed if not _is_script(entry)]


def find_excluded_output(function: Layer, folder: Path, staged: Iterable[str]) -> list[Path]:
    """Return what is left out of all that build commands have made in the staging folder.

    `staged` are the names from before: these stay. Packages that the commands have installed are
    treated as dependencies are.
    """
    is_excluded = exclusion_of_output(function, folder)
    is_unwanted = _exclusion_of_dependencies(function)
    inside = f"{function.folder}/" if function.folder else ""
    kept = {*staged}
    kept |= find_folders(kept)
    installed = _find_installed(folder)
    installed |= find_folders(installed)
    found: list[Path] = []

    def look_into(parent: str, prefix: str) -> None:
        with os.scandir(parent) as scan:
            children = list(scan)
        for each in children:
            bare = prefix + _compose(each.name)
            is_folder = each.is_dir(follow_symlinks=False)
            name = (f"{bare}/" if is_folder else bare).removeprefix(inside)
            by_installer = bare in installed or "node_modules" in bare.split("/")
            if bare not in kept and (is_unwanted if by_installer else is_excluded)(name):
                found.append(Path(each.path))
            elif is_folder:
                look_into(each.path, f"{bare}/")

    look_into(str(folder), "")
    say_left_out(function, is_excluded.secrets)
    return found


def find_folders(names: Iterable[str]) -> set[str]:
    """Return all folders above the files of these names."""
    found: set[str] = set()
    for name in names:
        folder = name.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def find_files(root: Path, is_ignored: IsIgnored) -> list[Entry]:
    """Return the files below a folder that are not ignored, sorted by name.

    A link to a file in the tree stays a link, and so does an absolute link into a folder that
    Lambda has. Any other link is replaced by what it points to. Raises `PackageError` for a broken
    link, and for anything that is neither a file nor a folder.
    """
    return sorted(_walk(root, "", root.resolve(), is_ignored, ()), key=attrgetter("name"))


def ignore_nothing(name: str) -> bool:
    """Return false: no file is ignored."""
    return False


@contextmanager
def convert_file_errors() -> Iterator[None]:
    """Raise a `PackageError` in place of errors of the file system and of text encodings."""
    try:
        yield
    except UnicodeError as error:
        raise PackageError(
            "A file's name or content is not UTF-8.",
            why=str(error),
            fix="Rename the file, convert it to UTF-8, or leave it out with `exclude`.",
        ) from error
    except RecursionError as error:
        raise PackageError(
            "The folder tree is nested too deeply.",
            fix="Leave the folders out with `exclude`.",
        ) from error
    except OSError as error:
        raise PackageError(
            f"Cannot read or write {error.filename or 'a file'}.",
            why=error.strerror or str(error),
            fix=_fix(error),
        ) from error


def _fix(error: OSError) -> str:
    if getattr(error, "winerror", None) == _NO_RIGHT_TO_LINK:
        return "Switch on Windows's developer mode: a symbolic link needs it."
    if isinstance(error, PermissionError):
        return "Change its permissions, or leave it out with `exclude`."
    return ""


def _exclusion_of_dependencies(function: Layer) -> IsIgnored:
    paths = IgnoreRules(each for each in function.exclude if "/" in each.rstrip("/"))

    def is_ignored(name: str) -> bool:
        return _is_installer_file(name) or bool(paths.decide(name))

    return is_ignored


def _find_installed(folder: Path) -> set[str]:
    """Return the names of all files that belong to Python packages, as their installer says."""
    found: set[str] = set()
    for record in folder.rglob("*.dist-info/RECORD"):
        root = record.parents[1].relative_to(folder).as_posix()
        for line in record.read_text(encoding="utf-8").splitlines():  # name,digest,size
            name = line.rsplit(",", 2)[0].strip('"')
            found.add(posixpath.normpath(posixpath.join(root, name)))
    return found


def _walk(
    folder: Path | str, prefix: str, root: Path, is_ignored: IsIgnored, followed: tuple[Path, ...]
) -> list[Entry]:
    entries: list[Entry] = []
    with os.scandir(folder) as scan:
        children = list(scan)
    for found in children:
        name, is_link = prefix + _compose(found.name), found.is_symlink()
        is_folder = not is_link and found.is_dir()
        if is_ignored(f"{name}/" if is_folder else name):
            continue
        if is_link:
            entries += _walk_link(found, name, root, is_ignored, followed)
        elif is_folder:
            entries += _walk(found.path, f"{name}/", root, is_ignored, followed)
        elif found.is_file():
            entries.append(Entry(name, found.path))
        else:
            raise _not_a_file(found.path)
    return entries


def _walk_link(
    found: os.DirEntry[str],
    name: str,
    root: Path,
    is_ignored: IsIgnored,
    followed: tuple[Path, ...],
) -> list[Entry]:
    path = Path(found.path)
    link = path.readlink()
    try:
        resolved = path.resolve(strict=not f"{link}/".startswith(_ON_LAMBDA))
    except (OSError, RuntimeError) as error:  # Python 3.10 to 3.12: RuntimeError for a loop
        raise PackageError(
            f"{path} is a link to {link}, which does not exist.",
            fix="Leave the link out with `exclude`.",
        ) from error
    if resolved.is_relative_to(root):
        target = os.path.relpath(resolved.relative_to(root), Path(name).parent)
        return [Entry(name, found.path, link=_compose(target.replace(os.sep, "/")))]
    if f"{link}/".startswith(_ON_LAMBDA):
        return [Entry(name, found.path, link=str(link))]
    if resolved.is_file():
        return [Entry(name, str(resolved))]
    if not resolved.is_dir():
        raise _not_a_file(found.path)
    if resolved in followed or resolved.name == OUTPUT_FOLDER:
        return []  # following the link would never end, or archive our own output
    return _walk(resolved, f"{name}/", root, is_ignored, (*followed, resolved))


def not_found(key: str, path: str, project: Path, *, fix: str = "") -> PackageError:
    """Return the error for a path in the settings that does not exist."""
    return PackageError(
        f"`{key}` names {path}, which does not exist.",
        why=f"Paths are relative to {project}, the folder of tasks.py.",
        fix=fix,
    )


def _not_a_file(path: str) -> PackageError:
    return PackageError(
        f"{path} is neither a file nor a folder.",
        why="It is a pipe, a socket or a device, or a link to one.",
        fix="Leave it out with `exclude`.",
    )


def _compose(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)  # macOS decomposes


def _is_installer_file(name: str) -> bool:
    folder, _, base = name.rpartition("/")
    return (
        name == ".lock"
        or name.endswith((".pyc", "__pycache__/"))
        or (base in _INSTALLER_FILES and folder.endswith(".dist-info"))
    )


def _is_script(entry: Entry) -> bool:
    # Scripts start with the path of the Python that installed them, which Lambda lacks.
    if not entry.name.startswith("bin/"):
        return False
    with Path(entry.path).open("rb") as file:
        return file.read(2) == b"#!"
