"""MFA codes: from an option, a command or the terminal, and none of them twice."""

from __future__ import annotations

import re
import subprocess

from ..errors import CredentialsError
from ..process.loopback import is_local
from ..secret import Secret
from ..ui.output import say
from ..ui.prompt import ask_hidden, has_terminal, why_no_prompt
from .environment import users_environment

TRIES = 3  # how often a code may be refused

_ANY_CODE = "000000"
_MALFORMED = "An MFA code has six digits."

SentCodes = set[tuple[str, str]]  # (serial number, code) pairs that AWS has been sent


def read_code(serial: str, *, given: Secret | None, command: str | None, sent: SentCodes) -> Secret:
    """Return a code of an MFA device that was not sent before, and note it as sent.

    A code that was `given` comes before the output of `aws.mfa_command`, and that before a
    question on the terminal. An embedded AWS takes any code. Raises `CredentialsError`.
    """
    if is_local():
        return Secret(_ANY_CODE)
    while True:
        text = given or (_run_command(serial, command) if command else _ask(serial))
        code = Secret(re.sub(r"\s", "", text))
        problem = _problem(serial, code, sent)
        if problem is None:
            sent.add((serial, code))
            return code
        if command and not given:
            raise CredentialsError(
                "`aws.mfa_command` printed no usable MFA code.",
                why=problem,
                fix="Run the command by hand to see what it prints."
                if problem is _MALFORMED
                else "Run this again when the device shows the next code.",
            )
        if not can_try_again(command):
            raise CredentialsError(
                f"The code of --mfa-code cannot be used for {serial}.",
                why=problem,
                fix="Pass the six digits that the device shows."
                if problem is _MALFORMED
                else "Run this again with the next code.",
            )
        say("mfa", problem)
        given = None


def _problem(serial: str, code: str, sent: SentCodes) -> str | None:
    if not re.fullmatch(r"\d{6}", code, re.ASCII):
        return _MALFORMED
    if (serial, code) in sent:
        return "That code was already used, and each works only once: wait for the next one."
    return None


def can_try_again(command: str | None) -> bool:
    """Return whether there is another code to be had, once that of --mfa-code is used up."""
    return command is not None or has_terminal()


def _ask(serial: str) -> str:
    if reason := why_no_prompt():
        raise CredentialsError(
            f"An MFA code is needed for {serial}, and nobody can be asked for it.",
            why=f"Neither --mfa-code nor `aws.mfa_command` gave a usable one, and {reason}.",
            fix="Pass --mfa-code, or set `aws.mfa_command` to a command that prints a code.",
        )
    try:
        return ask_hidden(f"MFA code for {serial}: ")
    except EOFError as error:
        raise CredentialsError(
            "No MFA code was typed.", fix="Run the command again and type the code."
        ) from error


def _run_command(serial: str, command: str) -> str:
    # The user's own setting, run as a shell command like those of c.run; stdin and stderr stay
    # connected, so that it may ask for a touch or a PIN.
    result = subprocess.run(  # noqa: S602
        command,
        shell=True,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
        env=users_environment(),
    )
    if result.returncode:
        raise CredentialsError(
            f"`aws.mfa_command` failed with exit code {result.returncode}.",
            why=f"It must print an MFA code for {serial}.",
            fix="Run the command by hand to see what is wrong.",
        )
    return result.stdout
