"""AWS's errors are matched by code, message and operation, and explained by the first match."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tasks_aws.errors import CredentialsError, FunctionError
from tasks_aws.ui.aws_errors import ErrorPattern, ErrorText, explain

TEXTS = (
    ErrorText(code="Denied.*", message="PassRole", fix="Allow iam:PassRole."),
    ErrorText(code="Throttled", what="{subject} failed.", why="Throttled{attempts}: {message}"),
    ErrorText(code=".*", why="{code}: {message}"),
)


def error(code: str, message: str = "", **metadata: Any) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(answer, "GetParameter")


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (ErrorPattern(code="Denied.*"), True),
        (ErrorPattern(code="Denied"), False),  # the whole code
        (ErrorPattern(code="Denied.*", message="authorized"), True),
        (ErrorPattern(code="Denied.*", message="^authorized"), False),
        (ErrorPattern(code="Denied.*", operation="GetParameter|GetSecretValue"), True),
        (ErrorPattern(code="Denied.*", operation="HeadObject"), False),
    ],
)
def test_a_pattern_matches_code_message_and_operation(pattern: ErrorPattern, matches: bool) -> None:
    assert pattern.matches(error("DeniedException", "not authorized")) is matches


def test_the_first_text_that_matches_explains_the_error() -> None:
    denied = explain(error("Denied", "no PassRole"), TEXTS, FunctionError, what="No.")
    other = explain(error("Denied", "nothing"), TEXTS, FunctionError, what="No.")

    assert str(denied) == "No.\n  why: no PassRole\n  fix: Allow iam:PassRole."
    assert str(other) == "No.\n  why: Denied: nothing"


@pytest.mark.parametrize(
    ("retries", "why"),
    [(0, "Throttled: Slow down"), (1, "Throttled (2 attempts): Slow down")],
)
def test_attempts_are_told_if_there_were_several(retries: int, why: str) -> None:
    failed = error("Throttled", "Slow down", RetryAttempts=retries)

    explained = explain(failed, TEXTS, CredentialsError, what="", subject="the role {x}")

    assert str(explained) == f"The role {{x}} failed.\n  why: {why}"


def test_a_page_in_place_of_a_message_is_cut_short_and_on_one_line() -> None:
    page = error("502", "<html>\n  <body>" + "x" * 10_000)

    text = str(explain(page, TEXTS, FunctionError, what="No."))

    assert "502: <html> <body>xxx" in text
    assert len(text) < 600


def test_an_answer_without_an_error_is_explained_too() -> None:
    empty: Any = {}

    assert str(explain(ClientError(empty, "X"), TEXTS, FunctionError, what="No.")).startswith("No.")
