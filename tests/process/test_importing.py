"""Bytecode is kept of what we import, not of the user's modules, and not against their wish."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.strict_sts import Role, StrictSts
from tests.support import Project

TASKS = """
import sys
from invoke import task
import early
from tasks_aws import *

@task
def mine(c):
    import late
    print(sys.dont_write_bytecode)
"""


@pytest.fixture
def compiled(project: Project) -> Path:
    """The folder of all bytecode, as empty as after an installation without it."""
    folder = project.folder.with_name("compiled")
    project.tasks(TASKS)
    for name in ("early", "late"):
        (project.folder / f"{name}.py").touch()
    project.environ["PYTHONPYCACHEPREFIX"] = str(folder)
    return folder


def names(folder: Path) -> set[str]:
    """Return the modules that there is bytecode of, with the folder that each is in."""
    return {f"{path.parent.name}/{path.name.split('.')[0]}" for path in folder.rglob("*.pyc")}


def test_our_modules_and_those_of_botocore_are_compiled_once(
    project: Project, sts: StrictSts, role: Role, compiled: Path
) -> None:
    first = project.run("assume", "mine")
    kept = names(compiled)

    assert first.out == "True\n"
    assert {"tasks_aws/api", "auth/sts", "botocore/client", "urllib3/connection"} <= kept
    assert not kept & {f"project/{name}" for name in ("tasks", "early", "late")}

    project.run("assume", "--fresh", "mine")

    assert names(compiled) == kept


def test_a_list_of_tasks_compiles_them_once(project: Project, compiled: Path) -> None:
    project.run("--list")

    assert "tasks/credentials" in names(compiled)


@pytest.mark.parametrize("said", ["by a variable", "by an option"])
def test_who_wants_no_bytecode_gets_none(
    project: Project, sts: StrictSts, role: Role, compiled: Path, said: str
) -> None:
    if said == "by a variable":
        project.run("assume", "mine", environ={"PYTHONDONTWRITEBYTECODE": "1"})
    else:
        words = [sys.executable, "-B", "-m", "invoke", "assume", "mine"]
        subprocess.run(words, cwd=project.folder, env=project.environ, check=True)

    assert not compiled.exists()


def test_who_wants_that_of_tasks_py_still_gets_it(
    project: Project, sts: StrictSts, role: Role, compiled: Path
) -> None:
    result = project.run("--write-pyc", "assume", "mine")

    assert result.out == "False\n"
    assert {"project/tasks", "project/late"} <= names(compiled)


THREADS = """
import os, sys
from contextlib import ExitStack
from tasks_aws.process.importing import own_imports

sys.dont_write_bytecode = True
first, second = ExitStack(), ExitStack()
first.enter_context(own_imports())
second.enter_context(own_imports())
first.close()
print(sys.dont_write_bytecode, flush=True)
pid = os.fork()
if pid == 0:
    before = sys.dont_write_bytecode
    with own_imports():
        pass
    print(before, sys.dont_write_bytecode, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
pid = os.fork()
if pid == 0:
    second.close()
    print(sys.dont_write_bytecode, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
second.close()
print(sys.dont_write_bytecode)
try:
    with own_imports():
        import nothing
except ImportError:
    print(sys.dont_write_bytecode)
"""


def test_the_last_of_several_threads_and_each_fork_end_it(project: Project) -> None:
    words = [sys.executable, "-c", THREADS]
    run = subprocess.run(words, env=project.environ, capture_output=True, text=True, check=True)

    assert sorted(run.stdout.splitlines()) == ["False", "True", "True", "True", "True True"]
