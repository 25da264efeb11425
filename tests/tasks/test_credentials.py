"""`assume` at the end of a command line says that nothing will use the credentials."""

from __future__ import annotations

import pytest

from tests.strict_sts import Role
from tests.support import TASKS, Project

HINT = "hint      these credentials end with this process"
OTHERS = """
@task(pre=[assume])
def before(c): pass

@task
def python(c): assume(c)

import tasks_aws
ns = Collection(noop, before, python, assume, tasks_aws)
"""


@pytest.mark.parametrize(
    ("words", "shell"),
    [
        (["assume"], "`shell`"),
        (["noop", "assume", "--region", "eu-west-1"], "`shell`"),
        (["assume", "assume", "--region", "eu-west-1"], "`shell`"),
        (["aws.assume"], "`aws.shell`"),
    ],
    ids=" ".join,
)
def test_nothing_follows(project: Project, role: Role, words: list[str], shell: str) -> None:
    project.tasks(TASKS + OTHERS)

    shown = project.finish(project.terminal(*words))

    assert shown.count(HINT) == 1
    assert shell in shown


@pytest.mark.parametrize(
    "words", [["assume", "noop"], ["before"], ["python"], ["assume", "python"]], ids=" ".join
)
def test_something_follows(project: Project, role: Role, words: list[str]) -> None:
    project.tasks(TASKS + OTHERS)

    assert "hint" not in project.finish(project.terminal(*words))


def test_nobody_watches(project: Project, role: Role) -> None:
    assert "hint" not in project.run("assume").err

    project.environ["CI"] = "true"
    assert "hint" not in project.finish(project.terminal("assume"))
