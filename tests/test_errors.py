"""Errors say what happened, why and what to do; those of many functions are counted by name."""

from __future__ import annotations

import pytest

from tasks_aws.errors import FunctionError, TasksAwsError, raise_failures

WHAT = "failed"


def test_an_error_is_a_sentence_with_why_and_fix_if_there_are_any() -> None:
    assert str(TasksAwsError("No.")) == "No."
    assert str(TasksAwsError("No.", why="So.", fix="Go.")) == "No.\n  why: So.\n  fix: Go."


def test_without_failures_nothing_is_raised() -> None:
    raise_failures([], of=2, what=WHAT)


def test_the_error_of_a_single_function_is_raised_as_it_is() -> None:
    error = FunctionError("No.")

    with pytest.raises(FunctionError) as caught:
        raise_failures([("hello", error)], of=1, what=WHAT)

    assert caught.value is error


def test_errors_of_many_are_printed_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    failures = [("one", FunctionError("No.")), ("two", FunctionError("Never."))]

    with pytest.raises(FunctionError, match=r"2 of 3 functions failed\."):
        raise_failures(failures, of=3, what=WHAT)
    with pytest.raises(FunctionError, match=r"2 of 2 functions and layers failed\."):
        raise_failures(failures, of=2, things="functions and layers", what=WHAT)

    assert capsys.readouterr().err == "one: No.\ntwo: Never.\n" * 2
