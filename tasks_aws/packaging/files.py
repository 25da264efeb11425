"""Which files of a folder go into an archive, and under which names."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fnmatch import translate
from pathlib import Path
from typing import NamedTuple

from pathspec import GitIgnoreSpec

from ..config.functions import Layer
from ..errors import PackageError

IGNORE_FILE = ".lambdaignore"
OUTPUT_FOLDER = ".tasks_aws"

# What nobody wants in an archive: secrets, other people's bookkeeping, and our own output.
# A pattern under `include` brings one back, but for our output, which would grow with each archive
# of itself. Names of one part: an expression of our own knows them ten times as fast as
# gitignore's rules would, and most functions have no rules but these.
_LEFT_OUT = (
    ".DS_Store",
    ".env*",
    ".git",
    ".hg",
    ".lambdaignore",
    ".mypy_cache",
    ".npmrc",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    OUTPUT_FOLDER,
    ".tox",
    ".venv",
    "*.pem",
    "*.pyc",
    "__pycache__",
    "venv",
)
_left_out = re.compile("|".join(map(translate, _LEFT_OUT))).match

# To git several asterisks are one, unless two are a whole part of a path. Pathspec's expressions
# for them never end with a long name, so they are given one.
_asterisks = re.compile(r"(?P<kept>\\.|(?:^!?|(?<=/))\*\*(?=/|\s*$))|\*{2,}")

# What installers leave behind: it names the machine, so two machines would give two archives.
_INSTALLER_NOISE = {
    "INSTALLER",
    "RECORD",
    "REQUESTED",
    "direct_url.json",
    "uv_build.json",
    "uv_cache.json",
}

# Where the files of layers, of the archive itself and of the running function are on Lambda: an
# absolute link that leads there means Lambda's file, whatever this machine has in that place.
_ON_LAMBDA = ("/opt/", "/var/task/", "/tmp/")  # noqa: S108

# Tells of a name, with a slash at the end if it is a folder's, whether to leave it out.
Ignored = Callable[[str], bool]


class Entry(NamedTuple):
    """One file of an archive; a tuple with a plain path, since there may be very many."""

    name: str  # in the archive: relative, with slashes, in Unicode's composed form
    path: str  # on this machine
    link: str | None = None  # what a symbolic link that stays one points to


def source_files(function: Layer, project: Path) -> list[Entry]:
    """Return the files of a function's sources. Raises `PackageError` when there are none."""
    with file_errors():
        return _source_files(function, project)


def _source_files(function: Layer, project: Path) -> list[Entry]:
    found: list[Entry] = []
    for each in function.source:
        source, folder = project / each.path, each.inside or function.folder
        if source.is_dir():
            found += inside(folder, files_in(source, _ignored(function, source, project)))
        elif source.is_file():
            found += inside(folder, [Entry(name=_composed(source.name), path=str(source))])
        elif source.exists():
            raise _no_file(str(source))
        else:
            raise PackageError(
                f"`{function.key}.source` names {each.path}, which does not exist.",
                why=f"It is looked for in {project}, the folder of tasks.py.",
                fix="Correct the path.",
            )
    if not found:
        raise PackageError(
            f"`{function.key}.source` ({', '.join(each.path for each in function.source)}) "
            "has no file to package.",
            why="The folder is empty, or ignore patterns leave everything out.",
            fix=f"Check the folder, {IGNORE_FILE} and `{function.key}.exclude`.",
        )
    return found


def inside(folder: str, entries: list[Entry]) -> list[Entry]:
    """Return the entries, moved into a folder of the archive, if one is named."""
    if not folder:
        return entries
    return [entry._replace(name=f"{folder}/{entry.name}") for entry in entries]


def dependency_files(function: Layer, folder: Path) -> list[Entry]:
    """Return the files that an installer put into a folder, without its bookkeeping.

    Of `exclude` the patterns count that name a path (`pandas/tests/`): one that names files of
    the source wherever they are (`data`) must not tear holes into packages.
    """
    paths = [pattern for pattern in function.exclude if "/" in pattern.rstrip("/")]
    spec = _spec(paths, f"`{function.key}.exclude`")

    def ignored(name: str) -> bool:
        return _is_installer_noise(name) or spec.match_file(name)

    installed = files_in(folder, ignored if paths else _is_installer_noise)
    return [entry for entry in installed if not _is_script(entry)]


def files_in(root: Path, ignored: Ignored) -> list[Entry]:
    """Return the files below a folder, sorted, but for those that are to be left out.

    A link that points inside the tree stays a link, and so does an absolute one to where Lambda
    has files; what any other points to is taken in its place. Raises `PackageError` for a broken
    link and for what is no file.
    """
    return sorted(_walk(root, "", root.resolve(), ignored, ()), key=_name)


@contextmanager
def file_errors() -> Iterator[None]:
    """Turn what the file system refuses, and names and texts that are not UTF-8, into sentences.

    Raises `PackageError`.
    """
    try:
        yield
    except UnicodeError as error:
        raise PackageError(
            "A file's name or content is not UTF-8.", why=str(error), fix="Rename or convert it."
        ) from error
    except RecursionError as error:
        raise PackageError(
            "There are folders in folders in folders, hundreds deep.",
            fix="Leave them out with `exclude`.",
        ) from error
    except OSError as error:
        raise PackageError(
            f"{error.filename or 'A file'} cannot be read or written.",
            why=error.strerror or str(error),
            fix="Correct its permissions, or leave it out with `exclude`.",
        ) from error


