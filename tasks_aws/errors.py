"""The errors that users see: what happened, why, and what to do about it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping

from invoke.exceptions import Exit

from .text.as_typed import with_keys_as_typed
from .text.masking import mask_exception
from .text.printable import printable
from .text.terminal import is_terminal, paint, wrap

_INDENT = 7  # of `why` and `fix`

__all__ = ["CredentialsError", "FunctionError", "PackageError", "SettingsError", "TasksAwsError"]


class TasksAwsError(Exit):
    """A user's mistake, or a refusal by AWS; invoke prints it on stderr and exits with `code`.

    `TasksAwsError`
      - `SettingsError`     a setting, an option or an AWS config file is wrong
      - `CredentialsError`  credentials cannot be obtained, or must not be used
      - `PackageError`      an archive cannot be built
      - `FunctionError`     Lambda refused a change, or a function failed

    Attributes:
        what: What happened, in one sentence.
        why: The cause; empty if `what` says it all.
        fix: What to do about it; empty if nobody can tell.
        code: invoke's exit code.
        message: The text that invoke prints. It is `str(error)`: `what` on the first line, then
            `why` and `fix`, each on a line of its own. On a terminal it starts with `error:`.

    >>> print(TasksAwsError("There is no profile `prod`.", fix="Correct `aws.profile`."))
    There is no profile `prod`.
      fix: Correct `aws.profile`.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", code: int = 1) -> None:
        what, why, fix = map(printable, (what, why, fix))
        mask_exception(sys.exc_info()[1])  # the cause, which a traceback shows
        lines = [what, why and f"  why: {why}", fix and f"  fix: {fix}"]
        super().__init__(message="\n".join(filter(None, lines)), code=code)
        self.what = what
        self.why = why
        self.fix = fix
        self.args = (what,)  # `copy` and `pickle` call the class with these, then set the rest

    @property
    def message(self) -> str:
        return _for_terminal(str(self))

    @message.setter
    def message(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return with_keys_as_typed(self._text)


class SettingsError(TasksAwsError):
    """A setting, an option or an AWS config file is wrong; nothing was sent to AWS."""


class WrongSettingsError(SettingsError):
    """All mistakes that one reader of the settings has found; others may find more."""

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        fix: str = "",
        code: int = 1,
        mistakes: Iterable[SettingsError] = (),
    ) -> None:
        super().__init__(what, why=why, fix=fix, code=code)
        self.mistakes = tuple(mistakes)


class CredentialsError(TasksAwsError):
    """Credentials cannot be obtained, have expired, or belong to another account."""


class PackageError(TasksAwsError):
    """An archive cannot be built; nothing was uploaded."""


class FunctionError(TasksAwsError):
    """Lambda refused a change, or a function returned an error."""


def refuse_beside(option: str, others: Mapping[str, object], *, why: str) -> None:
    """Raise `SettingsError` for the first of other options that is given beside an option."""
    for other, given in others.items():
        if given:
            raise SettingsError(
                f"`{option}` and `{other}` cannot be combined.",
                why=why,
                fix="Leave out one of them.",
            )


def raise_failures(
    outcomes: Iterable[tuple[str, object]], *, what: str, things: str = "functions"
) -> None:
    """Raise the errors that are among the outcomes of things, which come with their names.

    If there is only one thing, its error is raised as it is. Otherwise all errors are printed,
    and one for all is raised: "2 of 3 functions failed.", with `what` as its end. Errors of one
    class give an error of that class, and those with one exit code an error with that.
    """
    outcomes = [*outcomes]
    failures = [(name, each) for name, each in outcomes if isinstance(each, TasksAwsError)]
    if failures and len(outcomes) == 1:
        raise failures[0][1]
    for name, error in failures:
        print(_for_terminal(printable(f"{name}: {error}")), file=sys.stderr)
    if failures:
        classes = {type(error) for _, error in failures}
        one = classes.pop() if len(classes) == 1 else FunctionError
        codes = {error.code for _, error in failures}
        code = codes.pop() if len(codes) == 1 else 1
        raise one(f"{len(failures)} of {len(outcomes)} {things} {what}.", code=code)


def _for_terminal(text: str) -> str:
    """Return the text of an error as stderr is to show it; without a terminal, as it is."""
    if not is_terminal(sys.stderr):
        return text
    what, *rest = (wrap(line, indent=_INDENT) for line in f"error: {text}".split("\n"))
    mark, what = what.partition(" ")[::2]
    return "\n".join([f"{paint(mark, 'bold', 'red')} {what}", *map(_paint_label, rest)])


def _paint_label(line: str) -> str:
    """Return a line with `why:` or `fix:` at its start, if that is there, in bold."""
    for label in ("why:", "fix:"):
        if line.startswith(f"  {label} "):
            return f"  {paint(label, 'bold')}{line[2 + len(label) :]}"
    return line
