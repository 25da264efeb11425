"""The search for garbage is paused while we work; what exists is spared it at the end."""

from __future__ import annotations

import gc
import subprocess
import sys

from tasks_aws.process.garbage_collection import paused_collection
from tests.strict_sts import Role
from tests.support import Project

TASKS = """
import atexit, gc
from invoke import task
from tasks_aws import *

spared = lambda: print("spared", gc.get_freeze_count(), len(gc.get_objects()))
atexit.register(spared)

@task
def show(c): spared()

@task
def again(c):
    loops = [[] for _ in range(50_000)]
    for each in loops:
        each.append(each)
    assume(c, fresh=True)
"""
SCRIPT = """
import gc
from invoke.context import Context
from tasks_aws import sessions
sessions(Context())
print(gc.get_freeze_count())
"""


def counts(project: Project, *words: str) -> list[tuple[int, int]]:
    """Return how many objects were spared, and how many were not, whenever that was printed."""
    project.tasks(TASKS)
    lines = map(str.split, project.run(*words).out.splitlines())
    return [(int(line[1]), int(line[2])) for line in lines if line[:1] == ["spared"]]


def test_it_is_paused_only_for_a_while() -> None:
    with paused_collection():
        assert not gc.isenabled()

    assert gc.isenabled()


def test_what_a_task_has_loaded_is_not_searched_when_the_command_line_ends(
    project: Project, role: Role
) -> None:
    (before, _), (spared, searched) = counts(project, "show", "assume")

    assert before == 0
    assert spared > 10 * searched


def test_what_the_same_task_leaves_later_is_searched(project: Project, role: Role) -> None:
    (spared, _), (at_the_end, searched) = counts(project, "assume", "show", "again")

    assert at_the_end <= spared
    assert searched > 50_000


def test_nothing_is_spared_in_a_script(project: Project) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=project.folder,
        env=project.environ,
        check=True,
        capture_output=True,
        text=True,
    )

    assert ended.stdout == "0\n"
