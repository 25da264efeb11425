"""What passes by itself is waited for, and not for longer than the table says."""

from __future__ import annotations

import time
from itertools import islice
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tasks_aws.aws_lambda.error_messages import translating
from tasks_aws.aws_lambda.retry import (
    ALREADY_EXISTS,
    IDLE_FUNCTION,
    NEW_ROLE,
    OTHER_CHANGE,
    THROTTLE,
    Wait,
    retry_while,
)
from tasks_aws.errors import FunctionError
from tasks_aws.ui.aws_errors import retry_count

IN_PROGRESS = ("ResourceConflictException", "An update is in progress for resource: …")
THROTTLED = ("TooManyRequestsException", "Rate exceeded")
IDLE = ("SnapStartNotReadyException", "initializing")
NOT_ASSUMED = (
    "InvalidParameterValueException",
    "The role defined for the function cannot be assumed by Lambda.",
)


def failure(code: str, message: str = "", **metadata: int) -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": metadata}
    return ClientError(answer, "Create")


class Clock:
    """Time that passes only in pauses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.pauses = 0.0, list[float]()
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    ("wait", "error"),
    [(OTHER_CHANGE, IN_PROGRESS), (NEW_ROLE, NOT_ASSUMED), (THROTTLE, THROTTLED)],
    ids=["another change", "a new role", "throttling"],
)
def test_a_wait_ends_within_the_time_of_the_table(
    clock: Clock, wait: Wait, error: tuple[str, str]
) -> None:
    def call() -> None:
        raise failure(*error)

    with pytest.raises(ClientError):
        retry_while(call, OTHER_CHANGE, NEW_ROLE, THROTTLE, name="hello")

    assert wait.seconds - wait.longest_pause < clock.now <= wait.seconds


def test_what_is_waited_for_is_said_once_and_the_result_returned(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    results = iter([failure(*IN_PROGRESS), failure(*IN_PROGRESS), failure(*NOT_ASSUMED), "done"])

    def call() -> object:
        result = next(results)
        if isinstance(result, ClientError):
            raise result
        return result

    assert retry_while(call, OTHER_CHANGE, NEW_ROLE, name="hello") == "done"
    assert capsys.readouterr().err == (
        f"waiting   hello  for another change to end: {IN_PROGRESS[1]}\n"
        f"waiting   hello  for the execution role to be ready: {NOT_ASSUMED[1]}\n"
    )


def test_pauses_grow_to_the_longest() -> None:
    wait = Wait(subject="it", first_pause=1, longest_pause=3)

    assert [*islice(wait.pauses(), 5)] == [1, 2, 3, 3, 3]


def test_other_errors_are_raised_at_once(clock: Clock) -> None:
    def call() -> None:
        raise failure("ServiceException")

    with pytest.raises(ClientError):
        retry_while(call, OTHER_CHANGE, NEW_ROLE, name="hello")

    assert clock.pauses == []


@pytest.mark.parametrize(
    ("wait", "error", "words"),
    [
        (OTHER_CHANGE, IN_PROGRESS, "Another change has not ended after 5 min: An update"),
        (IDLE_FUNCTION, IDLE, "The function is not ready after 10 min: initializing"),
    ],
)
def test_a_message_says_how_long_it_was_waited(
    clock: Clock, wait: Wait, error: tuple[str, str], words: str
) -> None:
    def call() -> None:
        raise failure(*error)

    with pytest.raises(FunctionError) as caught, translating("hello", "update"):
        retry_while(call, wait, name="hello")

    assert words in caught.value.why


def test_attempts_of_botocore_and_of_ours_are_counted_together(clock: Clock) -> None:
    errors = iter([*(failure(*IN_PROGRESS, RetryAttempts=2) for _ in range(2)), failure("Other")])

    def call() -> None:
        raise next(errors)

    with pytest.raises(ClientError) as caught:
        retry_while(call, OTHER_CHANGE, name="hello")

    assert retry_count(caught.value) == 6  # of 7 attempts: 3, 3 and 1


@pytest.mark.parametrize(
    "message",
    [
        "Function already exist: hello",
        "Alias already exists: arn:aws:lambda:…",
        "Failed to create function url config for [functionArn = …]. Error message:  "
        "FunctionUrlConfig exists for this Lambda function",
    ],
)
def test_what_exists_already_is_not_waited_for(message: str) -> None:
    error = failure("ResourceConflictException", message)

    assert ALREADY_EXISTS.matches(error)
    assert OTHER_CHANGE.errors
    assert not OTHER_CHANGE.errors.matches(error)