def _ignored(function: Layer, source: Path, project: Path) -> Ignored:
    """Return the rules for a source: its own, and the project's with paths from there."""
    patterns = [*_lines(source / IGNORE_FILE), *function.exclude]
    if function.language == "nodejs" and function.requirements != "none":
        patterns.append("/node_modules/")  # installed anew, for Lambda
    patterns += [f"!{pattern}" for pattern in function.include]
    if any(pattern.startswith("!") for pattern in patterns):
        patterns = [*_LEFT_OUT, *patterns]  # git's rules decide which of them it brings back
    own = _spec(patterns, f"`{function.key}.exclude`, `include` and {IGNORE_FILE}")
    above = None
    if source != project and source.is_relative_to(project):
        above = _spec(_lines(project / IGNORE_FILE), f"{project / IGNORE_FILE}")
        prefix = f"{source.relative_to(project).as_posix()}/"

    def ignored(name: str) -> bool:
        decided = own.check_file(name).include if patterns else None
        if decided is None:
            return _is_left_out(name) or (above is not None and above.match_file(prefix + name))
        return decided or _last_part(name) == OUTPUT_FOLDER

    return ignored


def _is_left_out(name: str) -> bool:
    return _left_out(_last_part(name)) is not None


def _last_part(name: str) -> str:
    return name.rstrip("/").rpartition("/")[2]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _spec(patterns: list[str], where: str) -> GitIgnoreSpec:
    try:
        lines = (_asterisks.sub(lambda found: found["kept"] or "*", each) for each in patterns)
        return GitIgnoreSpec.from_lines(lines)
    except ValueError as error:
        raise PackageError(
            f"A pattern of {where} is none that git knows.", why=str(error), fix="Correct it."
        ) from error


def _walk(
    folder: Path | str, prefix: str, root: Path, ignored: Ignored, followed: tuple[Path, ...]
) -> list[Entry]:
    entries: list[Entry] = []
    with os.scandir(folder) as scan:
        inside = list(scan)
    for found in inside:
        name, is_link = prefix + _composed(found.name), found.is_symlink()
        is_folder = not is_link and found.is_dir()
        if ignored(f"{name}/" if is_folder else name):
            continue
        if is_link:
            entries += _walk_link(found, name, root, ignored, followed)
        elif is_folder:
            entries += _walk(found.path, f"{name}/", root, ignored, followed)
        elif found.is_file():
            entries.append(Entry(name, found.path))
        else:
            raise _no_file(found.path)
    return entries


def _walk_link(
    found: os.DirEntry[str], name: str, root: Path, ignored: Ignored, followed: tuple[Path, ...]
) -> list[Entry]:
    path = Path(found.path)
    link = path.readlink()
    try:
        resolved = path.resolve(strict=not f"{link}/".startswith(_ON_LAMBDA))
    except (OSError, RuntimeError) as error:  # Python 3.10 to 3.12: RuntimeError for a circle
        raise PackageError(
            f"{path} is a link to {link}, which does not exist.",
            fix="Correct the link, or leave it out with `exclude`.",
        ) from error
    if resolved.is_relative_to(root):
        target = os.path.relpath(resolved.relative_to(root), Path(name).parent)
        return [Entry(name, found.path, link=_composed(target.replace(os.sep, "/")))]
    if f"{link}/".startswith(_ON_LAMBDA):
        return [Entry(name, found.path, link=str(link))]
    if resolved.is_file():
        return [Entry(name, str(resolved))]
    if not resolved.is_dir():
        raise _no_file(found.path)
    if resolved in followed or resolved.name == OUTPUT_FOLDER:
        return []  # a link to a folder that holds the link, or that the archive is in, has no end
    return _walk(resolved, f"{name}/", root, ignored, (*followed, resolved))


def _no_file(path: str) -> PackageError:
    return PackageError(
        f"{path} is neither a file nor a folder.",
        why="It is a pipe, a socket or a device, or a link to one.",
        fix="Leave it out with `exclude`.",
    )


def _composed(name: str) -> str:
    if name.isascii():
        return name
    return unicodedata.normalize("NFC", name)  # macOS hands out decomposed names


def _is_installer_noise(name: str) -> bool:
    folder, _, base = name.rpartition("/")
    return (
        name == ".lock"
        or name.endswith((".pyc", "__pycache__/"))
        or (base in _INSTALLER_NOISE and folder.endswith(".dist-info"))
    )


def everything(name: str) -> bool:
    """Leave nothing out."""
    return False


def _name(entry: Entry) -> str:
    return entry.name


def _is_script(entry: Entry) -> bool:
    # Scripts start with the path of the Python that installed them, which Lambda does not have.
    if not entry.name.startswith("bin/"):
        return False
    with Path(entry.path).open("rb") as file:
        return file.read(2) == b"#!"
