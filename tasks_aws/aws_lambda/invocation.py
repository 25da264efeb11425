"""Invoking a function: its payload and its response."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import FunctionError, SettingsError
from .clients import Account, Kind
from .iam_actions import need
from .retry import IDLE_FUNCTION, OTHER_CHANGE, THROTTLE, retry_while


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """What an invocation returned."""

    payload: str
    log: str
    error: str | None  # Lambda's FunctionError


def parse_payload(text: str | None) -> bytes:
    """Return the payload of `--payload`: JSON itself, @FILE, or - for standard input."""
    if text is None:
        return b"{}"
    try:
        if text == "-":
            payload = _read_standard_input()
        elif text.startswith("@"):
            payload = _read_file(Path(text[1:]))
        else:
            payload = text.encode()
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            "`--payload` is not JSON.",
            why=str(error),
            fix="""Pass JSON, such as '{"key": "value"}', or @FILE, or - for standard input.""",
        ) from error
    return payload


def _read_standard_input() -> bytes:
    try:
        return sys.stdin.buffer.read()
    except (AttributeError, OSError) as error:  # AttributeError: it is closed, sys.stdin is None
        raise SettingsError(
            "`--payload` is -, but standard input cannot be read.",
            fix="Pipe the payload in, as in `cat event.json | invoke …`, or pass @FILE.",
        ) from error


def _read_file(path: Path) -> bytes:
    try:
        if path.is_file():
            return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"The file {path} of `--payload` cannot be read.",
            why=error.strerror or str(error),
        ) from error
    raise SettingsError(f"The file {path} of `--payload` does not exist.")


def invoke(
    name: str,
    account: Account,
    *,
    payload: bytes,
    qualifier: str | None = None,
    asynchronous: bool = False,
) -> Result:
    """Invoke a function and return the result, which is empty if it is asynchronous."""
    options = {"Qualifier": qualifier} if qualifier else {}
    client = account.client("lambda", Kind.INVOKE)
    response = retry_while(
        lambda: client.invoke(
            FunctionName=name,
            Payload=payload,
            InvocationType="Event" if asynchronous else "RequestResponse",
            LogType="None" if asynchronous else "Tail",
            **options,
        ),
        THROTTLE,
        OTHER_CHANGE,
        IDLE_FUNCTION,
        name=name,
    )
    return Result(
        payload=response["Payload"].read().decode(),
        log=base64.b64decode(response.get("LogResult", "")).decode(errors="replace"),
        error=response.get("FunctionError"),
    )


def explain_function_error(name: str, result: Result) -> FunctionError:
    """Return the error for a function that returned one."""
    return FunctionError(
        f"{name} failed: {result.error}.",
        why="Its code raised an exception, ran out of time or memory, or could not be loaded.",
        fix="See its response and its log above.",
    )


ACTIONS = (
    need("lambda:InvokeFunction", tasks=("invoke",)),
    need("lambda:InvokeFunction", tasks=("deploy",), settings=("smoke",)),
)
