"""The command line of invoke, or of another program made with it, that runs this process."""

from __future__ import annotations

import inspect
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

from invoke.program import Program

from ..text.as_typed import name_commands

_OUR_TASKS = ("tasks_aws.tasks.", "tasks_aws.local.")
_LOCATING = ("search-root", "collection", "config")  # options that tasks and settings depend on
INTERRUPTED = 130  # the exit code of a shell for what Ctrl-C ended
_SOON = 0.05  # seconds, once the object is gone


@contextmanager
def ending_at_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the command line of invoke, with the exit code of a shell.

    Elsewhere it is an ordinary `KeyboardInterrupt`.
    """
    is_main = threading.current_thread() is threading.main_thread()
    with _nothing_swallowed() if is_main else nullcontext():
        try:
            yield
        except KeyboardInterrupt:
            if running_program() is None:
                raise
            raise SystemExit(INTERRUPTED) from None  # invoke's own would be 1


@contextmanager
def _nothing_swallowed() -> Iterator[None]:
    """Send a Ctrl-C again that Python swallows, as it does wherever an object is just deleted."""
    before = sys.unraisablehook

    def send_again(unraisable: sys.UnraisableHookArgs) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        timer = threading.Timer(_SOON, _interrupt_main)
        timer.daemon = True
        timer.start()

    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt_main() -> None:
    if hasattr(signal, "pthread_kill"):
        # What the main thread waits for is interrupted, too.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        signal.raise_signal(signal.SIGINT)


def running_program() -> Program | None:
    """Return the program whose tasks are running; None in a script, a REPL or a notebook."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code.co_name == "run":  # a subclass may have one of its own
            program = frame.f_locals.get("self")
            if isinstance(program, Program):
                return program
        frame = frame.f_back
    return None


def command_of(task: str) -> str | None:
    """Return what runs a task of ours here, such as ``invoke aws.policy``.

    None if tasks.py does not have it. Outside of a command line, a task has its own name.
    """
    program = running_program()
    if program is None:
        return f"invoke {task}"
    name = _find_task(program, task)
    return name and f"{_typed_as(program)} {name}"


def name_commands_as_typed(program: Program) -> None:
    """Let messages name our tasks as they are typed on the command line of a program."""
    name_commands(_typed_as(program), partial(_find_task, program))


def _typed_as(program: Program) -> str:
    """Return what the program is called by, with the options that say where the tasks are."""
    known = program.binary_names
    name = program.called_as if program.called_as in known else known[0]
    package = getattr(sys.modules.get("__main__"), "__package__", "")
    called = f"python -m {package}" if name == "__main__.py" else name  # invoke has another name
    given = ((each, program.args[each].value) for each in _LOCATING if each in program.args)
    options = (f"--{each} {shlex.quote(str(value))}" for each, value in given if value)
    return " ".join([called, *options])


def _find_task(program: Program, task: str) -> str | None:
    """Return what the command line calls a task of ours; None if it does not have it."""
    for name in program.collection.task_names:
        body = program.collection[name].body
        if getattr(body, "__name__", "") == task and body.__module__.startswith(_OUR_TASKS):
            return name
    return None
