"""Bytecode that Lambda takes, the same on every machine."""

from __future__ import annotations

import importlib.util
import os
import sys
import zipfile
from pathlib import Path

from tests.packaging.support import RUNTIME, function, names
from tests.support import Project

COMPILED = f"__pycache__/app.{sys.implementation.cache_tag}.pyc"


def test_bytecode_is_that_of_the_runtime_and_the_same_everywhere(
    project: Project, tmp_path: Path
) -> None:
    archive = function(project, Runtime=RUNTIME, bytecode=True)
    project.run("package")
    first = archive.read_bytes()
    project.folder = project.folder.rename(tmp_path / "elsewhere")
    os.utime(project.folder / "src" / "app.py", (1, 1))

    project.run("clean", "package")

    archive = project.folder / ".tasks_aws" / "hello.zip"
    assert archive.read_bytes() == first
    with zipfile.ZipFile(archive) as found:
        content = found.read(COMPILED)
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert content[4:8] == b"\1\0\0\0"  # unchecked hash
    assert b"/var/task/app.py" in content
    assert str(tmp_path).encode() not in content


def test_bytecode_without_that_python_is_an_error(project: Project, tmp_path: Path) -> None:
    function(project, Runtime="python3.99", bytecode=True)

    result = project.run("package", code=1, environ={"PATH": str(tmp_path)})

    assert "Python 3.99 is not installed." in result.err


def test_bytecode_needs_no_processes_side_by_side(project: Project, tmp_path: Path) -> None:
    # Python 3.12's are reached through a socket in TMPDIR, whose path may have 107 bytes.
    long = tmp_path / ("long" * 30)
    long.mkdir()
    archive = function(project, Runtime=RUNTIME, bytecode=True)

    project.run("package", environ={"TMPDIR": str(long)})

    assert COMPILED in names(archive)


def test_a_warning_is_no_failure_whatever_file_it_names(project: Project) -> None:
    archive = function(project, Runtime=RUNTIME, bytecode=True)
    (project.folder / "src" / "Traceback.py").write_text('same = "x" is 1\n')

    project.run("package")

    assert COMPILED in names(archive)


def test_a_python_that_cannot_compile_is_an_error(project: Project, tmp_path: Path) -> None:
    function(project, Runtime="python3.99", bytecode=True)
    python = tmp_path / "python3.99"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *compileall*) printf "Traceback\\nOSError: broken\\n" >&2;; '
        "*) echo 3.99;; esac\n"
    )
    python.chmod(0o755)

    result = project.run("package", code=1, environ={"PATH": f"{tmp_path}:/usr/bin:/bin"})

    assert f"{python} could not compile hello." in result.err
    assert "why: OSError: broken" in result.err
