"""Locks between processes: one at a time, and none that outlives its process."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks_aws.errors import TasksAwsError
from tasks_aws.process import locking
from tasks_aws.process.locking import file_lock, thread_lock
from tests.forks import in_fork

HOLD = """
import sys, time
from pathlib import Path
from tasks_aws.process.locking import file_lock
with file_lock(Path(sys.argv[1]), waiting=list, too_long=SystemExit):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".lock"


@pytest.fixture
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    words = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def timed_out() -> TasksAwsError:
    return TasksAwsError("too long")


def test_a_free_lock_is_held_at_once(path: Path) -> None:
    with file_lock(path, waiting=pytest.fail, too_long=timed_out) as locked:
        assert locked
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_who_waits_too_long_gets_an_error(
    path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "LONGEST_WAIT_SECONDS", 0.1)
    waited = []

    with (
        pytest.raises(TasksAwsError, match="too long"),
        file_lock(path, waiting=lambda: waited.append(True), too_long=timed_out),
    ):
        pytest.fail("another process holds the lock")

    assert waited == [True]


def test_a_killed_process_holds_nothing(path: Path, holder: subprocess.Popen[str]) -> None:
    with file_lock(path, waiting=holder.kill, too_long=timed_out) as locked:
        assert locked


def test_where_no_lock_is_possible_the_work_goes_on(path: Path) -> None:
    path.touch()

    with file_lock(path / ".lock", waiting=pytest.fail, too_long=timed_out) as locked:
        assert not locked


def test_a_lock_between_threads_is_free_in_a_fork() -> None:
    lock, held, forked = thread_lock(), threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            forked.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()

    assert in_fork(lambda: lock.acquire(timeout=5))
    assert not lock.acquire(blocking=False)  # it is still held here
    forked.set()
    thread.join()
