"""Servers that hand credentials to child processes, by the protocol of AWS's containers.

`CredentialServer` listens on the loopback interface only, at a port that the system chooses. A
request must have the token of a role. The Host header is checked, too, so that no web page can send
requests by a host name that resolves to the loopback (DNS rebinding). `SocketServer` is for our own
program: its socket is in a folder that only its owner may enter.
"""

from __future__ import annotations

import errno
import hmac
import json
import os
import secrets
import socket
import sys
import threading
import time
from contextlib import suppress
from email.message import Message
from functools import cache
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from ...errors import TasksAwsError
from ...process.locking import in_forks
from ...secret import Secret
from ..formats import credential_process_output
from .renewer import Renewer

_ADDRESS = "127.0.0.1"
_OWN_FILES = Path("/proc/self/fd")  # on Linux, where a socket may be named through its folder
_THREADS = 64  # others wait until one of these connections has ended
_SECONDS = 5  # for a whole request to arrive; children send theirs at once
_LONGEST_REQUEST = 16384  # bytes
_LONGEST_PATH = 103  # bytes of a socket's path that every system allows; macOS has the fewest


class _Server(ThreadingMixIn, TCPServer):
    """A server with a limited number of threads, one for each connection.

    Not `http.server.HTTPServer`, which asks DNS for the name of the address.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # many children may ask at once

    def __init__(self, address: Any) -> None:
        super().__init__(address, _Handler)
        self._free = threading.Semaphore(_THREADS)
        self._connections: set[Any] = set()
        in_forks(self._close_all)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def serves_host(self, name: str | None) -> bool:
        """Return whether a request may have this Host header."""
        return True

    def renewer_for(self, headers: Message) -> Renewer | None:
        """Return what a request asks for, or None if it may not."""
        raise NotImplementedError

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in another thread, once there is one."""
        self._free.acquire()
        self._connections.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        """Let the next connection have the thread."""
        super().close_request(request)
        if request in self._connections:
            self._connections.remove(request)
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a child that closed the connection before it had its answer."""

    def _close_all(self) -> None:
        """Leave the sockets to the process that serves them."""
        self.server_close()
        for connection in self._connections:
            with suppress(OSError):  # another thread has just closed it
                os.close(connection.detach())  # `close` waits for the files made of it


class CredentialServer(_Server):
    """The server on the loopback interface: one for the process."""

    def __init__(self) -> None:
        self._renewers: dict[Secret, Renewer] = {}
        super().__init__((_ADDRESS, 0))

    @property
    def host(self) -> str:
        """Return address and port, as in a URL."""
        return f"{_ADDRESS}:{self.server_address[1]}"

    def serve(self, renewer: Renewer) -> Secret:
        """Serve these credentials from now on to requests with the token that is returned."""
        token = Secret(secrets.token_urlsafe(32))
        self._renewers[token] = renewer
        return token

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Refuse other users, as far as the system tells. Root may."""
        if not hasattr(os, "geteuid"):
            return True
        return _owner(client_address, self.server_address) in (None, 0, os.geteuid())

    def serves_host(self, name: str | None) -> bool:
        """Return whether a Host header names the address, and not a name that leads to it."""
        return name == self.host

    def renewer_for(self, headers: Message) -> Renewer | None:
        """Return the renewer that the token stands for, in constant time."""
        found, token = None, headers.get("Authorization", "")
        for each, renewer in list(self._renewers.items()):
            if hmac.compare_digest(each.encode(), token.encode()):
                found = renewer
        return found


class SocketServer(_Server):
    """The server of one role, at a socket in the file system."""

    address_family = getattr(socket, "AF_UNIX", socket.AF_INET)  # Windows has none

    def __init__(self, path: Path, renewer: Renewer) -> None:
        self.path, self._renewer = path, renewer
        if len(os.fsencode(path)) <= _LONGEST_PATH:
            super().__init__(str(path))
        elif not _OWN_FILES.exists():
            raise OSError(errno.ENAMETOOLONG, f"the path is too long for a socket: {path}")
        else:
            folder = os.open(path.parent, os.O_RDONLY)
            try:
                super().__init__(f"{_OWN_FILES}/{folder}/{path.name}")
            finally:
                os.close(folder)
        path.chmod(0o600)

    def renewer_for(self, headers: Message) -> Renewer:
        """Return the role's renewer: whoever may enter the folder may ask."""
        return self._renewer


@cache
def running_server() -> CredentialServer:
    """Return the server of this process."""
    return CredentialServer()


in_forks(running_server.cache_clear)


def _owner(peer: Any, server: Any) -> int | None:
    """Return the ID of the user at the other end of a connection; None if nobody knows."""
    ends = [f"{_in_tables(host)}:{port:04X}" for host, port in (peer, server)]
    for table in ("tcp", "tcp6"):  # in the latter an IPv4 address is the end of a longer one
        with suppress(OSError), open(f"/proc/net/{table}", encoding="ascii") as file:  # noqa: PTH123
            for line in file:
                _, local, remote, *_, owner = line.split()[:8]
                if local.endswith(ends[0]) and remote.endswith(ends[1]):
                    return int(owner)
    return None


def _in_tables(host: str) -> str:
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}"


def _read_request(connection: socket.socket) -> bytes:
    """Return a request up to its end, or nothing if that does not arrive in time."""
    deadline, received = time.monotonic() + _SECONDS, b""
    while not received.endswith(b"\r\n\r\n") and len(received) < _LONGEST_REQUEST:
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            part = connection.recv(_LONGEST_REQUEST)
        except OSError:
            return b""
        if not part:
            return b""
        received += part
    return received


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SECONDS  # to send the answer

    def setup(self) -> None:
        """Read the whole request: one deadline holds for all of it."""
        super().setup()
        self.rfile = BytesIO(_read_request(self.connection))
        self.connection.settimeout(self.timeout)

    def do_GET(self) -> None:
        if not self.server.serves_host(self.headers.get("Host")):
            self.send_error(403, "Only requests by the address itself are served: no other Host.")
            return
        renewer = self.server.renewer_for(self.headers)
        if renewer is None:
            self.send_error(403, "Unknown token.")
            return
        try:
            answer = credential_process_output(renewer.usable())
        except TasksAwsError as error:
            self.send_error(400, str(error))
        except Exception as error:  # a bug of ours; its text may say anything
            self.send_error(500, f"tasks-aws failed: {type(error).__name__}.")
        else:
            # For both protocols at once: they name the session token differently.
            self._answer(200, {**answer, "Token": answer["SessionToken"]})

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer with an error in the protocol's form."""
        self._answer(code, {"Code": "CredentialsError", "Message": message or ""})

    def _answer(self, status: int, answer: dict[str, object]) -> None:
        body = json.dumps(answer).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""
