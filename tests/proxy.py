"""A proxy in front of the embedded AWS: it counts requests, and fails those that a test names."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from trustme import LeafCert

PATIENCE_SECONDS = 20

Answer = tuple[int, dict[str, str], bytes]
Happening = Callable[["Handler"], bool]  # tells whether it has answered


@dataclass
class Rule:
    """What happens to requests whose line matches.

    Lines are such as ``PUT /…/functions/hello/code`` and ``POST / AssumeRole``.
    """

    pattern: str
    happen: Happening
    times: float = 1
    after: int = 0  # how many matching requests pass first


@dataclass
class Proxy:
    """A server on a port of its own; `requests` are the lines of what came through."""

    upstream: str
    requests: list[str] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    delay: float = 0.0  # seconds before each request
    together: int = 1  # requests wait until there are so many at once, or for `PATIENCE_SECONDS`
    handshake: float = 0.0  # seconds before each connection
    certificate: LeafCert | None = None  # with one it speaks TLS
    quotas: Mapping[str, float] = field(default_factory=dict)  # of Lambda, if it is to have any
    throttled: list[str] = field(default_factory=list)  # the lines of what exceeded them
    connections: int = 0
    busiest: int = 0  # how many requests there were at once
    round_trips: int = 0  # the longest chain of requests, each of which began after an answer
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    _open: int = 0
    _waiting: set[object] = field(default_factory=set)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Proxy:
        proxy = self

        class _Handler(Handler):
            server_proxy = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        if self.certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.certificate.configure_cert(context)
            # The handshake is made by the connection's own thread.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        scheme = "https" if self.certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for_others(self) -> None:
        """Return when as many requests wait as are to be sent together."""
        me = object()
        with self._changed:
            self._waiting.add(me)
            if len(self._waiting) >= self.together:
                self._waiting.clear()
                self._changed.notify_all()
            self._changed.wait_for(lambda: me not in self._waiting, PATIENCE_SECONDS)
            self._waiting.discard(me)

    def happening(self, line: str) -> Happening | None:
        """Return what happens to a request."""
        if self.exceeds_quota(line):
            self.throttled.append(line)
            return _throttle
        for rule in self.rules:
            if re.search(rule.pattern, line):
                if rule.after:
                    rule.after -= 1
                elif rule.times:
                    rule.times -= 1
                    return rule.happen
        return None

    def exceeds_quota(self, line: str) -> bool:
        """Return whether Lambda's quotas refuse a request: each is a bucket of one second."""
        kind = _quota_kind(line)
        if kind not in self.quotas:
            return False
        quota, now = self.quotas[kind], time.monotonic()
        left, when = self._buckets.get(kind, (quota, now))
        left = min(quota, left + (now - when) * quota)
        self._buckets[kind] = (left - 1 if left >= 1 else left, now)
        return left < 1

    def least_seconds(self) -> float:
        """Return the time in which the quotas allow the requests that there were."""
        counts = Counter(map(_quota_kind, self.requests))
        return max((counts[kind] - quota) / quota for kind, quota in self.quotas.items())

    def lambda_requests(self) -> list[str]:
        """Return the lines of what went to Lambda."""
        return [line for line in self.requests if "/20" in line]

    def refuse(
        self,
        pattern: str,
        status: int,
        code: str,
        message: str,
        *,
        times: float = 1,
        after: int = 0,
    ) -> None:
        """Let requests be answered with one of AWS's errors."""
        answer = _error(status, code, message)
        self.replace(pattern, lambda _: answer, times=times, after=after)

    def replace(
        self,
        pattern: str,
        answer: Callable[[Answer | None], Answer],
        *,
        times: float = 1,
        after: int = 0,
        ask: bool = False,
    ) -> None:
        """Let requests be answered otherwise; with `ask`, from what AWS has answered."""

        def happen(handler: Handler) -> bool:
            handler.send(*answer(handler.forwarded() if ask else None))
            return True

        self.rules.append(Rule(pattern, happen, times, after))

    def edit(
        self, pattern: str, change: Callable[[Any], None], *, times: float = 1, after: int = 0
    ) -> None:
        """Let the JSON of AWS's answers be changed."""

        def answer(given: Answer | None) -> Answer:
            assert given
            found = json.loads(given[2])
            change(found)
            return given[0], {**given[1]}, json.dumps(found).encode()

        self.replace(pattern, answer, times=times, after=after, ask=True)

    def reset(self, pattern: str, *, reached: bool, times: float = 1) -> None:
        """Let the connection break, before or after the request has reached AWS."""

        def happen(handler: Handler) -> bool:
            if reached:
                handler.forwarded()
            handler.reset()
            return True

        self.rules.append(Rule(pattern, happen, times))


