"""The command line of invoke, or of another program made with it, that runs this process."""

from __future__ import annotations

import inspect

from invoke.program import Program


def running_program() -> Program | None:
    """Return the program whose tasks are running; None in a script, a REPL or a notebook."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code is Program.run.__code__:
            program: Program = frame.f_locals["self"]
            return program
        frame = frame.f_back
    return None
