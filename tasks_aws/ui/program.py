"""The command line of invoke, or of another program made with it, that runs this process."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

from invoke.program import Program

_OUR_TASKS = ("tasks_aws.tasks.", "tasks_aws.local.")
INTERRUPTED = 130  # the exit code of a shell for what Ctrl-C ended


@contextmanager
def ending_at_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the command line of invoke, with the exit code of a shell.

    Elsewhere it is an ordinary `KeyboardInterrupt`.
    """
    try:
        yield
    except KeyboardInterrupt:
        if running_program() is None:
            raise
        raise SystemExit(INTERRUPTED) from None  # invoke's own would be 1


def running_program() -> Program | None:
    """Return the program whose tasks are running; None in a script, a REPL or a notebook."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is Program.run.__code__:
            program: Program = frame.f_locals["self"]
            return program
        frame = frame.f_back
    return None


def command_of(*tasks: str) -> str | None:
    """Return what runs tasks of ours here, such as ``invoke aws.assume aws.deploy``.

    A task may have its options behind its name. None if tasks.py lacks one of them. Outside of a
    command line, tasks have their own names.
    """
    program = running_program()
    if program is None:
        return " ".join(["invoke", *tasks])
    names = {}
    for name in program.collection.task_names:
        body = program.collection[name].body
        if body.__module__.startswith(_OUR_TASKS):
            names[getattr(body, "__name__", "")] = name
    words = [each.partition(" ") for each in tasks]
    if not all(task in names for task, _, _ in words):
        return None
    known, called_as = program.binary_names, program.called_as
    # `python -m invoke` is called as __main__.py.
    command = called_as if called_as in known else known[0]
    return " ".join([command, *(f"{names[task]}{gap}{rest}" for task, gap, rest in words)])
