"""Where things are built, and what the programs that build them see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from .files import OUTPUT_FOLDER


class RunCommand(Protocol):
    """Runs one build command through the shell; raises when the command fails."""

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

    @property
    def output(self) -> Path:
        """Return the folder of all build output."""
        return output_folder(self.project)

    @property
    def dependency_cache(self) -> Path:
        """Return the folder of installed dependencies."""
        return self.output / ".dependencies"


def output_folder(project: Path) -> Path:
    """Return the folder of all build output of a project."""
    return project / OUTPUT_FOLDER
