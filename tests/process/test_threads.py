"""Many things are done at once; their results come in order, and Ctrl-C begins no other."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from tasks_aws.process.threads import PARALLEL, DaemonPool, in_parallel


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


def test_what_has_not_begun_is_not_begun_when_nobody_takes_the_results() -> None:
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

    results = in_parallel(act, range(3 * PARALLEL))
    assert next(results) == 0
    all_begun.wait(20)
    results.close()

    assert sorted(begun) == [*range(PARALLEL + 1)]
    assert ended == [0]
    go_on.set()


def test_python_ends_while_a_call_waits_for_an_answer() -> None:
    script = (
        "import time; from tasks_aws.process.threads import DaemonPool; "
        "DaemonPool().submit(lambda: time.sleep(600))"
    )

    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no signal to a thread")
def test_ctrl_c_ends_a_wait_though_another_thread_gets_the_signal() -> None:
    script = (
        "import signal, threading, time; from tasks_aws.process.threads import DaemonPool\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # nohup may ignore it\n"
        "def call():\n"
        "    time.sleep(0.5)\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGINT)\n"
        "    time.sleep(600)\n"
        "try:\n"
        "    DaemonPool().submit(call).result()\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], check=True, timeout=60, stdout=subprocess.PIPE
    )

    assert done.stdout.split() == [b"interrupted"]


def test_threads_end_with_their_calls_and_new_ones_start_for_others() -> None:
    pool = DaemonPool()
    before = threading.active_count()

    first = [pool.submit(partial(max, number, 50)) for number in range(100)]
    assert [each.result(20) for each in first] == [50] * 51 + [*range(51, 100)]
    deadline = time.monotonic() + 20
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert pool.submit(lambda: "again").result(20) == "again"
