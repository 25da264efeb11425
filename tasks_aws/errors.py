"""The errors that users see: what happened, why, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from invoke.exceptions import Exit


class TasksAwsError(Exit):
    """A user's mistake or a refusal by AWS; invoke prints it on stderr and exits with `code`.

    `TasksAwsError`
      - `SettingsError`     a setting, an option or an AWS config file is wrong
      - `CredentialsError`  credentials could not be obtained, or may not be used
      - `PackageError`      an archive could not be built
      - `FunctionError`     Lambda refused a change, or a function failed
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", code: int = 1) -> None:
        self.what, self.why, self.fix = what, why, fix
        lines = [what]
        if why:
            lines.append(f"  why: {why}")
        if fix:
            lines.append(f"  fix: {fix}")
        super().__init__(message="\n".join(lines), code=code)

    def __str__(self) -> str:
        return str(self.message)


class SettingsError(TasksAwsError):
    """A setting, an option or an AWS config file is wrong; nothing was sent to AWS."""


class CredentialsError(TasksAwsError):
    """Credentials could not be obtained, have run out, or belong to another account."""


class PackageError(TasksAwsError):
    """A function's archive could not be built; nothing was uploaded."""


class FunctionError(TasksAwsError):
    """Lambda refused a change, or the function answered with an error."""


def raise_failures(
    failures: Sequence[tuple[str, TasksAwsError]], *, of: int, what: str, things: str = "functions"
) -> None:
    """Raise the errors of some of `of` things, if there are any.

    If there is only one thing, its error is raised as it is. Otherwise all errors are printed,
    and one for all is raised: "2 of 3 functions failed.", with `what` as its end.
    """
    if failures and of == 1:
        raise failures[0][1]
    for name, error in failures:
        print(f"{name}: {error}", file=sys.stderr)
    if failures:
        raise FunctionError(f"{len(failures)} of {of} {things} {what}.")