def _error(status: int, code: str, message: str) -> Answer:
    body = json.dumps({"Type": "User", "Message": message, "message": message}).encode()
    return status, {"x-amzn-ErrorType": code, "Content-Type": "application/json"}, body


def _throttle(handler: Handler) -> bool:
    handler.send(*_error(429, "TooManyRequestsException", "Rate exceeded"))
    return True


def _quota_kind(line: str) -> str:
    """Return the quota that a request counts for, which is empty if Lambda has none for it."""
    method, path, *_ = line.split(" ")
    if not re.match(r"/20\d\d-", path) or path.partition("?")[0].endswith("/invocations"):
        return ""
    if method == "GET" and re.search(r"/functions/[^/?]+(\?.*)?$", path):
        return "get"
    return "policy" if method == "GET" and re.search(r"/policy(\?.*)?$", path) else "other"


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server_proxy: Proxy
    _lock = threading.Lock()

    def setup(self) -> None:
        with self._lock:
            self.server_proxy.connections += 1
        time.sleep(self.server_proxy.handshake)
        super().setup()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ValueError):  # the client is gone, or we have closed the connection
            self.close_connection = True

    def _handle(self) -> None:
        proxy = self.server_proxy
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = self._chunks()
        line = f"{self.command} {self.path}{self._action()}"
        with self._lock:
            proxy._open += 1
            proxy.busiest = max(proxy.busiest, proxy._open)
            after = proxy.round_trips
        try:
            time.sleep(proxy.delay)
            if "GetCallerIdentity" not in line:  # which is asked before anything else
                proxy.wait_for_others()
            with self._lock:
                proxy.requests.append(line)
                happen = proxy.happening(line)
            if happen is None or not happen(self):
                self.send(*self.forwarded())
        finally:
            with self._lock:
                proxy._open -= 1
                proxy.round_trips = max(proxy.round_trips, after + 1)

    def _action(self) -> str:
        """Return the name of the action where the path is the same for all, as STS's is."""
        if self.path != "/":
            return ""
        named = re.search(rb"(?:^|&)Action=(\w+)", self.body)
        target = self.headers.get("X-Amz-Target", "")
        return f" {named[1].decode() if named else target}"

    def _chunks(self) -> bytes:
        raw = b""
        while True:
            head = self.rfile.readline()
            raw += head
            size = int(head.split(b";")[0], 16)
            raw += self.rfile.read(size + 2) if size else b""
            if not size:
                while (trailer := self.rfile.readline()) not in (b"\r\n", b""):
                    raw += trailer
                return raw + b"\r\n"

    def forwarded(self) -> Answer:
        """Return what AWS answers."""
        connection = HTTPConnection(urlsplit(self.server_proxy.upstream).netloc, timeout=60)
        try:
            connection.putrequest(
                self.command, self.path, skip_host=True, skip_accept_encoding=True
            )
            for name, text in self.headers.items():
                if name.lower() != "connection" and name.lower() != "expect":
                    connection.putheader(name, text)
            connection.endheaders(self.body)
            answer = connection.getresponse()
            headers = {
                name: text
                for name, text in answer.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "content-length")
            }
            length = answer.getheader("Content-Length")
            body = answer.read()
            if self.command == "HEAD" and length:
                headers["Content-Length"] = length
            return answer.status, headers, body
        finally:
            connection.close()

    def send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Answer the client."""
        self.send_response_only(status)
        for name, text in headers.items():
            self.send_header(name, text)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self) -> None:
        """Break the connection, with RST."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.close_connection = True

    def log_message(self, *words: object) -> None:
        pass

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_CONNECT = _handle  # noqa: N815
