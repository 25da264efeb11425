"""Staging a function or a layer and zipping it: what `build`, `package` and `clean` do.

What is said of functions here holds for layers, too, unless one is told from the other.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from ..collector import without_collector
from ..config.functions import Function, Layer
from ..errors import PackageError
from ..locking import file_lock
from ..ui.output import say, track
from . import limits
from .archive import Archive, write
from .atomic_file import UNFINISHED
from .bytecode import compile_bytecode
from .conflicts import merged
from .files import (
    OUTPUT_FOLDER,
    Entry,
    dependency_files,
    everything,
    file_errors,
    files_in,
    inside,
    source_files,
)
from .handler import check_handler
from .installs import installed
from .node_dependencies import node_dependencies
from .prebuilt import read_prebuilt
from .python_dependencies import python_dependencies

# Runs one of a function's build commands in a folder, with these variables more.
RunCommand = Callable[[str, Path, dict[str, str]], None]


def output_folder(project: Path) -> Path:
    """Return the folder of everything that is built."""
    return project / OUTPUT_FOLDER


def build(function: Layer, project: Path, run: RunCommand) -> Path:
    """Stage a function in a folder, run its build commands there, and return the folder.

    The folder is replaced as a whole: one that looks finished is finished.
    """
    with file_errors(), _lock(function, project):
        return _build(function, project, run)


def _build(function: Layer, project: Path, run: RunCommand) -> Path:
    entries = _collect(function, project)
    target = output_folder(project) / function.stem
    unfinished = Path(mkdtemp(dir=target.parent, prefix=UNFINISHED))
    try:
        with track("build", function.label) as done:
            _copy(entries, unfinished)
            done.result = f"{len(entries)} files"
        for command in function.build:
            run(command, unfinished, _variables(function, project))
        if function.bytecode:
            with track("compile", function.label):
                compile_bytecode(function, unfinished)
        _remove(target)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def package(function: Layer, project: Path, run: RunCommand) -> Archive:
    """Zip a function's sources and dependencies; return the archive. Raises `PackageError`.

    Without build commands and bytecode they are taken from where they are: staging them first
    would double the time, and make every file look new.
    """
    if function.archive:
        return _prebuilt(function, project)
    with file_errors(), _lock(function, project), without_collector():
        return _package(function, project, run)


def _package(function: Layer, project: Path, run: RunCommand) -> Archive:
    if function.build or function.bytecode:
        entries = files_in(_build(function, project, run), everything)
    else:
        entries = _collect(function, project)
    with track("zip", function.label) as done:
        if isinstance(function, Function):
            check_handler(function, {entry.name: entry.path for entry in entries})
        archive = write(output_folder(project) / f"{function.stem}.zip", entries)
        done.result = limits.summary(archive)
    limits.check(function.label, archive)
    return archive


def clean(functions: list[Function], project: Path, *, everything: bool) -> list[Path]:
    """Remove what was built for the functions, or everything that was built; return what went."""
    output = output_folder(project)
    suffixes = ("", ".zip", ".index")
    built = [output / f"{function.stem}{suffix}" for function in functions for suffix in suffixes]
    with file_errors():
        gone = [path for path in ([output] if everything else built) if os.path.lexists(path)]
        inside = list(output.iterdir()) if gone == [output] and not output.is_symlink() else []
        for path in inside or gone:
            _remove(path)
        if inside:
            shutil.rmtree(output, ignore_errors=True)
    return gone


def _remove(path: Path) -> None:
    """Remove a file, or a folder: if that is cut short, no part of it keeps its name."""
    if _is_folder(path):
        path = path.rename(mkdtemp(dir=path.parent, prefix=UNFINISHED))
    _delete(path)


def _delete(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _collect(function: Layer, project: Path) -> list[Entry]:
    """Return everything that belongs into a function's archive, its dependencies installed."""
    entries = source_files(function, project)
    for find in (python_dependencies, node_dependencies):
        if dependencies := find(function, project):
            with track("install", function.label) as done:
                folder, cached = installed(dependencies, _dependency_cache(project))
                done.result = dependencies.described + (", cached" if cached else "")
            entries += inside(function.folder, dependency_files(function, folder))
    return merged(entries)


def _prebuilt(function: Layer, project: Path) -> Archive:
    path = project / str(function.archive)
    with file_errors():
        there = path.is_file()
    if not there:
        raise PackageError(
            f"`{function.key}.archive` names {function.archive}, which does not exist.",
            why=f"It is looked for in {project}, the folder of tasks.py.",
            fix="Build it first, or correct the path.",
        )
    with track("read", function.label) as done:
        archive = read_prebuilt(path)
        if isinstance(function, Function):
            check_handler(function, dict.fromkeys(name for name, _ in archive.sizes))
        done.result = limits.summary(archive)
    limits.check(function.label, archive)
    return archive


def _make_output_folder(project: Path) -> Path:
    """Make the folder of everything that is built.

    Raises `PackageError` if it is a link, or holds one in place of a folder or file of ours: what
    is built would overwrite what others have elsewhere.
    """
    output = output_folder(project)
    output.mkdir(exist_ok=True)
    for path in (output, *(output / name for name in (".gitignore", ".lock", ".dependencies"))):
        if path.is_symlink():
            raise PackageError(
                f"{path} is a link, and what is built must stay in its folder.",
                why="It leads elsewhere, where files of others could be overwritten.",
                fix="Remove it.",
            )
    (output / ".gitignore").write_text("*\n")
    return output


def _dependency_cache(project: Path) -> Path:
    return output_folder(project) / ".dependencies"


@contextmanager
def _lock(function: Layer, project: Path) -> Iterator[None]:
    """Hold the lock of everything that is built in a project: there is one dependency cache.

    What a build has left that was killed is removed.
    """
    with file_lock(
        _make_output_folder(project) / ".lock",
        waiting=lambda: say("waiting", f"for another build, before {function.label}"),
        too_long=lambda: PackageError(
            "Another build in this project has been running for ten minutes.",
            fix="Let it end, or end it; then run this again.",
        ),
    ) as held:
        if held:  # so nobody else is at work on these
            for folder in (output_folder(project), _dependency_cache(project)):
                for left in folder.glob(f"{UNFINISHED}*"):
                    _delete(left)
        yield


def _copy(entries: list[Entry], folder: Path) -> None:
    for entry in entries:
        path = folder / entry.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.link is not None:
            path.symlink_to(entry.link)
        else:
            shutil.copy(entry.path, path)


def _variables(function: Layer, project: Path) -> dict[str, str]:
    return {
        "TASKS_AWS_FUNCTION": function.name,
        "TASKS_AWS_PROJECT": str(project),
        "TASKS_AWS_RUNTIME": function.runtime,
        "TASKS_AWS_ARCHITECTURE": function.architectures[0],
    }
