"""Invoking a function."""

from __future__ import annotations

import base64
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from ..errors import FunctionError, SettingsError
from .clients import Account, Kind
from .retry import is_throttled, patiently

_THROTTLE_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What a function answered."""

    payload: str
    log: str
    error: str | None  # Lambda's FunctionError


def payload_from(text: str | None) -> bytes:
    """Return the payload that an option names: JSON itself, @FILE, or - for standard input."""
    if text is None:
        return b"{}"
    try:
        if text == "-":
            payload = _standard_input()
        elif text.startswith("@"):
            payload = _content(Path(text[1:]))
        else:
            payload = text.encode()
        json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            "`--payload` is not JSON.",
            why=str(error),
            fix="""Write JSON, such as '{"key": "value"}', or @FILE, or - for standard input.""",
        ) from error
    return payload


def _standard_input() -> bytes:
    try:
        return sys.stdin.buffer.read()
    except (AttributeError, OSError) as error:  # the former where it is closed: there is none
        raise SettingsError(
            "`--payload` is -, and there is no standard input.",
            fix="Write into it: `… | invoke …`, or name a file with @FILE.",
        ) from error


def _content(path: Path) -> bytes:
    try:
        if path.is_file():
            return path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"`--payload` names {path}, which cannot be read.",
            why=error.strerror or str(error),
            fix="Correct it.",
        ) from error
    raise SettingsError(f"`--payload` names {path}, which does not exist.", fix="Correct it.")


def run(
    name: str,
    account: Account,
    *,
    payload: bytes,
    qualifier: str | None = None,
    asynchronous: bool = False,
) -> Answer:
    """Invoke a function and return its answer; an asynchronous one has none."""
    options = {"Qualifier": qualifier} if qualifier else {}
    client = account.client("lambda", Kind.INVOKE)
    found = patiently(
        lambda: client.invoke(
            FunctionName=name,
            Payload=payload,
            InvocationType="Event" if asynchronous else "RequestResponse",
            LogType="None" if asynchronous else "Tail",
            **options,
        ),
        is_throttled,
        subject=name,
        seconds=_THROTTLE_PATIENCE_SECONDS,
    )
    return Answer(
        payload=found["Payload"].read().decode(),
        log=base64.b64decode(found.get("LogResult", "")).decode(errors="replace"),
        error=found.get("FunctionError"),
    )


def failed(name: str, answer: Answer) -> FunctionError:
    """Return the error for a function that answered with one."""
    return FunctionError(
        f"{name} failed: {answer.error}.",
        why="Its code raised an exception, ran out of time or memory, or could not be loaded.",
        fix="See its answer and its log above.",
    )
