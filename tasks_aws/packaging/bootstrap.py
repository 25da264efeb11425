"""`bootstrap`, the program that an OS-only runtime (`provided`) starts."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path

from ..config.functions import Function, Layer
from ..errors import PackageError
from .files import Entry
from .natives import ELF, elf_machine

BOOTSTRAP = "bootstrap"


def needs_bootstrap(function: Layer) -> bool:
    """Return whether a function's own archive has to contain the program."""
    return (
        isinstance(function, Function)
        and function.language == "provided"
        and not function.layers
        and not function.parameters.get("Layers")  # a layer may contain it
    )


def with_executable_bootstrap(function: Function, entries: list[Entry]) -> list[Entry]:
    """Return the entries with an executable `bootstrap`: not every file system has such modes."""
    found = next((entry for entry in entries if entry.name == BOOTSTRAP), None)
    if found is None or function.language != "provided":
        return entries
    program = posixpath.normpath(found.link or BOOTSTRAP)
    return [each._replace(executable=True) if each.name == program else each for each in entries]


def check_bootstrap(function: Function, files: Mapping[str, str | None]) -> None:
    """Raise `PackageError` if the archive of a function lacks the program, or it cannot run.

    `files` maps the names in the archive to paths, or to None for a file that is only in the
    archive.
    """
    if not needs_bootstrap(function):
        return
    if BOOTSTRAP not in files:
        raise PackageError(
            f"The archive of {function.label} does not contain {BOOTSTRAP}.",
            why=f"The runtime {function.runtime} starts the program of this name at the root of "
            "the archive.",
            fix=f"Name the program {BOOTSTRAP}, or correct `{function.key}.source`.",
        )
    path = files[BOOTSTRAP]
    if path and (problem := _find_problem(Path(path), function)):
        raise PackageError(
            f"{BOOTSTRAP} of {function.label} {problem}.",
            why=f"The runtime {function.runtime} could not start it.",
            fix=f"Build it for Linux on {function.architectures[0]}, or write a script whose first "
            "line is, for example, #!/bin/sh.",
        )


def _find_problem(path: Path, function: Function) -> str:
    """Return what is wrong with a program, or an empty string."""
    with path.open("rb") as file:
        start = file.read(256)
    if start.startswith(b"#!"):
        return "has Windows line breaks" if start.partition(b"\n")[0].endswith(b"\r") else ""
    if not start.startswith(ELF):
        return "is neither a Linux program nor a script"
    machine = elf_machine(start) or "another processor"
    return "" if machine == function.architectures[0] else f"is a program for {machine}"
