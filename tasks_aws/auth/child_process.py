"""Running one program with the credentials: what `exec` and `shell` do."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from invoke.context import Context

from ..errors import SettingsError, TasksAwsError
from ..text.as_typed import command
from ..ui.prompt import lend_terminal

NESTED = "TASKS_AWS_SHELL"  # set inside `shell`, to the role that it was opened for
CANNOT_RUN, NO_PROGRAM = 126, 127  # the exit codes of a shell


def words_after_dashes(c: Context) -> list[str]:
    """Return the words after ``--`` as they were typed.

    invoke joins them with spaces and loses their quoting; the command line of this process still
    has it.
    """
    remainder = getattr(c, "remainder", None) or ""  # invoke 2 has no such attribute
    typed = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    if typed and remainder in ("", " ".join(typed)):
        return typed
    try:
        words = shlex.split(remainder)
    except ValueError:
        words = []
    if not words:
        raise SettingsError(
            "`exec` needs a command to run.",
            fix=f"Write it after two dashes: {command('assume exec -- terraform apply')}",
        )
    return words


def run_program(words: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program without a shell, wait for it, and return its exit code.

    The program has the terminal: Ctrl-C reaches it from there, and this process ignores it.
    SIGTERM and SIGHUP are passed on to it. A program that was ended by a signal gives 128 + the
    number of the signal.
    """
    with _forwarded_signals() as forward_to:
        try:
            process = subprocess.Popen([_find(words[0], environ), *words[1:]], env=dict(environ))
        except FileNotFoundError as error:
            raise _not_run(words[0], "no such program", NO_PROGRAM) from error
        except PermissionError as error:
            raise _not_run(words[0], "permission denied", CANNOT_RUN) from error
        except OSError as error:  # not an executable format, or too many arguments
            raise _not_run(words[0], error.strerror or str(error), CANNOT_RUN) from error
        forward_to.append(process)
        with lend_terminal(process.pid):
            code = process.wait()
    return code if code >= 0 else 128 - code


def _find(program: str, environ: Mapping[str, str]) -> str:
    """Return what starts a program: on its own, Windows finds no npm.cmd for `npm`."""
    found = shutil.which(program, path=environ.get("PATH")) if os.name == "nt" else None
    return found or program


@contextmanager
def _forwarded_signals() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Leave the terminal's signals to the child, and pass on those that come from elsewhere.

    Handlers, not SIG_IGN: a child inherits the latter, and would be deaf to Ctrl-C.
    """
    processes: list[subprocess.Popen[bytes]] = []

    def ignore(number: int, frame: object) -> None:
        pass

    def forward(number: int, frame: object) -> None:
        for process in processes:
            process.send_signal(number)

    handlers: dict[str, Any] = {"SIGINT": ignore, "SIGQUIT": ignore, "SIGBREAK": ignore}
    handlers |= {"SIGTERM": forward, "SIGHUP": forward}
    numbers = {
        getattr(signal, name): each for name, each in handlers.items() if hasattr(signal, name)
    }
    before = {number: signal.signal(number, handler) for number, handler in numbers.items()}
    try:
        yield processes
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _not_run(program: str, why: str, code: int) -> TasksAwsError:
    # The exit code that a shell would give.
    return TasksAwsError(f"Cannot run {program}: {why}.", fix="Check its name and PATH.", code=code)
