"""Progress: lines that move on a terminal that somebody watches, and nowhere else."""

from __future__ import annotations

import pyte
import pytest

from tasks_aws.text.terminal import is_ci
from tests.support import Project

UPLOAD = """
import sys, time
from tasks_aws.ui.output import track
with track("upload", "hello") as line:
    line.total = 100
    line.advance(50)
    time.sleep(0.3)
    line.result = "1.2 MB"
"""
ROUNDS = 5
TWELVE = f"""
import time
from concurrent.futures import ThreadPoolExecutor
from tasks_aws.ui.output import say, track
def create(number):
    with track("create", f"function-{{number}}"):
        time.sleep(0.05 + number % 3 * 0.05)
say("before", "them")
for each in range({ROUNDS}):
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(create, range(12)))
    say("round", str(each))
"""


def test_a_bar_is_shown_while_the_event_is_under_way_and_one_line_is_left(
    project: Project,
) -> None:
    project.environ["TERM"] = "xterm"
    terminal = project.python_in_terminal(UPLOAD)

    terminal.expect("upload    hello  ━+ +50 %")
    last = project.finish(terminal).split("\x1b[2K")[-1]
    assert "\x1b[36mupload\x1b[0m    hello  1.2 MB, " in last


def test_what_is_printed_meanwhile_has_no_word_broken(project: Project) -> None:
    project.environ["TERM"] = "xterm"
    url = f"https://{'a' * 90}.example.com/"

    shown = project.finish(
        project.python_in_terminal(
            UPLOAD.replace("0.3", f"print('{url}', file=sys.stderr) or 0"), columns=80
        )
    )

    assert url in shown


def test_a_long_name_is_cut_while_it_is_under_way(project: Project) -> None:
    project.environ["TERM"] = "xterm"
    program = UPLOAD.replace("hello", "h" * 70)

    terminal = project.python_in_terminal(program, columns=60)

    terminal.expect("upload    h+…")
    assert f"\r\n  {'h' * 70}" not in project.finish(terminal)


def test_events_that_end_at_once_leave_a_line_each(project: Project) -> None:
    project.environ["TERM"] = "xterm"

    shown = project.finish(project.python_in_terminal(TWELVE, columns=80))

    screen = pyte.Screen(80, 100)
    pyte.Stream(screen).feed(shown)
    lines = [line.split() for line in screen.display if line.strip()]
    assert lines[0] == ["before", "them"]
    assert len(lines) == 1 + ROUNDS * (12 + 1)
    assert {tuple(line[:2]) for line in lines[1:]} == {
        *(("create", f"function-{number}") for number in range(12)),
        *(("round", str(number)) for number in range(ROUNDS)),
    }


def test_nothing_moves_in_ci(project: Project) -> None:
    project.environ |= {"TERM": "xterm", "CI": "true"}

    shown = project.finish(project.python_in_terminal(UPLOAD))

    assert "\x1b" not in shown
    assert shown.startswith("upload    hello  1.2 MB, ")


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("1", True), ("0", False)])
def test_ci_may_be_switched_off(
    monkeypatch: pytest.MonkeyPatch, value: str, expected: bool
) -> None:
    monkeypatch.setenv("CI", value)

    assert is_ci() is expected


def test_a_terminal_of_code_page_1252_has_progress_that_it_can_show(project: Project) -> None:
    project.environ |= {"TERM": "xterm", "PYTHONIOENCODING": "cp1252"}
    terminal = project.python_in_terminal(UPLOAD.replace("hello", "h\u65e5"))

    shown = project.finish(terminal)

    assert "50 %" in shown
    assert "1.2 MB" in shown
