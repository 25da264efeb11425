"""How our tasks are declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from invoke.tasks import Task, task

FUNCTION = "Name under aws.functions; repeatable. Default: all."


class AlwaysRun(Task):  # type: ignore[type-arg]
    """A task that invoke's dedupe never drops.

    Dedupe looks at the whole command line: of `assume prod`, `assume dev`, `assume prod` it
    would drop the last, and run what follows with the wrong role.
    """

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = Task.__hash__


def listed(names: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the values of a repeatable option; a task that calls a task may give just one."""
    return (names,) if isinstance(names, str) else tuple(names or ())


def aws_task(**options: Any) -> Callable[..., Any]:
    """Declare a task; without short flags, which would depend on the order of the options."""
    decorate: Callable[..., Any] = task(klass=AlwaysRun, auto_shortflags=False, **options)
    return decorate
