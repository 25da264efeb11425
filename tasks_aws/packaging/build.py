"""Staging and zipping a function or a layer: the tasks `build`, `package` and `clean`.

In this folder "function" also means a layer, unless a function and a layer differ.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from ..config.functions import Function, Layer
from ..errors import PackageError
from ..process.garbage_collection import paused_collection
from ..process.locking import LONGEST_WAIT_SECONDS, file_lock, is_free
from ..text.masking import find_secrets, without_secrets
from ..ui.output import count, format_duration, say, track
from .archive import Archive, write_archive
from .atomic_file import UNFINISHED, unfinished_path
from .bootstrap import BOOTSTRAP, check_bootstrap, needs_bootstrap, with_executable_bootstrap
from .bytecode import compile_bytecode
from .conflicts import merge_entries
from .contents import Contents, contents_of_archive, contents_of_entries
from .exclusion import say_left_out
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
from .handler import check_handler
from .inclusion import check_included, names_as_in_sources
from .installs import Dependencies, install_cached
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
    kept_aws,
    lock_of_output,
    make_output_folder,
    output_folder,
)

_SHOWN_LINES = 20
_LOCK = ".lock"  # in the folder of a run


def build(function: Layer, workspace: Workspace) -> Path:
    """Stage a function in a folder, run its build commands there, and return the folder.

    The folder is replaced as a whole: a folder of that name is always complete.
    """
    with workspace.shared.run(), convert_file_errors():
        scratch = _scratch(workspace)
        entries, _ = _collect(function, workspace, scratch)
        with _lock(workspace, f"{function.stem}.zip", function):
            return _build(function, workspace, entries, scratch)


def _build(function: Layer, workspace: Workspace, entries: list[Entry], scratch: Path) -> Path:
    target = workspace.output / function.stem
    unfinished = unfinished_path(scratch)
    unfinished.mkdir()
    with track("build", function.label) as done:
        _copy(entries, unfinished)
        done.result = count(len(entries), "file")
        if function.build:
            _run_commands(function, unfinished, workspace)
            staged = (entry.name for entry in entries)
            for path in find_excluded_output(function, unfinished, staged):
                _delete(path)
            done.result += f", {count(len(function.build), 'command')}"
            names = (entry.name for entry in find_files(unfinished, ignore_nothing))
            check_included(function, names_as_in_sources(function, names), workspace.shared)
    if function.bytecode:
        # The compiler uses all processors.
        with workspace.shared.one_by_one("bytecode"), track("compile", function.label):
            compile_bytecode(function, unfinished, workspace.environ)
    _remove(target, scratch)
    unfinished.rename(target)
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
            with workspace.shared.run(), convert_file_errors():
                _scratch(workspace)  # the output folder is there, and not removed meanwhile
                contents = contents_of_archive(archive)
                write_report(function, workspace.output, archive, contents, layers)
    else:
        with workspace.shared.run(), convert_file_errors(), paused_collection():
            scratch = _scratch(workspace)
            entries, folders = _collect(function, workspace, scratch)
            with _lock(workspace, f"{function.stem}.zip", function):
                archive = _package(
                    function, workspace, layers, entries, folders, scratch, report=report
                )
    check_size(function.label, archive)
    return archive


def _package(
    function: Layer,
    workspace: Workspace,
    layers: Sequence[Archive],
    entries: list[Entry],
    folders: Sequence[Path],
    scratch: Path,
    *,
    report: bool,
) -> Archive:
    inside = tuple(f"{folder}{os.sep}" for folder in folders)
    installed = {entry.name for entry in entries if entry.path.startswith(inside)}
    copied: Set[str] = installed  # by the archives of other functions with these dependencies
    if function.build or function.bytecode:
        entries = find_files(_build(function, workspace, entries, scratch), ignore_nothing)
        copied = set()
    with track("zip", function.label) as done:
        if isinstance(function, Function):
            entries = with_executable_bootstrap(function, entries)
        contents = contents_of_entries(entries, installed)
        if isinstance(function, Function):
            check_handler(function, contents, _contents(layers), workspace.project)
            check_bootstrap(function, {entry.name: entry.path for entry in entries})
        target = workspace.output / f"{function.stem}.zip"
        previous = read_previous(target) if report else None
        archive = write_archive(target, entries, workspace.shared, copied)
        done.result = summarize(archive)
    if report:
        write_report(function, workspace.output, archive, contents, layers, previous)
    return archive


def clean(
    functions: list[Function], project: Path, *, everything: bool, dry: bool = False
) -> list[Path]:
    """Remove the functions' build output, or all of it; return what was, or would be, removed."""
    output = output_folder(project)
    suffixes = ("", ".zip", ".index", REPORT_SUFFIX)
    built = [output / f"{function.stem}{suffix}" for function in functions for suffix in suffixes]
    with convert_file_errors():
        for each in functions:
            built += sorted(output.glob(f"{each.name}@*"))  # its variants
        gone = [path for path in ([output] if everything else built) if os.path.lexists(path)]
        if dry:
            return gone
        if everything and output.is_symlink():
            output.unlink()
        elif gone:
            check_output_folder(output)
            with _nobody_at_work(output):
                kept = kept_aws(output)
                ours = (MARK, lock_of_output(output).name, *([kept.name] if kept else []))
                children = [path for path in output.iterdir() if path.name not in ours]
                for path in children if everything else gone:
                    _remove(path, output)
                if everything and not kept:
                    shutil.rmtree(output, ignore_errors=True)
    return gone


