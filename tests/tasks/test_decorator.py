"""How tasks are declared: their names, their options and their help.

What a task does is tested with the module that does it, in the folders that mirror `auth`,
`packaging` and `aws_lambda`: a task only reads its options and calls it.
"""

from __future__ import annotations

import re
from types import ModuleType

import pytest

import tasks_aws
from tasks_aws.auth.formats import FORMATS
from tasks_aws.tasks import credentials, deployment, functions
from tasks_aws.tasks.decorator import AwsTask
from tests.support import Project

TASKS = sorted(tasks_aws.ns.task_names)


def test_the_tasks_are_those_of_the_collection() -> None:
    assert TASKS == [
        "assume",
        "build",
        "clean",
        "console",
        "deploy",
        "destroy",
        "env",
        "exec",
        "forget",
        "init",
        "invoke",
        "login",
        "logs",
        "package",
        "plan",
        "policy",
        "prune",
        "rollback",
        "sessions",
        "settings",
        "shell",
        "status",
        "whoami",
    ]
    assert not any(aliases for aliases in tasks_aws.ns.task_names.values())
    assert tasks_aws.ns.default is None


@pytest.mark.parametrize("module", [credentials, deployment, functions])
def test_every_task_of_a_module_is_public(module: ModuleType) -> None:
    public = [vars(module)[name] for name in module.__all__]

    assert {id(each) for each in public} == {
        id(each) for each in vars(module).values() if isinstance(each, AwsTask)
    }


@pytest.mark.parametrize("name", TASKS)
def test_every_option_has_help_that_fits_80_columns_and_breaks_no_word(
    project: Project, name: str
) -> None:
    lines = project.run("--help", name).out.splitlines()  # without a terminal, of 80 columns

    options = [line for line in lines if line.startswith("  --")]
    assert max(map(len, lines)) <= 80
    assert [line for line in options if not re.match(r"  --\S+ +\S", line)] == []
    assert [line for line in lines if re.search(r"\w-$", line)] == []


@pytest.mark.parametrize("name", TASKS)
def test_the_summary_of_every_task_fits_the_list(name: str) -> None:
    summary, *rest = (tasks_aws.ns[name].__doc__ or "").splitlines()

    assert len(summary) <= 64
    assert not rest or rest[0] == ""


def test_the_help_of_env_names_every_format(project: Project) -> None:
    shown = project.run("--help", "env").out

    assert [name for name in FORMATS if not re.search(rf"\b{name}\b", shown)] == []
