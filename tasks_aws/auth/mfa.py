"""MFA codes: from an option, a command, or the terminal, and none of them twice."""

from __future__ import annotations

import getpass
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from ..errors import CredentialsError
from ..secret import Secret
from ..ui.output import say
from ..ui.progress import is_ci
from ..ui.prompt import has_terminal, take_terminal

T = TypeVar("T")

TRIES = 3  # how often a code may be refused


@dataclass(slots=True)
class Codes:
    """The codes of one command line: what was given, and what was already sent."""

    given: str | None = field(default=None, repr=False)
    sent: set[tuple[str, str]] = field(default_factory=set, repr=False)

    @contextmanager
    def given_first(self, code: str | None) -> Iterator[None]:
        """Use a code that the user passed before asking for one; no later than this."""
        self.given = None if code is None else Secret(code)
        try:
            yield
        finally:
            self.given = None

    def next(self, serial: str, *, command: str | None, environ: Mapping[str, str]) -> str:
        """Return a code for a device that was not sent before. Raises `CredentialsError`."""
        source = _from_command if command else _from_terminal
        given, self.given = self.given, None
        while True:
            text = given if given is not None else source(serial, command, environ)
            code = Secret(re.sub(r"\s", "", text))
            problem = self._problem(serial, code)
            if problem is None:
                self.sent.add((serial, code))
                return code
            if command and given is None:
                raise CredentialsError(
                    "`aws.mfa_command` gave no usable MFA code.", why=problem, fix="Try it by hand."
                )
            say("mfa", problem)
            given = None

    def _problem(self, serial: str, code: str) -> str | None:
        if not re.fullmatch(r"\d{6}", code, re.ASCII):
            return "A code has six digits."
        if (serial, code) in self.sent:
            return "That code was already used, and each works only once: wait for the next one."
        return None


def with_code(call: Callable[[], T], refused: Callable[[Exception], bool]) -> T:
    """Make a call that sends an MFA code; when it is the code that is refused, ask again."""
    for _ in range(TRIES - 1):
        try:
            return call()
        except Exception as error:
            if not refused(error):
                raise
            say("mfa", "AWS refused that code.")
    return call()


def _from_terminal(serial: str, command: str | None, environ: Mapping[str, str]) -> str:
    if not has_terminal():
        raise CredentialsError(
            f"An MFA code is needed for {serial}, and there is no terminal to ask for it.",
            why="Neither --mfa-code nor `aws.mfa_command` gave a usable one"
            + (", and where CI is set nobody is asked." if is_ci() else "."),
            fix="Pass --mfa-code, or set `aws.mfa_command` to a command that prints a code.",
        )
    try:
        with take_terminal():
            return getpass.getpass(f"MFA code for {serial}: ")
    except (EOFError, UnicodeDecodeError) as error:
        raise CredentialsError(
            "No MFA code was typed.", fix="Run it again and type the code."
        ) from error


def _from_command(serial: str, command: str | None, environ: Mapping[str, str]) -> str:
    # The user's own setting, run as a shell command like those of c.run; stdin and stderr stay
    # connected, so that it may ask for a touch or a PIN.
    result = subprocess.run(  # noqa: S602
        command or "", shell=True, stdout=subprocess.PIPE, text=True, errors="replace", env=environ
    )
    if result.returncode:
        raise CredentialsError(
            f"`aws.mfa_command` ended with exit code {result.returncode}.",
            why=f"A code is needed for {serial}.",
            fix="Run the command by hand to see what is wrong.",
        )
    return result.stdout
