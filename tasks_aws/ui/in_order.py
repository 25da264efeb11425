"""Running actions at once, whose lines appear as if they ran one after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from threading import Condition
from typing import TYPE_CHECKING, TypeVar

from ..process.importing import own_imports
from ..text.printable import printable
from ..text.terminal import wrap
from .progress import DISPLAY

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

# Of installers, which mostly wait for the network and the disk.
_AT_ONCE = 8


class _Turns:
    """Which actions have ended, and the lines of those that are not the first under way."""

    def __init__(self, alone: Sequence[bool], *, brief: bool) -> None:
        self.brief = brief
        self._alone = alone
        self._ended = [False] * len(alone)
        self._lines: list[list[str]] = [[] for _ in alone]
        self._first = 0
        self._stopped = False
        self._changed = Condition()

    def start(self, index: int) -> None:
        """Wait until an action may start."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._may_start(index))
        self.check()

    def end(self, index: int) -> None:
        """Print the lines that waited for the end of this action."""
        with self._changed:
            self._ended[index] = True
            while self._first < len(self._ended):
                for line in self._lines[self._first]:
                    _write(line)
                self._lines[self._first].clear()
                if not self._ended[self._first]:
                    break
                self._first += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Let all actions end at their next step."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def check(self) -> None:
        """Raise `KeyboardInterrupt` if the actions are to end."""
        if self._stopped:
            raise KeyboardInterrupt

    def print(self, index: int, line: str) -> None:
        """Print a line of an action, or keep it until the actions before have ended."""
        with self._changed:
            if index > self._first:
                self._lines[index].append(line)
            else:
                _write(line)

    def _may_start(self, index: int) -> bool:
        earlier = zip(self._alone[:index], self._ended[:index], strict=True)
        return all(ended or not (alone or self._alone[index]) for alone, ended in earlier)


# The turns, and the number of this thread's action.
_TURN: ContextVar[tuple[_Turns, int] | None] = ContextVar("turn", default=None)


def run_in_order(
    actions: Sequence[Callable[[], T]], alone: Sequence[bool], *, brief: bool = False
) -> list[Future[T]]:
    """Run actions at once, but those that are to be alone by themselves; return how each ended.

    What the first of those under way prints appears at once, and the lines of the others when it is
    their turn. With `brief`, steps that went well leave no line.

    After Ctrl-C no action starts, and those under way end at their next step.
    """
    from concurrent.futures import ThreadPoolExecutor

    with own_imports():
        from ..process.threads import await_all

    turns = _Turns(alone, brief=brief)

    def run(index: int) -> T:
        _TURN.set((turns, index))
        try:
            turns.start(index)
            return actions[index]()
        finally:
            turns.end(index)

    with ThreadPoolExecutor(max(_AT_ONCE, os.cpu_count() or 1)) as pool:
        try:
            futures = [pool.submit(run, index) for index in range(len(actions))]
            await_all(futures)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            turns.stop()
            raise
    return futures


def print_line(
    line: str, *, indent: int = 0, paint: Callable[[str], str] = lambda line: line
) -> None:
    """Print a line on stderr: in an action of `run_in_order`, when it is its turn.

    On a terminal, one that is too long goes on in the next line, after an indent.
    """
    line = paint(wrap(printable(line), indent=indent))
    if turn := _TURN.get():
        turns, index = turn
        turns.print(index, line)
    else:
        _write(line)


def _write(line: str) -> None:
    with DISPLAY.writing:
        print(line, file=sys.stderr, flush=True)


def is_brief() -> bool:
    """Return whether this is an action of `run_in_order` whose steps leave no line."""
    turn = _TURN.get()
    return turn is not None and turn[0].brief


def check_interrupted() -> None:
    """Raise `KeyboardInterrupt` in an action of `run_in_order` that is to end."""
    if turn := _TURN.get():
        turn[0].check()
