"""Doing the same with many functions at once, and taking the results in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from ..aws_lambda.clients import PARALLEL

_Each = TypeVar("_Each")
_Result = TypeVar("_Result")


def in_parallel(
    act: Callable[[_Each], _Result], things: Sequence[_Each], *, finish: bool = False
) -> Iterator[_Result]:
    """Act on many things at once, and yield each result, in order, as soon as it is there.

    After Ctrl-C, or when nobody takes the results any more, no other thing is begun; what has begun
    is abandoned or, with `finish`, waited for.
    """
    if len(things) == 1:
        yield act(things[0])
        return
    futures: list[Future[_Result]] = [Future() for _ in things]
    waiting: SimpleQueue[tuple[_Each, Future[_Result]]] = SimpleQueue()
    for each in zip(things, futures, strict=True):
        waiting.put(each)

    def work() -> None:
        with suppress(Empty):
            while True:
                thing, future = waiting.get_nowait()
                if future.set_running_or_notify_cancel():
                    try:
                        future.set_result(act(thing))
                    except BaseException as error:
                        future.set_exception(error)

    # Not a ThreadPoolExecutor: Python would not end before a function that runs for 15 minutes.
    for _ in range(min(PARALLEL, len(things))):
        threading.Thread(target=work, daemon=True).start()
    try:
        for future in futures:
            yield future.result()
    finally:
        begun = [each for each in futures if not each.cancel()]
        if finish:
            wait(begun)
