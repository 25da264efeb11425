"""A function to package, and a look into its archive."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path
from typing import Any

from tests.support import Project

# That of this Python, so that it can compile for it.
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
FUNCTION = {"source": "src", "Runtime": "python3.13", "Handler": "app.handler"}


def function(project: Project, *, requirements: str = "", **settings: Any) -> Path:
    """Describe a function and write its source; return where its archive will be."""
    source = project.folder / "src"
    source.mkdir(exist_ok=True)
    (source / "app.py").write_text("def handler(event, context): return event\n")
    if requirements:
        (source / "requirements.txt").write_text(requirements)
    project.settings(functions={"hello": {**FUNCTION, **settings}})
    return project.folder / ".tasks_aws" / "hello.zip"


def names(archive: Path) -> list[str]:
    """Return the names in an archive."""
    with zipfile.ZipFile(archive) as found:
        return found.namelist()


def text(archive: Path, name: str) -> str:
    """Return the content of a file in an archive."""
    with zipfile.ZipFile(archive) as found:
        return found.read(name).decode()
