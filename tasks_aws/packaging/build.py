"""Staging a function and zipping it: what the tasks `build`, `package` and `clean` do."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path
from tempfile import mkdtemp

from ..errors import PackageError
from ..output import size, step
from ..settings import Function
from .archive import Archive, write
from .dependencies import install, platform_of, requirements_of
from .select import Entry, dependency_files, source_files, without_collisions


def output_folder(project: Path) -> Path:
    """Return the folder of everything that is built."""
    return project / ".tasks_aws"


def build(function: Function, project: Path) -> Path:
    """Stage the sources and dependencies of a function in a folder, and return it.

    The folder is replaced as a whole: one that looks finished is finished.
    """
    entries = collect(function, project)
    with step("build", function.name) as done:
        staged = _stage(entries, output_folder(project) / function.name)
        done.result = f"{len(entries)} files"
    return staged


def package(function: Function, project: Path) -> Archive:
    """Zip the sources and dependencies of a function; return the archive.

    They are taken from where they are: staging them first would double the time, and make every
    file look new. Raises `PackageError`.
    """
    entries = collect(function, project)
    with step("zip", function.name) as done:
        _check_handler(function, entries)
        archive = write(output_folder(project) / f"{function.name}.zip", entries)
        done.result = f"{size(archive.size)}, {archive.files} files"
    return archive


def collect(function: Function, project: Path) -> list[Entry]:
    """Return everything that belongs into a function's archive, its dependencies installed."""
    entries = source_files(function, project)
    requirements, platform = requirements_of(function, project), platform_of(function)
    output = _make_output_folder(project)
    if requirements and platform:
        with step("install", f"{function.name}") as done:
            folder, cached = install(requirements, platform, cache=output / "dependencies")
            done.result = f"{requirements.name} for Python {platform.python} on {platform.machine}"
            done.result += ", cached" if cached else ""
        entries += dependency_files(folder)
    return without_collisions(entries)


def clean(functions: list[Function], project: Path, *, everything: bool) -> list[Path]:
    """Remove what was built for the functions, or everything that was built; return what went."""
    output = output_folder(project)
    built = [
        output / f"{function.name}{suffix}"
        for function in functions
        for suffix in ("", ".zip", ".index")
    ]
    gone = [path for path in ([output] if everything else built) if path.exists()]
    for path in gone:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return gone


def _make_output_folder(project: Path) -> Path:
    output = output_folder(project)
    output.mkdir(exist_ok=True)
    (output / ".gitignore").write_text("*\n")
    return output


def _stage(entries: list[Entry], target: Path) -> Path:
    unfinished = Path(mkdtemp(dir=target.parent, prefix="unfinished-"))
    try:
        for entry in entries:
            path = unfinished / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            if entry.link is not None:
                path.symlink_to(entry.link)
            else:
                shutil.copy(entry.path, path)
        if target.exists():
            shutil.rmtree(target)
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _check_handler(function: Function, entries: list[Entry]) -> None:
    """Refuse an archive without the handler's module: Lambda would notice at the first call."""
    if platform_of(function) is None:
        return
    handler = str(function.parameters.get("Handler", ""))
    module = handler.rpartition(".")[0].replace(".", "/")
    candidates = {f"{module}.py", f"{module}/__init__.py", f"{module}.so"}
    found = next((entry for entry in entries if entry.name in candidates), None)
    if found is None:
        raise PackageError(
            f"`{function.key}.Handler` is {handler}, but the archive has no {module}.py.",
            why="Lambda could not start the function.",
            fix=f"Correct `Handler`, or `{function.key}.source`.",
        )
    try:
        ast.parse(found.path.read_bytes() if found.name.endswith(".py") else b"")
    except SyntaxError as error:
        raise PackageError(
            f"{found.name} is not Python that can be read: {error.msg}, line {error.lineno}.",
            why=f"It holds the handler of {function.name}.",
            fix="Correct it.",
        ) from error
