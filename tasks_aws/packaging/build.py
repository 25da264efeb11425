"""Staging and zipping a function or a layer: the tasks `build`, `package` and `clean`.

In this folder "function" also means a layer, unless a function and a layer differ.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..config.functions import Function, Layer
from ..errors import PackageError
from ..locking import LONGEST_WAIT_SECONDS, file_lock
from ..secret import find_secrets, without_secrets
from ..ui.output import count, format_duration, say, track
from .archive import Archive, write_archive
from .atomic_file import UNFINISHED, unfinished_path
from .bootstrap import BOOTSTRAP, check_bootstrap, needs_bootstrap, with_executable_bootstrap
from .bytecode import compile_bytecode
from .conflicts import merge_entries
from .contents import Contents, contents_of_archive, contents_of_entries
from .files import (
    Entry,
    convert_file_errors,
    find_dependency_files,
    find_excluded_output,
    find_files,
    find_source_files,
    ignore_nothing,
    move_into,
    not_found,
)
from .garbage_collection import paused_collection
from .handler import check_handler
from .installs import install_cached
from .limits import check_size, summarize
from .node.dependencies import find_node_dependencies
from .prebuilt import read_prebuilt
from .python.dependencies import find_python_dependencies
from .report import REPORT_SUFFIX, read_previous, write_report
from .workspace import (
    MARK,
    CommandFailedError,
    Workspace,
    check_output_folder,
    make_output_folder,
    output_folder,
)

_SHOWN_LINES = 20


def build(function: Layer, workspace: Workspace) -> Path:
    """Stage a function in a folder, run its build commands there, and return the folder.

    The folder is replaced as a whole: a folder of that name is always complete.
    """
    with convert_file_errors(), _lock(function, workspace):
        return _build(function, workspace, _collect(function, workspace))


def _build(function: Layer, workspace: Workspace, entries: list[Entry]) -> Path:
    target = workspace.output / function.stem
    unfinished = unfinished_path(target.parent)
    unfinished.mkdir()
    try:
        with track("build", function.label) as done:
            _copy(entries, unfinished)
            done.result = count(len(entries), "file")
            if function.build:
                _run_commands(function, unfinished, workspace)
                staged = (entry.name for entry in entries)
                for path in find_excluded_output(function, unfinished, staged):
                    _delete(path)
                done.result += f", {count(len(function.build), 'command')}"
        if function.bytecode:
            with track("compile", function.label):
                compile_bytecode(function, unfinished, workspace.environ)
        _remove(target)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _run_commands(function: Layer, folder: Path, workspace: Workspace) -> None:
    """Run a function's build commands in a folder. Raises `PackageError` for one that fails."""
    environ = {**workspace.environ, **_describe(function, workspace.project)}
    for command in function.build:
        try:
            workspace.run(command, folder=folder, environ=environ)
        except CommandFailedError as error:
            secrets = find_secrets(environ)
            output = without_secrets(error.output, secrets)
            lines = [_printable(line) for line in output.splitlines() if line.strip()]
            shown = " ".join(without_secrets(command, secrets).split())
            raise PackageError(
                f"The build command `{shown}` of {function.label} {error.reason}.",
                why="\n       ".join(lines[-_SHOWN_LINES:]),
                fix="To see all of its output, run the task again with `invoke --echo`."
                if len(lines) > _SHOWN_LINES
                else "",
            ) from error


def _printable(line: str) -> str:
    uncoloured = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", line)
    return "".join(filter(str.isprintable, uncoloured.expandtabs()))


def package(
    function: Layer, workspace: Workspace, layers: Sequence[Archive] = (), *, report: bool = False
) -> Archive:
    """Zip a function's sources and dependencies; return the archive. Raises `PackageError`.

    `layers` are the archives of those of a function's layers that are packaged here. With `report`,
    a page about the archive is written, also when that turns out to be too large.

    Without build commands and bytecode the files are zipped where they are. Staging them first
    would take twice as long, and every file would look new.
    """
    if function.archive:
        archive = _read_prebuilt(function, workspace.project, layers)
        if report:
            with convert_file_errors(), _lock(function, workspace):
                write_report(
                    function, workspace.output, archive, contents_of_archive(archive), layers
                )
    else:
        with convert_file_errors(), _lock(function, workspace), paused_collection():
            archive = _package(function, workspace, layers, report=report)
    check_size(function.label, archive)
    return archive


