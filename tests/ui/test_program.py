"""The program that runs a task is known, whichever it is, and there is none in Python."""

from __future__ import annotations

import signal
import sys
import time

import pytest

from tasks_aws.ui.program import ending_at_ctrl_c
from tests.support import Project

TASKS = """
from invoke import task
from tasks_aws.ui.program import running_program

@task
def show(c):
    program = running_program()
    print(program and [each.name for each in program.tasks])

@task(pre=[show])
def after(c): pass
"""
OTHER_PROGRAM = """
from invoke import Collection, Program
import tasks
Program(namespace=Collection.from_module(tasks)).run(["other", "after", "show"])
"""


def test_a_ctrl_c_that_python_swallows_comes_again() -> None:
    class Deleted:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)
            sum(range(100_000))

    @ending_at_ctrl_c()
    def delete() -> None:
        Deleted()  # whatever is raised in here is ignored
        time.sleep(30)

    before = sys.unraisablehook
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        delete()

    assert time.monotonic() < began + 10
    assert sys.unraisablehook is before


def test_the_tasks_of_the_command_line_are_known_inside_a_task(project: Project) -> None:
    project.tasks(TASKS)

    assert project.run("after", "show").out.splitlines()[0] == "['after', 'show']"


def test_so_are_those_of_another_program(project: Project) -> None:
    project.tasks(TASKS)

    terminal = project.python_in_terminal(OTHER_PROGRAM)

    assert "['after', 'show']" in project.finish(terminal)


def test_a_task_that_python_calls_has_no_program(project: Project) -> None:
    project.tasks(TASKS)

    terminal = project.python_in_terminal("import invoke, tasks; tasks.show(invoke.Context())")

    assert project.finish(terminal) == "None\r\n"
