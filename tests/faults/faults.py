"""What may go wrong with a call to AWS, made to happen by a proxy at one call of a command."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from math import inf
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.sax.saxutils import escape

from tests.local_aws import root_client
from tests.proxy import Answer, Handler, Happening, Proxy, Rule

# No test can wait for the product's own 30, 60 and 960 seconds, and no variable or config file of
# AWS's shortens them: where an answer is slow, the command's botocore is told to give it up after
# so many.
TIMEOUT_SECONDS = 1.5
SLOW_SECONDS = 2.5


class Call(NamedTuple):
    """A call that a command makes: the n-th with this line; polls in a row count as one."""

    line: str
    number: int

    def __str__(self) -> str:
        return f"{self.line} #{self.number}"


# What is another in each run, but tells no call from another.
_CHANGING = [
    (r"hello-\d+", "hello"),
    (r"[0-9a-f]{64}", "SHA256"),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}", "UUID"),
    (r"uploadId=[^&]*", "uploadId=ID"),
    (r"Qualifier=\d+", "Qualifier=N"),
    (r"versions/\d+", "versions/N"),
    (r":lib:\d+", ":lib:N"),
    (r"Only[AB]", "OnlyX"),
]


class Calls:
    """The calls among the requests that come."""

    def __init__(self) -> None:
        self.seen: list[Call] = []
        self._last = ""
        self._counts: dict[str, int] = {}

    def next(self, line: str) -> tuple[Call, bool]:
        """Return which call a request belongs to, and whether it is the first one of it."""
        line = unquote(line)
        for pattern, name in _CHANGING:
            line = re.sub(pattern, name, line)
        begins = line != self._last or not line.startswith("GET ")
        self._last = line
        self._counts[line] = self._counts.get(line, 0) + begins
        call = Call(line, self._counts[line])
        if begins:
            self.seen.append(call)
        return call, begins


@dataclass
class FaultyAws(Proxy):
    """A proxy that lets a fault happen at one call, and says like AWS what MiniStack does not."""

    happened: int = 0  # how often the fault did
    _calls: Calls = field(default_factory=Calls)
    _fault: tuple[Call, Happening, bool] | None = None
    _storm: tuple[Sequence[Happening], dict[str, int]] | None = None

    def __post_init__(self) -> None:
        self.rules = [
            Rule(r"^POST /2015-03-31/event-source-mappings", _refuse_second_mapping, inf),
            Rule(r"^POST /2021-10-31/functions/[^/]*/url", _say_that_url_exists, inf),
        ]

    @contextmanager
    def recording(self) -> Iterator[list[Call]]:
        """Give the calls that are made, in the order of their first requests."""
        self._calls = Calls()
        yield self._calls.seen
        self._calls = Calls()

    @contextmanager
    def failing(self, call: Call, fault: Happening, *, always: bool = False) -> Iterator[None]:
        """Let a fault happen at a call, once, or from then on at each with the same line."""
        self._calls, self._fault, self.happened = Calls(), (call, fault, always), 0
        yield
        self._fault = None

    @contextmanager
    def storm(self) -> Iterator[None]:
        """Let every other request with the same line fail, in one way after the other.

        These are the ways that the next try may mend. A function is invoked by one try only,
        but for when there was no room for it.
        """
        self._storm, self.happened = ([FAULTS[name] for name in MENDED], {}), 0
        yield
        self._storm = None

    def happening(self, line: str) -> Happening | None:
        if self._storm:
            faults, counts = self._storm
            counts[line] = counts.get(line, 0) + 1
            if counts[line] % 2:
                self.happened += 1
                if "/invocations" in line:
                    return FAULTS["throttle"]
                return faults[self.happened % len(faults)]
        call, begins = self._calls.next(line)
        if self._fault:
            wanted, fault, always = self._fault
            later = call.line == wanted.line and call.number >= wanted.number
            if later if always else call == wanted and begins:
                self.happened += 1
                return fault
        return super().happening(line)


def _refuse_second_mapping(handler: Handler) -> bool:
    """AWS allows one mapping for a source and a function, MiniStack any number."""
    wanted = json.loads(handler.body)
    source, name = wanted["EventSourceArn"], wanted["FunctionName"]
    client = _client(handler.server_proxy.upstream)
    listed = client.list_event_source_mappings(EventSourceArn=source)["EventSourceMappings"]
    same = [each["UUID"] for each in listed if each["FunctionArn"].endswith(f":{name}")]
    if same:
        message = (
            f'An event source mapping with SQS arn (" {source} ") and function (" {name} ") '
            f"already exists. Please update or delete the existing mapping with UUID {same[0]}"
        )
        handler.send(*error("lambda", 409, "ResourceConflictException", message))
    return bool(same)


@cache
def _client(endpoint: str) -> Any:
    return root_client(endpoint, "lambda")


def _say_that_url_exists(handler: Handler) -> bool:
    status, headers, body = handler.forwarded()
    if status == 409:
        message = (
            "Failed to create function url config for [functionArn = …]. Error message:  "
            "FunctionUrlConfig exists for this Lambda function"
        )
        status, headers, body = error("lambda", 409, "ResourceConflictException", message)
    handler.send(status, headers, body)
    return True


def error(service: str, status: int, code: str, message: str) -> Answer:
    """Return an error in the shape that a service gives it."""
    if service in ("lambda", "logs", "scheduler"):
        body = json.dumps({"__type": code, "message": message, "Type": "User"}).encode()
        return status, {"x-amzn-ErrorType": code, "Content-Type": "application/json"}, body
    text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    if service != "s3":
        text = f"<ErrorResponse>{text}<RequestId>1</RequestId></ErrorResponse>"
    return status, {"Content-Type": "text/xml"}, text.encode()


# ---- the faults


def _reset_before(handler: Handler) -> bool:
    handler.reset()
    return True


def _reset_after(handler: Handler) -> bool:
    handler.forwarded()
    handler.reset()
    return True


def _slow(handler: Handler) -> bool:
    answer = handler.forwarded()
    time.sleep(SLOW_SECONDS)
    handler.send(*answer)
    return True


def _cut_body(handler: Handler) -> bool:
    """Say how long the answer is, and end in the midst of it."""
    status, headers, body = handler.forwarded()
    connection, handler.wfile = handler.wfile, io.BytesIO()
    handler.send(status, headers, body)
    raw, handler.wfile = handler.wfile.getvalue(), connection
    handler.wfile.write(raw[: len(raw) - len(body) // 2] if body else raw[: len(raw) // 2])
    handler.wfile.flush()
    handler.close_connection = True
    return True


_BUSY = "The operation cannot be performed at this time. An update is in progress for resource: …"


def _answering(status: int, code: str, message: str, **others: tuple[int, str] | None) -> Happening:
    """Return what answers a call with an error; others name it otherwise, or have none such."""

    def happen(handler: Handler) -> bool:
        service = service_of(handler)
        answer = error(service, *(others.get(service) or (status, code)), message)
        if handler.command == "HEAD":  # whose answers have no body, and so no code
            answer = answer[0], {}, b""
        handler.send(*answer)
        return True

    return happen


def service_of(handler: Handler) -> str:
    """Return the service that a request was signed for."""
    found = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", handler.headers["Authorization"])
    return found[1] if found else ""


FAULTS: Mapping[str, Happening] = {
    "reset before": _reset_before,
    "reset after": _reset_after,
    "500": _answering(
        500,
        "InternalFailure",
        "An error occurred",
        **{"lambda": (500, "ServiceException"), "s3": (500, "InternalError")},
    ),
    "503": _answering(503, "ServiceUnavailable", "Please try again"),
    "throttle": _answering(
        400,
        "Throttling",
        "Rate exceeded",
        **{
            "lambda": (429, "TooManyRequestsException"),
            "s3": (503, "SlowDown"),
            "logs": (400, "ThrottlingException"),
        },
    ),
    "slow": _slow,
    "expired token": _answering(
        403,
        "ExpiredToken",
        "The security token included in the request is expired",
        **{
            "lambda": (403, "ExpiredTokenException"),
            "logs": (400, "ExpiredTokenException"),
            "s3": (400, "ExpiredToken"),
        },
    ),
    "conflict": _answering(
        409,
        "ResourceConflictException",
        _BUSY,
        s3=(409, "OperationAborted"),
        logs=(400, "OperationAbortedException"),
        scheduler=(409, "ConflictException"),
        sts=(400, "Throttling"),  # which changes nothing, and so knows no conflicts
    ),
    "cut body": _cut_body,
}

MENDED = ("reset before", "reset after", "500", "503", "throttle", "cut body")
