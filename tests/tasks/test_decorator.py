"""How tasks are declared: their names, their options and their help.

What a task does is tested with the module that does it, in the folders that mirror `auth`,
`packaging` and `aws_lambda`: a task only reads its options and calls it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from invoke.config import Config
from invoke.context import Context

import tasks_aws
from tasks_aws.auth.formats import FORMATS
from tasks_aws.errors import SettingsError, WrongSettingsError
from tasks_aws.tasks import credentials, deployment, functions
from tasks_aws.tasks.decorator import AwsTask, _explain
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


def test_an_error_that_says_why_nothing_is_set_keeps_its_code_and_mistakes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fabric.yaml").write_text("aws: {region: x}\n")
    c, mistake = Context(Config(project_location=tmp_path)), SettingsError("`aws.region` is x.")
    wrong = WrongSettingsError("`aws.region` is x.", mistakes=[mistake])

    found = _explain(c, wrong)

    assert "is not read" in found.why
    assert isinstance(found, WrongSettingsError)
    assert found.mistakes == (mistake,)
    assert _explain(c, SettingsError("`aws.region` is x.", code=3)).code == 3


def test_a_python_without_arguments_has_the_tasks() -> None:
    code = "import sys; del sys.argv; import tasks_aws; print(tasks_aws.ns.name)"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "aws\n"