def _package(
    function: Layer, workspace: Workspace, layers: Sequence[Archive], *, report: bool
) -> Archive:
    entries = _collect(function, workspace)
    cache = f"{workspace.dependency_cache}{os.sep}"
    installed = {entry.name for entry in entries if entry.path.startswith(cache)}
    if function.build or function.bytecode:
        entries = find_files(_build(function, workspace, entries), ignore_nothing)
    with track("zip", function.label) as done:
        if isinstance(function, Function):
            entries = with_executable_bootstrap(function, entries)
        contents = contents_of_entries(entries, installed)
        if isinstance(function, Function):
            check_handler(function, contents, _contents(layers), workspace.project)
            check_bootstrap(function, {entry.name: entry.path for entry in entries})
        target = workspace.output / f"{function.stem}.zip"
        previous = read_previous(target) if report else None
        archive = write_archive(target, entries)
        done.result = summarize(archive)
    if report:
        write_report(function, workspace.output, archive, contents, layers, previous)
    return archive


def clean(functions: list[Function], project: Path, *, everything: bool) -> list[Path]:
    """Remove the functions' build output, or all of it; return what was removed."""
    output = output_folder(project)
    suffixes = ("", ".zip", ".index", REPORT_SUFFIX)
    built = [output / f"{function.stem}{suffix}" for function in functions for suffix in suffixes]
    with convert_file_errors():
        gone = [path for path in ([output] if everything else built) if os.path.lexists(path)]
        if everything and output.is_symlink():
            output.unlink()
        elif gone:
            check_output_folder(output)
            children = [path for path in output.iterdir() if path.name != MARK]
            for path in children if everything else gone:
                _remove(path)
            if everything:
                shutil.rmtree(output, ignore_errors=True)
    return gone


def _remove(path: Path) -> None:
    """Remove a file or folder. A folder is renamed first: interrupted, it never looks complete."""
    if _is_folder(path):
        path = path.rename(unfinished_path(path.parent))
    _delete(path)


def _delete(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _collect(function: Layer, workspace: Workspace) -> list[Entry]:
    """Return all entries of a function's archive, and install its dependencies for that."""
    entries = find_source_files(function, workspace.project)
    for find_dependencies in (find_python_dependencies, find_node_dependencies):
        if dependencies := find_dependencies(function, workspace):
            with track("install", function.label) as done:
                folder, cached = install_cached(dependencies, workspace.dependency_cache)
                done.result = dependencies.description + (", cached" if cached else "")
            entries += move_into(function.folder, find_dependency_files(function, folder))
    return merge_entries(entries)


def _read_prebuilt(function: Layer, project: Path, layers: Sequence[Archive]) -> Archive:
    path = project / str(function.archive)
    with convert_file_errors():
        exists = path.is_file()
    if not exists:
        raise not_found(f"{function.key}.archive", str(function.archive), project)
    with track("read", function.label) as done:
        archive = read_prebuilt(path, programs=[BOOTSTRAP] if needs_bootstrap(function) else [])
        if isinstance(function, Function):
            check_handler(function, contents_of_archive(archive), _contents(layers), project)
            check_bootstrap(function, dict.fromkeys(name for name, _ in archive.sizes))
        done.result = summarize(archive)
    return archive


def _contents(layers: Sequence[Archive]) -> list[Contents]:
    return [contents_of_archive(each) for each in layers]


@contextmanager
def _lock(function: Layer, workspace: Workspace) -> Iterator[None]:
    """Hold the lock on a project's build output: its functions share the installed dependencies.

    Removes what a killed build has left behind.
    """
    make_output_folder(workspace)
    with file_lock(
        workspace.lock,
        waiting=lambda: say("waiting", f"for another build, before {function.label}"),
        too_long=lambda: PackageError(
            "Another build in this project has been running for more than "
            f"{format_duration(LONGEST_WAIT_SECONDS)}.",
            fix="Wait until it has finished, or stop it, then try again.",
        ),
    ) as locked:
        if locked:  # no other process is using these
            for folder in (workspace.output, workspace.dependency_cache):
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


def _describe(function: Layer, project: Path) -> dict[str, str]:
    """Return the variables that tell build commands what they build."""
    return {
        "TASKS_AWS_FUNCTION": function.name.partition("@")[0],
        "TASKS_AWS_PROJECT": str(project),
        "TASKS_AWS_RUNTIME": function.runtime,
        "TASKS_AWS_ARCHITECTURE": function.architectures[0],
    }
