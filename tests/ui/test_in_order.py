"""Actions run at once; their lines, and their results, are in order."""

from __future__ import annotations

from threading import Barrier

import pytest

from tasks_aws.ui.in_order import run_in_order
from tasks_aws.ui.output import say


def test_actions_run_at_once_and_their_lines_appear_in_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    together = Barrier(3, timeout=20)

    def act(number: int) -> int:
        say("begin", str(number))
        together.wait()
        say("end", str(number))
        return number

    ended = run_in_order([lambda number=number: act(number) for number in range(3)], [False] * 3)  # type: ignore[misc]

    assert [each.result() for each in ended] == [0, 1, 2]
    lines = [" ".join(line.split()) for line in capsys.readouterr().err.splitlines()]
    assert lines == ["begin 0", "end 0", "begin 1", "end 1", "begin 2", "end 2"]


def test_what_is_to_be_alone_starts_after_all_before_it_and_ends_first() -> None:
    under_way: list[int] = []
    seen: dict[int, list[int]] = {}

    def act(number: int) -> None:
        under_way.append(number)
        seen[number] = [*under_way]
        under_way.remove(number)

    alone = [False, False, True, False, True]
    run_in_order([lambda number=number: act(number) for number in range(5)], alone)  # type: ignore[misc]

    assert seen[2] == [2]
    assert seen[4] == [4]
    assert [*seen].index(2) == 2


def test_an_error_hides_no_line_and_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        say("begin", "first")
        raise ValueError

    first, second = run_in_order([fail, lambda: say("begin", "second")], [False, False])

    assert isinstance(first.exception(), ValueError)
    assert second.exception() is None
    assert [line.split()[1] for line in capsys.readouterr().err.splitlines()] == ["first", "second"]
