"""What is packaged: real packages from the registries, installed once."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from os import DirEntry, scandir
from pathlib import Path
from tempfile import TemporaryDirectory

from tasks_aws.config.function_parsers import Source
from tasks_aws.config.functions import Function
from tasks_aws.packaging.installs import Dependencies
from tasks_aws.packaging.python.dependencies import find_python_dependencies
from tasks_aws.packaging.workspace import Workspace

# fmt: off
BIG = [
    "boto3", "cryptography", "lxml", "numpy", "orjson", "pandas", "pillow", "psycopg2-binary",
    "pydantic", "requests", "sqlalchemy",
]
NODE = [
    "@aws-sdk/client-lambda", "@aws-sdk/client-s3", "aws-sdk", "date-fns", "express", "lodash",
    "typescript",
]
# Each is what one function requires.
DIFFERENT = [
    "anyio", "attrs", "certifi", "click", "flask", "httpx", "idna", "jinja2", "jmespath",
    "markupsafe", "packaging", "python-dateutil", "pyyaml", "requests", "rich", "six", "tabulate",
    "typer", "urllib3", "werkzeug",
]
# fmt: on
SMALL = ["requests"]
SHARED = ["numpy", "pandas"]
HANDLER = "handler.py"


def python_tree(folder: Path, packages: list[str]) -> Path:
    """Return a folder with packages for Python 3.13 on Lambda, beside a handler."""
    return _once(folder, lambda target: dependencies(folder, packages, os.environ).install(target))


def dependencies(folder: Path, packages: list[str], environ: Mapping[str, str]) -> Dependencies:
    """Return packages as the dependencies of a function."""
    project = folder.with_suffix(".project")
    project.mkdir(parents=True, exist_ok=True)
    (project / "requirements.txt").write_text("\n".join(packages) + "\n")
    function = Function(
        name="bench",
        key="aws.functions.bench",
        source=(Source(path="."),),
        parameters={"Runtime": "python3.13"},
    )
    workspace = Workspace(project=project, environ=environ, run=no_command)
    found = find_python_dependencies(function, workspace)
    assert found
    return found


def no_command(command: str, *, folder: Path, environ: Mapping[str, str]) -> None:
    """Run nothing: these functions have no build commands."""


def node_tree(folder: Path) -> Path:
    """Return a folder with a large `node_modules`, beside a handler."""
    words = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *NODE]
    return _once(folder, lambda target: subprocess.run(words, cwd=target, check=True))


def change(tree: Path, text: str) -> None:
    """Change one line of a tree."""
    (tree / HANDLER).write_text(f"def handler(event, context):\n    return {text!r}\n")


def files(folder: Path) -> Iterator[DirEntry[str]]:
    """Yield all files, as fast as Python can."""
    with scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from files(Path(entry.path))
            elif entry.is_file():
                yield entry


def _once(folder: Path, install: Callable[[Path], object]) -> Path:
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent) as temporary:
            unfinished = Path(temporary) / "tree"
            unfinished.mkdir()
            install(unfinished)
            change(unfinished, "new")
            unfinished.rename(folder)
    return folder
