"""Where things are built, and what the programs that build them see."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..errors import PackageError
from .exclusion import OUTPUT_FOLDER
from .shared import Shared

MARK = ".gitignore"  # what it says tells our output from a folder of the user's

_LOCK, _LOCKS, _DEPENDENCIES = ".lock", ".locks", ".dependencies"

# The embedded AWS that `local --keep` keeps, and the file that is there as long as it is kept.
KEPT_AWS, KEPT_AWS_STATE = "local", "server.json"

_TEXT = b"# Build output of tasks-aws, which `invoke clean` removes.\n*\n"


class CommandFailedError(Exception):
    """A build command failed; `reason` completes "The command …", `output` is what it printed."""

    def __init__(self, reason: str, output: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.output = output


class RunCommand(Protocol):
    """Runs one build command through the shell. Raises `CommandFailedError`."""

    def __call__(self, command: str, *, folder: Path, environ: Mapping[str, str]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workspace:
    """A project, and the whole environment of the programs that build it.

    Build commands and installers run other people's code. They get `environ`, never this
    process's own environment, in which there may be an assumed session.
    """

    project: Path  # the folder of tasks.py
    environ: Mapping[str, str] = field(repr=False)  # may contain the user's own keys
    run: RunCommand = field(repr=False)
    shared: Shared = field(default_factory=Shared, repr=False)

    @property
    def output(self) -> Path:
        """Return the folder of all build output."""
        return output_folder(self.project)

    @property
    def dependency_cache(self) -> Path:
        """Return the folder of installed dependencies."""
        return self.output / _DEPENDENCIES

    @property
    def locks(self) -> Path:
        """Return the folder of the files that are locked while something is made."""
        return self.output / _LOCKS


def lock_of_output(output: Path) -> Path:
    """Return the file that is locked while a run starts, and while output is removed."""
    return output / _LOCK


def output_folder(project: Path) -> Path:
    """Return the folder of all build output of a project."""
    return project / OUTPUT_FOLDER


def kept_aws(output: Path) -> Path | None:
    """Return the folder of an embedded AWS that is kept: what `clean` leaves alone."""
    folder = output / KEPT_AWS
    return folder if (folder / KEPT_AWS_STATE).exists() else None


def make_output_folder(output: Path) -> None:
    """Create the folder of all build output.

    Raises `PackageError` if it is not ours, or if it or anything of ours in it is a link: building
    would overwrite files elsewhere.
    """
    for name in ("", MARK, _LOCK, _LOCKS, _DEPENDENCIES):
        _refuse_link(output / name)
    _refuse_file(output)
    try:
        output.mkdir(exist_ok=True)
        if not _is_marked(output):
            # Not truncated: a build that starts meanwhile finds the mark, or a part of it.
            with open(os.open(output / MARK, os.O_WRONLY | os.O_CREAT, 0o666), "wb") as file:  # noqa: PTH123
                file.write(_TEXT)
    except OSError as error:
        raise PackageError(
            f"Cannot write to {output}, the folder of all output.",
            why=error.strerror or str(error),
            fix="Let this user write to the folder of tasks.py."
            if isinstance(error, PermissionError)
            else "",
        ) from error


def check_output_folder(folder: Path) -> None:
    """Raise `PackageError` if what is in the folder of all build output is not ours to remove."""
    for path in (folder, folder / MARK):
        _refuse_link(path)
    _refuse_file(folder)
    _is_marked(folder)


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise PackageError(
            f"{path} is a link.",
            why="Build output would overwrite the files that it points to.",
            fix="Remove the link.",
        )


def _refuse_file(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise PackageError(
            f"{path} is not a folder.",
            why="The folder of all output has this name.",
            fix="Rename or remove it.",
        )


def _is_marked(folder: Path) -> bool:
    """Return whether our mark is complete: a killed build may have written none, or a part."""
    names = {path.name for path in folder.iterdir()}  # first: the mark is written before others
    text = (folder / MARK).read_bytes() if MARK in names else b""
    begun = names <= {MARK, _LOCK, _LOCKS, _DEPENDENCIES} and _TEXT.startswith(text)
    if text != _TEXT and not begun:
        raise PackageError(
            f"{folder} was not made by tasks-aws.",
            why=f"It contains files, but not the {MARK} that marks build output.",
            fix="Move it away, or remove it.",
        )
    return text == _TEXT
