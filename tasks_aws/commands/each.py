"""The same with each of many functions, at once.

A failure hides no other: all failures are raised when every function has had its turn.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from functools import partial
from types import MappingProxyType
from typing import Protocol, TypeVar, cast

from ..aws_lambda.error_messages import translating
from ..errors import TasksAwsError
from ..errors import raise_failures as raise_named
from ..process.threads import DaemonPool, await_all, in_parallel
from ..ui.output import say
from .located import LocatedFunction

_T = TypeVar("_T")
_U = TypeVar("_U")
_Plan = TypeVar("_Plan")


class Pool(Protocol):
    """Makes calls in threads."""

    def submit(self, call: Callable[[], _T], /) -> Future[_T]:
        """Make a call as soon as there is a thread for it."""


def for_each(
    functions: Sequence[LocatedFunction],
    doing: str,
    act: Callable[[LocatedFunction], _T],
    show: Callable[[LocatedFunction, _T], object],
) -> None:
    """Act on all functions at once, and show each result in the order of the settings."""
    with closing(try_each(functions, doing, act)) as results:
        outcomes = [
            _then(each, doing, result, show)
            for each, result in zip(functions, results, strict=True)
        ]
    raise_failures(functions, outcomes)


def change_each(
    functions: Sequence[LocatedFunction],
    doing: str,
    act: Callable[[LocatedFunction], _T],
    show: Callable[[LocatedFunction, _T], object],
    *,
    earlier: Mapping[LocatedFunction, object] = MappingProxyType({}),
) -> None:
    """Change all functions at once, and show each result in the order of the settings.

    After Ctrl-C those that have begun are waited for, and shown. `earlier` has what other functions
    have come to, for the failures that are raised.
    """
    outcomes = {**earlier}

    def end(index: int, changed: Future[_T | TasksAwsError]) -> None:
        outcomes[functions[index]] = _then(functions[index], doing, changed.result(), show)

    interrupted = make_changes(
        DaemonPool(),
        [
            (each.label, partial(attempt, each.label, doing, partial(act, each)))
            for each in functions
        ],
        end,
    )
    raise_failures([*outcomes], [*outcomes.values()])
    if interrupted:
        raise KeyboardInterrupt


def confirm_each(
    functions: Sequence[LocatedFunction],
    doing: str,
    plan: Callable[[LocatedFunction], _Plan],
    confirm: Callable[[LocatedFunction, _Plan], bool],
    act: Callable[[LocatedFunction, _Plan], _T],
    show: Callable[[LocatedFunction, _T], object],
) -> None:
    """Act on the functions that are confirmed, once the user has been asked about all of them."""
    plans = dict(zip(functions, try_each(functions, doing, plan), strict=True))
    outcomes: dict[LocatedFunction, object] = {
        each: _then(each, doing, plans[each], confirm) for each in functions
    }
    confirmed = [each for each in functions if outcomes[each] is True]

    def act_on(each: LocatedFunction) -> _T:
        return act(each, cast(_Plan, plans[each]))

    change_each(confirmed, doing, act_on, show, earlier=outcomes)


def make_changes(
    pool: Pool,
    changes: Sequence[tuple[str, Callable[[], _T]]],
    end: Callable[[int, Future[_T]], object],
    *,
    begin: Callable[[], object] = lambda: None,
    stop: Callable[[], object] = lambda: None,
) -> bool:
    """Make changes, which come with their labels, and pass each to `end` in order.

    `begin` is called first, and starts what changes wait for. After Ctrl-C, `stop` is called and no
    other change is begun; those that have begun are waited for. Returns whether that was so.
    """
    made: list[Future[_T]] = []
    ended = 0
    try:
        begin()
        for _, change in changes:
            made.append(pool.submit(change))
        for index, each in enumerate(made):
            await_all([each])
            end(index, each)
            ended = index + 1
    except KeyboardInterrupt:
        stop()
        begun = [index for index in range(ended, len(made)) if not made[index].cancel()]
        say_what_is_awaited([changes[index][0] for index in begun if not made[index].done()])
        for index in begun:
            await_all([made[index]])
            end(index, made[index])
        return True
    return False


def say_what_is_awaited(names: Sequence[str]) -> None:
    """Say after Ctrl-C which functions are still waited for."""
    if names:
        what = "it is" if len(names) == 1 else "they are"
        say("stopping", f"waiting for {', '.join(names)}, so that {what} not left half-changed")


def try_each(
    functions: Sequence[LocatedFunction],
    doing: str,
    act: Callable[[LocatedFunction], _T],
) -> Generator[_T | TasksAwsError]:
    """Act on all functions at once; yield each result, or its error, in order."""
    return in_parallel(lambda each: attempt(each.label, doing, partial(act, each)), functions)


def _then(
    function: LocatedFunction,
    doing: str,
    outcome: _T | TasksAwsError,
    act: Callable[[LocatedFunction, _T], _U],
) -> _U | TasksAwsError:
    """Go on with a function, unless it has failed already."""
    if isinstance(outcome, TasksAwsError):
        return outcome
    return attempt(function.label, doing, lambda: act(function, outcome))


def attempt(label: str, doing: str, act: Callable[[], _T]) -> _T | TasksAwsError:
    """Return the result of `act`, or its error; `doing` completes "Lambda could not …"."""
    try:
        with translating(label, doing):
            return act()
    except TasksAwsError as error:
        return error


def raise_failures(functions: Sequence[LocatedFunction], outcomes: Sequence[object]) -> None:
    """Raise the errors among the outcomes of functions."""
    raise_named(zip((each.label for each in functions), outcomes, strict=True), what="failed")
