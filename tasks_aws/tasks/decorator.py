"""The decorator that makes a function a task and keeps its signature for type checkers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from inspect import signature
from typing import Any, Generic, ParamSpec, TypeVar, cast

from invoke.context import Context
from invoke.tasks import Task

from ..errors import CredentialsError, SettingsError, TasksAwsError, WrongSettingsError
from ..process.importing import own_imports

FUNCTION_HELP = "Function under aws.functions; repeatable [default: all]"
TARGETS_HELP = "Target under aws.targets; repeatable [default: that of `assume`]"
JSON_HELP = "Print a JSON list on stdout, with the names of the Lambda API"

SHARD_HELP = "Which part of the functions to process: 2/8 is the second of eight"

P = ParamSpec("P")
R = TypeVar("R")

# Raises the error of options that are wrong by themselves, whatever happens before the task's turn.
# It is given invoke's configuration and all options by name, and reads no file.
OptionCheck = Callable[..., None]


class _LikeTask(type):
    """What makes ``type(value) == Task``, by which some projects collect tasks, true of ours."""

    def __eq__(cls, other: object) -> bool:
        return other is Task or type.__eq__(cls, other)

    # Not that of `Task`: the dispatch tables of `copy` and `pickle` would take ours for it.
    __hash__ = type.__hash__


class AwsTask(Task[Any], Generic[P, R], metaclass=_LikeTask):
    """A task that invoke never drops as a duplicate.

    invoke looks for duplicates on the whole command line: of `assume prod`, `assume dev`,
    `assume prod` it would drop the last one and run what follows with the wrong role.
    """

    check: OptionCheck | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run the task in this process, as a plain function.

        A mistake in the settings is reported together with all others.
        """
        with own_imports():
            from ..ui.program import ending_at_ctrl_c

        with ending_at_ctrl_c():
            return self._run(*args, **kwargs)

    def _run(self, *args: P.args, **kwargs: P.kwargs) -> R:
        _look_around(self)
        try:
            self._check_options(*args, **kwargs)
            _look_ahead()
            result: R = super().__call__(*args, **kwargs)
        except (CredentialsError, SettingsError) as error:
            raise _explain(_context_of(*args, **kwargs), error) from error.__cause__
        finally:
            _spare_at_the_end(self.name)
        _warn_of_unread(_context_of(*args, **kwargs))
        return result

    def _check_options(self, *args: object, **kwargs: object) -> None:
        if self.check:
            given = signature(self.body).bind(*args, **kwargs)
            given.apply_defaults()
            (_, c), *options = given.arguments.items()
            self.check(cast(Context, c).config, **dict(options))

    def __eq__(self, other: object) -> bool:
        return False

    __hash__ = Task.__hash__


def _look_around(task: Task[Any]) -> None:
    """Find out how the command line names tasks, and whether one is not what the user expects."""
    with own_imports():
        from ..ui.program import name_commands_as_typed, running_program
        from ..ui.replaced import warn_of_replaced

    if program := running_program():
        name_commands_as_typed(program)
        warn_of_replaced(task, program)


def _look_ahead() -> None:
    """Find what is wrong with the command line before any task of ours does anything."""
    with own_imports():
        from ..ui.program import running_program

    program = running_program()
    later = program.tasks[1:] if program else []
    if program and any(
        getattr(program.collection[each.name or ""], "check", None)
        or any(option.got_value for option in each.args.values())
        for each in later
    ):
        with own_imports():
            from .options import check_command_line

        check_command_line(program, AwsTask)


def _explain(c: Context, error: TasksAwsError) -> TasksAwsError:
    """Return an error with all mistakes in the settings, and with why they were not read."""
    with own_imports():
        from ..config.unread import why_unset

    if isinstance(error, WrongSettingsError):
        with own_imports():
            from ..commands.settings_report import with_all_mistakes

        error = with_all_mistakes(c, error)
    reason = why_unset(c.config)
    if not reason or "`aws." not in error.what + error.why + error.fix or reason in error.why:
        return error
    why = f"{error.why} {reason}".lstrip()
    if isinstance(error, WrongSettingsError):
        return type(error)(error.what, why=why, fix=error.fix, mistakes=error.mistakes)
    return type(error)(error.what, why=why, fix=error.fix, code=error.code)


def _warn_of_unread(c: Context) -> None:
    with own_imports():
        from ..config.unread import warn_of_unread

    warn_of_unread(c.config)


def _spare_at_the_end(task: str) -> None:
    """Let the command line of invoke end at once; in other processes there is more to come."""
    with own_imports():
        from ..process.garbage_collection import spare_what_exists
        from ..ui.program import running_program

    if running_program():
        spare_what_exists(task)


def aws_task(
    *,
    help: Mapping[str, str],  # noqa: A002
    iterable: Iterable[str] = (),
    check: OptionCheck | None = None,
) -> Callable[[Callable[P, R]], AwsTask[P, R]]:
    """Return a decorator that makes a function a task of this package.

    The task has no short flags: they would depend on the order of its options.
    """

    def declare(body: Callable[P, R]) -> AwsTask[P, R]:
        made: AwsTask[P, R] = AwsTask(
            body, help=dict(help), iterable=list(iterable), auto_shortflags=False
        )
        made.check = check
        return made

    return declare


def _context_of(c: object, *args: object, **kwargs: object) -> Context:
    return cast(Context, c)


def as_names(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return the values of a repeatable option; Python code may pass a single string.

    >>> as_names(None), as_names("hello"), as_names(["hello", "bye"])
    ((), ('hello',), ('hello', 'bye'))
    """
    return (value,) if isinstance(value, str) else tuple(value or ())