def _remove(path: Path, scratch: Path) -> None:
    """Remove a file or folder. A folder is renamed first: interrupted, it never looks complete."""
    if _is_folder(path):
        path = path.rename(unfinished_path(scratch))
    _delete(path)


def _delete(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _collect(
    function: Layer, workspace: Workspace, scratch: Path
) -> tuple[list[Entry], list[Path]]:
    """Return all entries of an archive, and the folders of the dependencies that it contains."""
    with _lock_sources(workspace, function):
        sources = find_source_files(function, workspace.project)
    say_left_out(function, sources.secrets)
    if not function.build:
        check_included(function, sources.names, workspace.shared)
    entries, folders = sources.entries, []
    for find_dependencies in (find_python_dependencies, find_node_dependencies):
        if dependencies := find_dependencies(function, workspace):
            with track("install", function.label) as done:
                folder, cached = _install(dependencies, function, workspace, scratch)
                done.result = dependencies.description + (", cached" if cached else "")
            entries += move_into(function.folder, find_dependency_files(function, folder))
            folders.append(folder)
    return merge_entries(entries), folders


def _install(
    dependencies: Dependencies, function: Layer, workspace: Workspace, scratch: Path
) -> tuple[Path, bool]:
    """Install dependencies once for all functions of the run, or for later runs as well."""
    cache = workspace.dependency_cache if dependencies.reusable else scratch
    lock: AbstractContextManager[object] = nullcontext()
    with workspace.shared.one_first(dependencies.digest):
        if not (cache / dependencies.digest).is_dir():
            lock = (
                _lock(workspace, dependencies.digest, function)
                if dependencies.reusable
                else _lock_sources(workspace, function)
            )
        with lock:
            return install_cached(dependencies, cache, scratch)


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


def _scratch(workspace: Workspace) -> Path:
    """Return the run's folder for what is not finished yet; it is removed with the end of the run.

    What killed runs have left is removed first.
    """
    shared = workspace.shared
    with shared.one_by_one("scratch"):
        if not shared.scratch:
            make_output_folder(workspace.output)
            with _file_lock(lock_of_output(workspace.output)) as locked:
                make_output_folder(workspace.output)  # `clean` may just have removed it
                workspace.locks.mkdir(exist_ok=True)
                for left in _find_unfinished(workspace.output) if locked else ():
                    if is_free(left / _LOCK):
                        shutil.rmtree(left, ignore_errors=True)
                scratch = unfinished_path(workspace.output)
                scratch.mkdir()
                shared.at_end.callback(shutil.rmtree, scratch, ignore_errors=True)
                shared.at_end.enter_context(_file_lock(scratch / _LOCK))
                shared.scratch = scratch
        return shared.scratch


@contextmanager
def _nobody_at_work(output: Path) -> Iterator[None]:
    """Wait until no process uses the output folder, and let none begin."""
    lock = lock_of_output(output)
    with nullcontext() if lock.is_symlink() else _file_lock(lock):
        for left in _find_unfinished(output):
            with _file_lock(left / _LOCK):
                pass
        yield


def _find_unfinished(output: Path) -> list[Path]:
    """Return the folders of runs that are under way or were killed."""
    return [path for path in output.glob(f"{UNFINISHED}*") if _is_folder(path)]


def _lock(workspace: Workspace, name: str, function: Layer) -> AbstractContextManager[bool]:
    """Hold the lock on an archive, or on installed dependencies."""
    return _file_lock(workspace.locks / f"{name}.lock", f", before {function.label}")


@contextmanager
def _lock_sources(workspace: Workspace, function: Layer) -> Iterator[None]:
    """Hold the lock on the project's own files.

    Building a package of the project leaves files in it for a while, which no other function may
    take for sources.
    """
    with workspace.shared.one_by_one("sources"), _lock(workspace, "sources", function):
        yield


def _file_lock(path: Path, before: str = "") -> AbstractContextManager[bool]:
    return file_lock(
        path,
        waiting=lambda: say("waiting", f"for another build{before}"),
        too_long=lambda: PackageError(
            "Another build in this project has been running for more than "
            f"{format_duration(LONGEST_WAIT_SECONDS)}.",
            fix="Wait until it has finished, or stop it, then try again.",
        ),
    )


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
        "TASKS_AWS_FUNCTION": function.name,
        "TASKS_AWS_PROJECT": str(project),
        "TASKS_AWS_RUNTIME": function.runtime,
        "TASKS_AWS_ARCHITECTURE": function.architectures[0],
    }
