"""What Lambda answers when it refuses, in sentences that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, WaiterError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from ..errors import FunctionError


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str  # patterns for the error's code and message
    message: str
    why: str
    fix: str


# Codes and texts as seen in AWS's answers. The first row that matches counts.
_REFUSALS = (
    _Refusal(
        "AccessDenied.*",
        "iam:PassRole",
        "{message}",
        "Allow iam:PassRole on the function's role to the role that deploys.",
    ),
    _Refusal("AccessDenied.*", "", "{message}", "Allow that action to the role that deploys."),
    _Refusal(
        "PreconditionFailedException",
        "",
        "The function changed since it was read: by another deploy, or in the console.",
        "Run it again.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "cannot be assumed",
        "{message}",
        "Let the role in `Role` trust lambda.amazonaws.com; if it is new, wait and run it again.",
    ),
    _Refusal(
        "RequestEntityTooLargeException|InvalidParameterValueException",
        "must be smaller than|Request must be smaller",
        "{message}",
        "Leave files out with `exclude`, or dependencies out of the requirements.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "4KB limit",  # AWS's text goes on with the values themselves
        "The environment variables are longer than 4 KB.",
        "Shorten them, or keep long values in SSM or Secrets Manager.",
    ),
    _Refusal(
        "ExpiredToken|ExpiredTokenException|InvalidClientTokenId|UnrecognizedClientException",
        "",
        "The credentials have ended: {message}",
        "Run it again with `assume --fresh` before it.",
    ),
    _Refusal("CodeStorageExceededException", "", "{message}", "Delete old versions of functions."),
    _Refusal("ResourceNotFoundException", "", "{message}", "Deploy it first, or correct its name."),
)


@contextmanager
def translating(name: str, doing: str) -> Iterator[None]:
    """Turn an error of botocore into a `FunctionError` that says what could not be done."""
    what = f"Lambda could not {doing} {name}."
    try:
        yield
    except ClientError as error:
        raise _from_answer(what, error) from error
    except WaiterError as error:
        raise _from_state(what, error) from error
    except (BotocoreConnectionError, HTTPClientError) as error:
        raise FunctionError(
            what,
            why=str(error),
            fix="Check the network, the proxy, the region and AWS_ENDPOINT_URL; then run it again.",
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise FunctionError(what, why=str(error), fix="Correct what it names.") from error


def is_conflict(error: ClientError) -> bool:
    """Tell whether another change to the function is under way, which one can wait for."""
    return error.response["Error"]["Code"] == "ResourceConflictException"


def role_not_ready(error: ClientError) -> bool:
    """Tell whether Lambda cannot use the role yet, as for a while after its creation."""
    message = error.response["Error"].get("Message", "")
    return bool(
        re.search(
            "role.*cannot be assumed|does not have permissions to call|valid principal", message
        )
    )


def _from_answer(what: str, error: ClientError) -> FunctionError:
    answer = error.response.get("Error", {})
    code, message = answer.get("Code", ""), answer.get("Message", "")
    for row in _REFUSALS:
        if re.fullmatch(row.code, code) and re.search(row.message, message):
            return FunctionError(what, why=row.why.format(message=message), fix=row.fix)
    return FunctionError(what, why=f"{code}: {message}", fix="Correct what it names.")


def _from_state(what: str, error: WaiterError) -> FunctionError:
    answer: Any = error.last_response
    state = answer.get("Configuration", answer)
    reason = state.get("LastUpdateStatusReason") or state.get("StateReason") or str(error)
    code = state.get("LastUpdateStatusReasonCode") or state.get("StateReasonCode") or ""
    return FunctionError(
        what,
        why=f"{code}: {reason}" if code else reason,
        fix="Correct what it names and run it again; until then the code from before serves.",
    )
