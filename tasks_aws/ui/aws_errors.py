"""AWS's errors, matched by code and message and explained: what happened, why, what to do.

The tables stand beside the calls: `auth.sts_errors` for STS, `aws_lambda.error_messages` for
Lambda and the services around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from ..errors import TasksAwsError
from ..text.masking import without_secrets
from .output import format_duration

_LONGEST_SHOWN = 500  # characters of a message; a proxy may respond with a whole page

_Error = TypeVar("_Error", bound=TasksAwsError)


class AwsError(Protocol):
    """botocore's `ClientError`, as far as it is read here."""

    operation_name: str

    @property
    def response(self) -> Any:
        """Return the parsed response."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorPattern:
    """A kind of error, by regular expressions."""

    code: str  # the whole error code
    message: str = ""  # any part of the message
    operation: str = ""  # any part of the operation's name

    def matches(self, error: AwsError) -> bool:
        """Return whether an error is of this kind."""
        return bool(
            re.fullmatch(self.code, error_code(error))
            and re.search(self.message, error_message(error))
            and re.search(self.operation, error.operation_name)
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorText(ErrorPattern):
    """What users read about a kind of error.

    Each part may contain `{message}` and `{code}`, which are AWS's, `{attempts}`, `{waited}`, and
    words of the caller's own.
    """

    what: str = "{what}"
    why: str = "{message}"
    fix: str = ""


def explain(
    error: AwsError,
    texts: Iterable[ErrorText],
    kind: type[_Error],
    *,
    sent: object = None,
    **words: str | None,
) -> _Error:
    """Return the error that users see, from the first text that matches; the last one must.

    Secrets among the values that were `sent` are masked, before a long message is cut.
    """
    text = next(each for each in texts if each.matches(error))
    words |= {
        "code": error_code(error) or "unknown error",
        "message": _join_lines(without_secrets(_raw_message(error), sent))[:_LONGEST_SHOWN],
        "attempts": _attempts(error),
        "waited": _waited(error),
    }
    what, why, fix = (part.format(**words) for part in (text.what, text.why, text.fix))
    return kind(what[:1].upper() + what[1:], why=why, fix=fix)


def error_code(error: AwsError) -> str:
    """Return AWS's error code, or the HTTP status if the response has no body."""
    return _join_lines(str(error.response.get("Error", {}).get("Code") or ""))


def error_message(error: AwsError) -> str:
    """Return AWS's message on one line, which may be empty."""
    return _join_lines(_raw_message(error))


def retry_count(error: AwsError) -> int:
    """Return how many times the request was repeated."""
    return int(error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0))


def _raw_message(error: AwsError) -> str:
    return str(error.response.get("Error", {}).get("Message") or "")


def _join_lines(message: str) -> str:
    return " ".join(message.split())


def _attempts(error: AwsError) -> str:
    """Return how many attempts were made, in parentheses; nothing if there was only one."""
    retries = retry_count(error)
    return f" ({retries + 1} attempts)" if retries else ""


def _waited(error: AwsError) -> str:
    """Return how long the request was repeated, as the end of a clause; nothing if it was not."""
    seconds = error.response.get("ResponseMetadata", {}).get("SecondsWaited")
    return f" after {format_duration(seconds)}" if seconds else ""
