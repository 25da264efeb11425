"""Invoking a function: its payload and its response."""

from __future__ import annotations

import base64
import codecs
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from urllib3.exceptions import HTTPError

from ..errors import FunctionError, SettingsError
from ..process.loopback import is_local
from ..ui.output import print_result
from .clients import Account, Kind
from .iam_actions import need
from .parameters import input_shape
from .retry import IDLE_FUNCTION, OTHER_CHANGE, THROTTLE, retry_while
from .validation import find_problems

CLIENT_CONTEXT_MAXIMUM_BYTES = 3583  # "Invoke", Lambda API reference


# What MiniStack answers for a function that only Docker could run.
_NOT_RUN = r'"Mock response - [^"]*"|"errorType": ?"Runtime\.Docker\w+"'


class NotRunError(FunctionError):
    """The embedded AWS has answered for a function that it does not run."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Invocation:
    """What a function is invoked with."""

    payload: bytes = field(default=b"{}", repr=False)
    qualifier: str | None = None  # a version or an alias; None: $LATEST
    asynchronous: bool = False
    stream: bool = False
    tenant_id: str | None = None
    client_context: str | None = field(default=None, repr=False)  # JSON in base64
    execution_name: str | None = None  # of a durable execution


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """What an invocation returned."""

    payload: str
    log: str
    error: str | None  # Lambda's FunctionError
    details: str = ""  # of the error of a streamed response, which has no place for it


def parse_json(text: str, option: str) -> bytes:
    """Return the JSON that an option gives: itself, @FILE, or - for standard input."""
    try:
        if text == "-":
            payload = _read_standard_input(option)
        elif text.startswith("@"):
            payload = _read_file(Path(text[1:]), option)
        else:
            payload = text.encode()
        json.loads(payload, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise SettingsError(
            f"`{option}` is not JSON.",
            why=str(error),
            fix="""Pass JSON, such as '{"key": "value"}', or @FILE, or - for standard input.""",
        ) from error
    return payload


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}.")


def _read_standard_input(option: str) -> bytes:
    try:
        return sys.stdin.buffer.read()
    except (AttributeError, OSError) as error:  # AttributeError: it is closed, sys.stdin is None
        raise SettingsError(
            f"`{option}` is -, but standard input cannot be read.",
            fix="Pipe the payload in, as in `cat event.json | invoke …`, or pass @FILE.",
        ) from error


def _read_file(path: Path, option: str) -> bytes:
    try:
        if path.is_dir():
            raise SettingsError(f"{path} of `{option}` is a folder.", fix="Name a file with JSON.")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise SettingsError(f"The file {path} of `{option}` does not exist.") from error
    except OSError as error:
        raise SettingsError(
            f"The file {path} of `{option}` cannot be read.", why=error.strerror or str(error)
        ) from error


def parse_client_context(text: str | None) -> str | None:
    """Return the client context of `--client-context` as Lambda takes it: JSON in base64."""
    if text is None:
        return None
    context = parse_json(text, "--client-context")
    if not isinstance(json.loads(context), dict):
        raise SettingsError("`--client-context` must be a JSON object.")
    encoded = base64.b64encode(context).decode()
    if len(encoded) > CLIENT_CONTEXT_MAXIMUM_BYTES:
        raise SettingsError(
            "`--client-context` is too long.",
            why=f"In base64 it has {len(encoded)} bytes; Lambda allows "
            f"{CLIENT_CONTEXT_MAXIMUM_BYTES}.",
        )
    return encoded


def check_call(call: Invocation) -> None:
    """Raise `SettingsError` if Lambda would refuse a call, or ignore a part of it."""
    if call.asynchronous and call.stream:
        raise SettingsError("`--async` and `--stream` cannot be combined.")
    if call.asynchronous and call.client_context:
        raise SettingsError(
            "`--async` and `--client-context` cannot be combined.",
            why="Lambda hands the client context to synchronous invocations only.",
        )
    if call.stream and call.execution_name:
        raise SettingsError(
            "`--stream` and `--execution-name` cannot be combined.",
            why="Lambda does not stream the responses of durable executions.",
        )
    members = input_shape("Invoke").members
    problems: list[str] = []
    for option, key, value in (
        ("--tenant-id", "TenantId", call.tenant_id),
        ("--execution-name", "DurableExecutionName", call.execution_name),
    ):
        if value is not None and key not in members:
            raise SettingsError(
                f"The installed botocore is too old for `{option}`.",
                fix="Run `pip install --upgrade botocore boto3`.",
            )
        if value is not None:
            problems += find_problems(members[key], value, option)
    if problems:
        raise SettingsError(" ".join(problems))


def invoke(
    name: str, account: Account, call: Invocation, *, show: Callable[[str], None] | None = None
) -> Result:
    """Invoke a function and return the result, which is empty if it is asynchronous.

    A streamed response is given to `show` as it comes, and is not in the result.
    """
    client = account.client("lambda", Kind.INVOKE)
    options = {
        "FunctionName": name,
        "Payload": call.payload,
        "LogType": "None" if call.asynchronous else "Tail",
        "Qualifier": call.qualifier,
        "TenantId": call.tenant_id,
        "ClientContext": call.client_context,
        "DurableExecutionName": call.execution_name,
        "InvocationType": "Event" if call.asynchronous else "RequestResponse",
    }
    given = {key: value for key, value in options.items() if value is not None}
    operation = client.invoke_with_response_stream if call.stream else client.invoke
    response = retry_while(
        lambda: operation(**given), THROTTLE, OTHER_CHANGE, IDLE_FUNCTION, name=account.label(name)
    )
    if call.stream:
        return _read_stream(name, response["EventStream"], show or print_result)
    result = Result(
        payload=response["Payload"].read().decode(),
        log=_decode_log(response.get("LogResult")),
        error=response.get("FunctionError"),
    )
    if is_local() and re.search(_NOT_RUN, result.payload):
        raise NotRunError(
            f"{name} did not run.",
            why="The emulator does not run container images, nor some runtimes.",
            fix="Invoke it on AWS.",
        )
    return result


def _read_stream(
    name: str, events: Iterable[Mapping[str, Any]], show: Callable[[str], None]
) -> Result:
    """Show the response as it comes, and return the rest of the result."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may be in two chunks
    complete: Mapping[str, Any] | None = None
    try:
        for event in events:
            if chunk := event.get("PayloadChunk"):
                show(decoder.decode(chunk["Payload"]))
            complete = event.get("InvokeComplete", complete)
    except HTTPError as error:
        raise _explain_broken_stream(name, str(error)) from error
    show(decoder.decode(b"", final=True))
    if complete is None:
        raise _explain_broken_stream(name, "The connection was closed.")
    return Result(
        payload="",
        log=_decode_log(complete.get("LogResult")),
        error=complete.get("ErrorCode"),
        details=complete.get("ErrorDetails", ""),
    )


def _explain_broken_stream(name: str, why: str) -> FunctionError:
    return FunctionError(f"The response of {name} is incomplete: the stream ended early.", why=why)


def _decode_log(encoded: str | None) -> str:
    return base64.b64decode(encoded or "").decode(errors="replace")


def explain_function_error(name: str, result: Result) -> FunctionError:
    """Return the error for a function that returned one."""
    return FunctionError(
        f"{name} failed: {result.error}.",
        why=result.details
        or "Its code raised an exception, ran out of time or memory, or could not be loaded.",
        fix="See its response and its log above.",
    )


ACTIONS = (
    need("lambda:InvokeFunction", tasks=("invoke",)),
    need("lambda:InvokeFunction", tasks=("deploy",), settings=("smoke",)),
)
