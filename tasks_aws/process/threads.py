"""Threads for calls that mostly wait for AWS, and that Python does not wait for when it ends.

With those of `ThreadPoolExecutor`, Ctrl-C would end a task only after a function that runs for 15
minutes, or after the timeout of an endpoint that does not answer.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, wait
from typing import Any, Generic, TypeVar

# How many functions are processed at once, and how many requests more are made at once for them.
PARALLEL = 16

_TICK = 0.2  # seconds

_Each = TypeVar("_Each")
_Result = TypeVar("_Result")


def await_all(futures: Sequence[Future[Any]]) -> None:
    """Wait until all calls have ended, or until Ctrl-C.

    A wait without a timeout goes on after Ctrl-C if another thread gets the signal, or if it comes
    just before the wait; and on Windows always.
    """
    while wait(futures, timeout=_TICK).not_done:
        pass


class _Future(Future[_Result], Generic[_Result]):
    def result(self, timeout: float | None = None) -> _Result:
        if timeout is None:
            await_all([self])
        return super().result(timeout)


class DaemonPool:
    """Makes up to `PARALLEL` calls at once. A thread ends as soon as no call waits for it."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads = 0
        self._lock = threading.Lock()

    def submit(self, call: Callable[[], _Result]) -> Future[_Result]:
        """Make a call as soon as there is a thread for it."""
        future: Future[_Result] = _Future()
        with self._lock:
            self._waiting.append((future, call))
            if self._threads == PARALLEL:
                return future
            self._threads += 1
        threading.Thread(target=self._work, daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    return
                future, call = self._waiting.popleft()
            _make(call, future)


def in_parallel(act: Callable[[_Each], _Result], things: Sequence[_Each]) -> Generator[_Result]:
    """Act on many things at once, and yield each result, in order, as soon as it is there.

    When the generator is closed, or an error or Ctrl-C ends it, nothing else is begun; what has
    begun is abandoned.
    """
    if len(things) == 1:
        yield act(things[0])
        return
    pool = DaemonPool()
    futures = [pool.submit(lambda each=each: act(each)) for each in things]  # type: ignore[misc]
    try:
        for future in futures:
            yield future.result()
    finally:
        for each in futures:
            each.cancel()


def _make(call: Callable[[], _Result], future: Future[_Result]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)
