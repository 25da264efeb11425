"""Refusals that pass by themselves, and making a call again until they have."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from ..ui.output import say

# How long another change to a function may take.
CONFLICT_PATIENCE_SECONDS = 300

_LONGEST_PAUSE_SECONDS = 8.0


def patiently(
    call: Callable[[], Any],
    passing: Callable[[ClientError], bool],
    *,
    subject: str,
    seconds: float,
    between: Callable[[], object] = lambda: None,
) -> Any:
    """Return what a call returns, made again for so many seconds while its refusal passes.

    `between` is called before each further try; it may wait by itself.
    """
    deadline, pause, told = time.monotonic() + seconds, 0.5, False
    while True:
        try:
            return call()
        except ClientError as error:
            if not passing(error) or time.monotonic() + pause > deadline:
                raise
            if not told:
                say("waiting", f"{subject}  {error_message(error)}")
                told = True
        time.sleep(pause)
        between()
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def error_code(error: ClientError) -> str:
    """Return AWS's code of an error, or its HTTP status where the answer had no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_conflict(error: ClientError) -> bool:
    """Tell whether another change to the function is under way, which one can wait for."""
    return error_code(error) == "ResourceConflictException" and not exists_already(error)


def exists_already(error: ClientError) -> bool:
    """Tell whether what was to be created is there."""
    # "already exist", "already exists", and of a URL "FunctionUrlConfig exists"
    return error_code(error) == "ResourceConflictException" and bool(
        re.search("already exist|Config exists", error_message(error))
    )


def is_stale(error: ClientError) -> bool:
    """Tell whether the function has changed since it was read."""
    return error_code(error) == "PreconditionFailedException"


def is_busy(error: ClientError) -> bool:
    """Tell whether an event source mapping is still being changed."""
    return error_code(error) == "ResourceInUseException"


def is_throttled(error: ClientError) -> bool:
    """Tell whether a request was not even begun, for want of room."""
    return error_code(error) == "TooManyRequestsException"


def role_not_ready(error: ClientError) -> bool:
    """Tell whether Lambda cannot use the role yet, as for a while after its creation."""
    pattern = "role.*cannot be assumed|does not have permissions to call|valid principal"
    return error_code(error) == "InvalidParameterValueException" and bool(
        re.search(pattern, error_message(error))
    )


def error_message(error: ClientError) -> str:
    """Return AWS's words for an error, which may be none."""
    return str(error.response.get("Error", {}).get("Message") or "")
