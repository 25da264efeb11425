"""Terminals: colours where they are wanted, and no line break within a word."""

from __future__ import annotations

import re

import pytest

from tests.support import Project

ARN = "arn:aws:iam::123456789012:role/a-department/a-role-whose-name-is-not-short"
URL = f"https://{'a' * 90}.lambda-url.eu-central-1.on.aws/"
FAILING = f"""
from invoke import task
from tasks_aws import TasksAwsError
@task
def fail(c):
    raise TasksAwsError("It failed.", why="The role {ARN} is not what it was once.", fix="Try.")
"""
WORDS = f"""
from tasks_aws.errors import FunctionError, raise_failures
from tasks_aws.ui.output import print_diff, print_table, say, warn
say("assume", "{ARN}  account 123456789012, eu-central-1, 1 h left")
warn("{"word-by-word " * 20}")
print_diff(["~ code  {"x" * 44} -> {"y" * 44} (1 file)"])
for result in (True, False):
    print_table(("name", "state", "url"), [("hello", "Active", "{URL}"), ("{"n" * 30}", "-", "-")],
        result=result)
try:
    raise_failures([("one", FunctionError("What {ARN}", why="{"why " * 40}")), ("two", None)],
        what="failed")
except FunctionError as error:
    print(error.message)
"""
COLOURS = re.compile("\x1b\\[[0-9;]*m")


def words_of(text: str) -> list[str]:
    return COLOURS.sub("", text).split()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_broken_within_a_word(project: Project, columns: int) -> None:
    project.environ["TERM"] = "xterm"

    shown = project.finish(project.python_in_terminal(WORDS, columns=columns))

    lines = COLOURS.sub("", shown).replace("\r", "").splitlines()
    too_long = [each for each in lines if len(each) > columns]
    assert {each.strip() for each in too_long} <= {URL, ARN}
    assert {ARN, URL, "x" * 44, "y" * 44, "word-by-word"} <= {*words_of(shown)}


def test_a_pipe_has_lines_as_long_as_they_are(project: Project) -> None:
    project.tasks(FAILING)

    result = project.run("fail", code=1)

    why = f"  why: The role {ARN} is not what it was once."
    assert result.err == f"It failed.\n{why}\n  fix: Try.\n"


def test_a_terminal_shows_errors_with_a_coloured_mark(project: Project) -> None:
    project.tasks(FAILING)
    project.environ["TERM"] = "xterm"

    shown = project.finish(project.terminal("fail", columns=80), code=1)

    assert shown == (
        "\x1b[1;31merror:\x1b[0m It failed.\r\n"
        f"  \x1b[1mwhy:\x1b[0m The role\r\n      {ARN}\r\n      is not what it was once.\r\n"
        "  \x1b[1mfix:\x1b[0m Try.\r\n"
    )


@pytest.mark.parametrize(
    "environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"CI": "true"}, {"TERM": ""}]
)
def test_a_terminal_without_colours_shows_the_mark_alone(
    project: Project, environ: dict[str, str]
) -> None:
    project.tasks(FAILING)
    project.environ |= {"TERM": "xterm", **environ}

    shown = project.finish(project.terminal("fail"), code=1)

    assert shown.startswith("error: It failed.\r\n  why: The role")
    assert "\x1b" not in shown


def test_colours_can_be_forced_onto_a_terminal_and_into_no_pipe(project: Project) -> None:
    project.tasks(FAILING)
    project.environ |= {"CI": "true", "FORCE_COLOR": "1"}

    assert project.run("fail", code=1).err.startswith("It failed.\n")
    forced = project.finish(project.terminal("fail"), code=1)
    assert forced.startswith("\x1b[1;31merror:\x1b[0m It failed.\r\n")


def test_a_warning_is_coloured_on_a_terminal(project: Project) -> None:
    project.environ["TERM"] = "xterm"
    program = "from tasks_aws.ui.output import warn; warn('Beware.')"

    assert project.finish(project.python_in_terminal(program)) == (
        "\x1b[33mwarning\x1b[0m   Beware.\r\n"
    )
