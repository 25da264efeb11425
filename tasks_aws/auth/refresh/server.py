"""A server that hands credentials to child processes, by the protocol of AWS's containers.

It listens on the loopback interface only, at a port that the system chooses. A request must have
the token of a role. The Host header is checked, too, so that no web page can send requests by a
host name that resolves to the loopback (DNS rebinding).
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from functools import cache
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

from ...errors import TasksAwsError
from ...secret import Secret
from ..formats import credential_process_output
from .renewer import Renewer

_ADDRESS = "127.0.0.1"


class CredentialServer(ThreadingTCPServer):
    """The server: one for the process, with one thread for each request.

    Not `http.server.HTTPServer`, which asks DNS for the name of the address.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # many children may ask at once

    def __init__(self) -> None:
        super().__init__((_ADDRESS, 0), _Handler)
        self._renewers: dict[Secret, Renewer] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def host(self) -> str:
        """Return address and port, as in a URL."""
        return f"{_ADDRESS}:{self.server_address[1]}"

    def serve(self, renewer: Renewer) -> Secret:
        """Serve these credentials from now on to requests with the token that is returned."""
        token = Secret(secrets.token_urlsafe(32))
        self._renewers[token] = renewer
        return token

    def find_renewer(self, token: str) -> Renewer | None:
        """Return the renewer that a token stands for, in constant time."""
        found = None
        for each, renewer in list(self._renewers.items()):
            if hmac.compare_digest(each.encode(), token.encode()):
                found = renewer
        return found

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a child that closed the connection before it had its answer."""


@cache
def running_server() -> CredentialServer:
    """Return the server of this process."""
    return CredentialServer()


class _Handler(BaseHTTPRequestHandler):
    server: CredentialServer
    timeout = 10  # for whoever connects and says nothing

    def do_GET(self) -> None:
        renewer = self.server.find_renewer(self.headers.get("Authorization", ""))
        if renewer is None or self.headers.get("Host") != self.server.host:
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
