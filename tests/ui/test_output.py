"""What tasks print: events on stderr, results on stdout, colours on a terminal alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks_aws.text import as_typed
from tasks_aws.ui.output import print_diff, print_result, print_table, say, track
from tests.strict_sts import Role
from tests.support import Project

DIFF = "from tasks_aws.ui.output import print_diff; print_diff(['+ new [b]', '- old', 'same'])"


def test_an_event_is_a_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("zip", "hello  1.2 MB")

    assert tuple(capsys.readouterr()) == ("", "zip       hello  1.2 MB\n")


def test_an_event_that_takes_time_says_how_long(capsys: pytest.CaptureFixture[str]) -> None:
    with track("zip", "hello") as line:
        line.result = "3 files"

    assert capsys.readouterr().err.startswith("zip       hello  3 files, ")


def test_an_event_that_fails_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="broken"), track("zip", "hello"):
        raise ValueError("broken")

    assert tuple(capsys.readouterr()) == ("", "")


def test_a_table_has_aligned_columns_and_its_result_is_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("name", "state"), [("hello", "Active")], result=True)
    print_table(("name", "state"), [("hello", "Active")])

    assert tuple(capsys.readouterr()) == ("name   state\nhello  Active\n",) * 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
@pytest.mark.parametrize("words", [["settings", "--json"], ["settings", "--schema"]])
def test_a_result_that_cannot_be_written_is_an_error(project: Project, words: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "invoke", *words],
            cwd=project.folder,
            env=project.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr == (
        "Cannot write the result to standard output.\n  why: No space left on device.\n"
    )


def test_a_result_is_written_to_whatever_replaces_stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    class WriteOnly:
        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            pass

    stdout = WriteOnly()
    monkeypatch.setattr("sys.stdout", stdout)
    print_result("ä")

    assert stdout.text == "ä\n"


def test_a_diff_is_plain_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_diff(["+ new", "- old"])

    assert capsys.readouterr().err == f"{'':<9} + new\n{'':<9} - old\n"


def test_a_diff_and_a_table_show_values_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(as_typed, "_NAMES", as_typed._Names())
    as_typed.name_settings("tasks_aws", ["region"], "fabric.yml")
    as_typed.name_commands("fab", "aws.{}".format)
    say("event", "`aws.region`")
    value = "see invoke deploy, `aws.region` in invoke.yaml"

    print_diff([f"~ Description  {value}"])
    print_table(("name", "value"), [("a", value)])

    err = capsys.readouterr().err
    assert err.startswith("event     `tasks_aws.region`\n")
    assert err.count(value) == 2


def test_a_diff_has_colours_on_a_terminal(project: Project) -> None:
    project.environ["TERM"] = "xterm"

    shown = project.finish(project.python_in_terminal(DIFF))

    green, red, end = "\x1b[32m", "\x1b[31m", "\x1b[0m"
    assert f"{green}{'':<9} + new [b]{end}" in shown
    assert f"{red}{'':<9} - old{end}" in shown
    assert f"{'':<9} same\r\n" in shown


@pytest.mark.parametrize("words", ["assume env --format json", "assume whoami", "assume sessions"])
def test_a_task_whose_stdout_is_closed_ends_without_a_word(
    project: Project, role: Role, words: str
) -> None:
    with project.start(*words.split()) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        lines = process.stderr.read().splitlines()

    assert process.returncode == 141
    assert [each.split()[0] for each in lines] in (["assume"], ["assume", "hint"])


def test_a_closed_stdout_of_windows_ends_a_task_in_the_same_way(project: Project) -> None:
    project.tasks(
        "import errno, os, sys\nfrom invoke import task\n"
        "from tasks_aws.ui.output import print_result\n"
        "class Closed:\n"
        "    def write(self, text): raise OSError(errno.EINVAL, 'Invalid argument')\n"
        "    def flush(self): pass\n"
        "    def fileno(self): return 1\n"
        "@task\n"
        "def show(c):\n"
        "    sys.stdout, os.name = Closed(), 'nt'\n"
        "    try: print_result('x')\n"
        "    finally: os.name = 'posix'\n"
    )

    assert project.run("show", code=141).err == ""
