"""A function to package, a tree to archive, and a look into the archive."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks_aws.packaging.archive import Archive, write_archive
from tasks_aws.packaging.files import find_files, ignore_nothing
from tests.support import Project

# That of this Python, so that it can compile for it.
RUNTIME = f"python{sys.version_info.major}.{sys.version_info.minor}"
NAMES = ("app.py", "pkg/__init__.py", "pkg/ünïcode.txt", "z/deep/er.bin")
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


def no_command(command: str, *, folder: Path, environ: Mapping[str, str]) -> None:
    """Take the place of what runs build commands, where there are none."""
    raise AssertionError(command)


def names(archive: Path) -> list[str]:
    """Return the names in an archive."""
    with zipfile.ZipFile(archive) as found:
        return found.namelist()


def text(archive: Path, name: str) -> str:
    """Return the content of a file in an archive."""
    with zipfile.ZipFile(archive) as found:
        return found.read(name).decode()


def make_zip(
    path: Path, files: Mapping[str, str], mode: int = 0o644, *, method: int = 0, system: int = 3
) -> None:
    """Write a zip as another tool would."""
    with zipfile.ZipFile(path, "w") as made:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.create_system = system
            made.writestr(info, content, compress_type=method)


def write_tree(root: Path, names: Sequence[str] = NAMES) -> Path:
    """Make a folder of files in the order given, with one script, one link, one empty file."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 500)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "empty").touch()
    (root / "link").symlink_to("run.sh")
    return root


def zip_tree(root: Path, target: Path) -> Archive:
    """Write an archive of all files in a folder."""
    return write_archive(target, find_files(root, ignore_nothing))
