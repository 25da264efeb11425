"""What is waited for, how long and how often; and calls that are repeated meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from botocore.exceptions import ClientError

from ..ui.aws_errors import ErrorPattern, error_message, retry_count
from ..ui.output import say


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wait:
    """How long to wait for something, and how often to look."""

    subject: str  # completes "waiting for …", where that is said
    seconds: float = inf  # inf: the caller decides when to stop
    first_pause: float = 0.5
    longest_pause: float = 8.0
    growth: float = 2
    errors: ErrorPattern | None = None  # the error that AWS returns until then

    def pauses(self) -> Iterator[float]:
        """Yield the pauses between attempts, which grow up to `longest_pause`."""
        pause = self.first_pause
        while True:
            yield pause
            pause = min(pause * self.growth, self.longest_pause)


# "already exist", "already exists", and of a URL "FunctionUrlConfig exists"
_EXISTS = "already exist|Config exists"
_FAILED = "following state: Failed"  # at its creation, which stays so

CONFLICT = "(Resource)?ConflictException"  # of Lambda, and of EventBridge Scheduler

OTHER_CHANGE = Wait(
    subject="another change to end",
    seconds=300,
    errors=ErrorPattern(code=CONFLICT, message=f"^(?!.*({_EXISTS}|{_FAILED}))"),
)
NOT_READY = ErrorPattern(
    code="CodeArtifactUserPendingException|ResourceNotReadyException|SnapStartNotReadyException"
)
# Of functions that were idle for weeks, the first invocation is refused: it makes Lambda provide
# their network interfaces, images or snapshots again.
IDLE_FUNCTION = Wait(
    subject="the function to be ready",
    seconds=600,
    errors=NOT_READY,
)
NEW_ROLE = Wait(
    subject="the execution role to be ready",  # as it is a while after it was created
    seconds=120,
    errors=ErrorPattern(
        code="InvalidParameterValueException|ValidationException",
        message="role.*cannot be assumed|does not have permissions to call|valid principal|"
        "ensure the role can perform|must allow AWS EventBridge Scheduler to assume",
    ),
)
EVENT_SOURCE_CHANGE = Wait(
    subject="an event source mapping to be changed",
    seconds=60,
    errors=ErrorPattern(code="ResourceInUseException"),
)
THROTTLE = Wait(
    subject="Lambda to accept more requests",
    seconds=30,
    errors=ErrorPattern(code="TooManyRequestsException"),
)
# Most changes are done in half a second: polling once per second would double their time.
UPDATE = Wait(subject="a change to end", seconds=600, first_pause=0.1, longest_pause=2, growth=1.5)
# The snapshot of SnapStart takes minutes: botocore's own waiter has the same patience.
NEW_VERSION = Wait(
    subject="the version to be ready", seconds=1560, first_pause=0.1, longest_pause=5, growth=1.5
)
EVENT_SOURCE_STATE = Wait(
    subject="the state of an event source mapping", seconds=60, first_pause=1, longest_pause=1
)
# Packaging and uploading a layer may take minutes; all shards begin with that at the same time.
OTHER_SHARD = Wait(
    subject="another shard to publish a layer", seconds=600, first_pause=1, longest_pause=10
)
# CloudWatch has an error after a minute at the latest: a few reads per minute are enough.
CANARY_ERRORS = Wait(subject="errors of a new version", first_pause=15, longest_pause=15)
LOG_EVENTS = Wait(subject="new log events", first_pause=1, longest_pause=1)

ALREADY_EXISTS = ErrorPattern(code=CONFLICT, message=_EXISTS)
FAILED_AT_CREATION = ErrorPattern(code="ResourceConflictException", message=_FAILED)
STALE_REVISION = ErrorPattern(code="PreconditionFailedException")
NOT_FOUND = ErrorPattern(code="ResourceNotFoundException")


def retry_while(
    call: Callable[[], Any],
    *waits: Wait,
    name: str,
    between: Callable[[], object] = lambda: None,
) -> Any:
    """Return what a call returns, repeated while AWS responds with an error that a wait names.

    `between` is called before each further attempt; it may wait by itself.
    """
    retries = 0
    ends: dict[Wait, float] = {}  # each wait has its own time, from its first error on
    pauses = {wait: wait.pauses() for wait in waits}
    current: Wait | None = None
    while True:
        try:
            return call()
        except ClientError as error:
            before, current = current, _wait_for(error, waits)
            now = time.monotonic()
            pause = next(pauses[current]) if current else 0
            if current is None or now + pause > ends.setdefault(current, now + current.seconds):
                _record_attempts(error, retries, current)
                raise
            retries += 1 + retry_count(error)
            if current is not before:
                say("waiting", f"{name}  for {current.subject}: {error_message(error)}")
        time.sleep(pause)
        between()


def _wait_for(error: ClientError, waits: tuple[Wait, ...]) -> Wait | None:
    return next((each for each in waits if each.errors and each.errors.matches(error)), None)


def _record_attempts(error: ClientError, retries: int, wait: Wait | None) -> None:
    """Add attempts of ours to those that botocore has counted, and the wait, for the message."""
    metadata: Any = error.response.setdefault("ResponseMetadata", {})  # type: ignore[typeddict-item]
    metadata["RetryAttempts"] = retries + retry_count(error)
    metadata["SecondsWaited"] = wait.seconds if wait else 0
