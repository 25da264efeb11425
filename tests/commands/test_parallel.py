"""Many things are done at once; their results come in order, and Ctrl-C begins no other."""

from __future__ import annotations

import threading

import pytest

from tasks_aws.aws_lambda.clients import PARALLEL
from tasks_aws.commands.parallel import in_parallel


def test_results_come_in_order_though_all_are_done_at_once() -> None:
    last = threading.Event()

    def act(number: int) -> int:
        if number == PARALLEL - 1:
            last.set()
        assert last.wait(20)  # the first ends only once the last has begun
        return number

    assert list(in_parallel(act, range(PARALLEL))) == [*range(PARALLEL)]


def test_one_thing_is_done_in_the_thread_that_asks() -> None:
    assert list(in_parallel(lambda _: threading.current_thread(), [1])) == [
        threading.current_thread()
    ]


@pytest.mark.parametrize("finish", [True, False])
def test_what_has_not_begun_is_not_begun_when_nobody_takes_the_results(finish: bool) -> None:
    begun: list[int] = []
    ended: list[int] = []
    all_begun, go_on = threading.Barrier(PARALLEL + 1), threading.Event()

    def act(number: int) -> int:
        begun.append(number)
        if number:
            all_begun.wait(20)
            assert go_on.wait(20)
        ended.append(number)
        return number

    results = in_parallel(act, range(3 * PARALLEL), finish=finish)
    assert next(results) == 0
    all_begun.wait(20)
    if finish:
        threading.Timer(0.1, go_on.set).start()
    results.close()  # type: ignore[attr-defined]  # as an exception in the loop does

    assert sorted(begun) == [*range(PARALLEL + 1)]
    assert (len(ended) == len(begun)) is finish
    go_on.set()
