"""Shells complete the values of our options, with the scripts that invoke prints."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from tests.support import Project

EMPTY = ""
CASES = [
    ("deploy --target ", ["prod", "prod-eu", "test"]),
    ("deploy --target t", ["test"]),
    ("deploy --function=h", ["hello"]),
    ("assume --profile d", ["dev"]),
    ("env --format na", []),
    ("env --format dot", ["dotenv"]),
    ("policy --format cloud", ["cloudformation"]),
    ("assume --target prod deploy --function ", ["bye", "hello"]),
    ("assume --target prod deplo", ["deploy"]),  # what invoke itself completes
    ("deploy --tar", ["--target"]),
    ("own --target pr", ["prune"]),
]
TASKS = """
from invoke import task
from tasks_aws import *

@task
def own(c, target=None, format=None): ...
"""


@pytest.fixture
def prepared(project: Project) -> Project:
    """A project with targets, functions and profiles, and `invoke` on PATH."""
    project.tasks(TASKS)
    project.settings(
        functions={"hello": {}, "bye": {}}, targets={"prod": {}, "prod-eu": {}, "test": {}}
    )
    project.profile("dev", region="eu-central-1")
    project.profile("two words", region="eu-central-1")
    (program := project.home / "bin" / "invoke").parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m invoke "$@"\n')
    program.chmod(0o755)
    project.environ["PATH"] = f"{program.parent}:{project.environ['PATH']}"
    return project


def completed_by_bash(project: Project, line: str) -> list[str]:
    """Return what bash offers after a command line; it splits words at `=`."""
    words = line.replace("=", " = ").split()
    last = "" if line.endswith((" ", "=")) else words[-1]
    listed = [*words, *([""] if line.endswith(" ") else [])]
    return run(
        project,
        "bash",
        f"""eval "$(invoke --print-completion-script bash)"
        COMP_WORDS=({" ".join(f"'{each}'" for each in listed)})
        _complete_invoke invoke '{last}'
        printf '%s\\n' "${{COMPREPLY[@]}}" """,
    )


def completed_by_zsh(project: Project, line: str) -> list[str]:
    """Return what zsh is offered and matches: `words` has the whole line."""
    words = line.split()
    last = "" if line.endswith(" ") else words[-1]
    return run(
        project,
        "zsh",
        f"""compctl() {{ : }}
        eval "$(invoke --print-completion-script zsh)"
        words=({" ".join(f"'{each}'" for each in words)} {"''" if not last else ""})
        _complete_invoke
        print -l -- ${{(M)reply:#{last}*}}""",
    )


def completed_by_fish(project: Project, line: str) -> list[str]:
    """Return what fish offers."""
    return run(
        project,
        "fish",
        f"invoke --print-completion-script fish | source\ncomplete -C '{line}'",
    )


def run(project: Project, shell: str, script: str) -> list[str]:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    process = subprocess.run(
        [shell, "-c", script],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stderr == ""
    return sorted(filter(None, process.stdout.splitlines()))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(("typed", "expected"), CASES)
def test_values_are_completed(
    prepared: Project, shell: str, typed: str, expected: list[str]
) -> None:
    complete = {"bash": completed_by_bash, "zsh": completed_by_zsh, "fish": completed_by_fish}

    found = complete[shell](prepared, f"invoke {typed}")

    option = typed.rpartition(" ")[2].partition("=")[0]
    if "=" in typed and shell != "bash":
        expected = [f"{option}={each}" for each in expected]
    assert found == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_nothing_in_a_name_is_run(prepared: Project, shell: str) -> None:
    ran = prepared.home / "ran"
    run_it = f"touch$IFS{ran}"
    names = ["plain", f"p$({run_it})", f"p`{run_it}`", "p$HOME", "p;q", "p'q", 'p"q', "p\\q", "p~q"]
    prepared.settings(targets={each: {} for each in names})
    complete = {"bash": completed_by_bash, "zsh": completed_by_zsh, "fish": completed_by_fish}

    assert complete[shell](prepared, "invoke deploy --target p") == ["plain"]
    assert not ran.exists()


@pytest.mark.parametrize("line", ["invoke deploy --target 'pr", 'invoke deploy "', "invoke 'dep"])
def test_an_open_quotation_mark_offers_nothing(prepared: Project, line: str) -> None:
    result = prepared.run("--complete", "--", line)

    assert result.out == result.err == ""


def test_after_a_whole_value_tasks_are_completed_too(prepared: Project) -> None:
    out = prepared.run("--complete", "--", "invoke deploy --target prod").out.splitlines()

    assert out[:2] == ["prod", "prod-eu"]
    assert {"assume", "own"} < {*out}


def test_what_a_program_is_given_is_none_of_ours(prepared: Project) -> None:
    words = ["invoke", "assume", "exec", "--", "terraform", "--target", "p"]

    assert "prod" not in prepared.run("--complete", "--", *words).out.splitlines()


@pytest.mark.parametrize("aws", ["[a, list]", "{targets: 3, functions: [x]}", "{targets: {1: {}}}"])
def test_wrong_settings_say_nothing_while_somebody_types(prepared: Project, aws: str) -> None:
    (prepared.folder / "invoke.yaml").write_text(f"aws: {aws}\n")

    for option in ("--target", "--function"):
        result = prepared.run("--complete", "--", f"invoke deploy {option}")

        assert result.err == ""


def test_the_settings_may_be_in_a_collection_under_another_name(prepared: Project) -> None:
    prepared.tasks(
        "from invoke import Collection\nimport tasks_aws\nns = Collection(tasks_aws)\n"
        "ns.configure({'tasks_aws': {'targets': {'audit': {}}}})\n"
    )

    out = prepared.run("--complete", "--", "invoke aws.assume --target").out

    assert out == "audit\n"


def test_neither_botocore_nor_rich_is_imported(prepared: Project) -> None:
    prepared.environ["PYTHONPROFILEIMPORTTIME"] = "1"
    for option in ("deploy --target", "policy --format", "assume --profile"):
        err = prepared.run("--complete", "--", f"invoke {option}").err

        assert not {"botocore", "boto3", "rich"} & {each.split()[-1] for each in err.splitlines()}
