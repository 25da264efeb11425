"""The two ways in which IAM Identity Center lets a user sign in to a program, both of OAuth 2.0.

In a browser on this computer it is the authorization code grant with PKCE (RFC 7636, RFC 8252); on
any device it is the device authorization grant (RFC 8628).
"""

from __future__ import annotations

import hashlib
import hmac
import queue
import secrets
import subprocess
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from ..errors import CredentialsError
from ..secret import Secret
from ..ui.output import format_duration
from ..ui.prompt import tell
from .browser import start_browser
from .sso import SsoSession

GRANTS = ("authorization_code", "refresh_token")
DEFAULT_SCOPES = ("sso:account:access",)

_ADDRESS = "127.0.0.1"
_PATH = "/oauth/callback"
# Without the port, which is another one each time.
REDIRECT_URI = f"http://{_ADDRESS}{_PATH}"

_LONGEST_WAIT = 600  # seconds, for the user
_INTERVAL = 5  # seconds between two polls, if the service says none; also added to slow down
_POLL = 0.1  # seconds, of the browser
_AGAIN = "Run this again, and confirm the sign-in on the page."

Registration = Mapping[str, Any]  # of a client: its clientId and clientSecret


def sign_in_with_browser(
    oidc: Any, session: SsoSession, registration: Registration
) -> dict[str, Any] | None:
    """Sign in in the browser, and return the token; None if no browser can be opened.

    Raises `CredentialsError`, and the errors of botocore.
    """
    verifier = Secret(secrets.token_urlsafe(48))
    digest = hashlib.sha256(verifier.encode()).digest()
    with _Callback() as callback:
        query = {
            "response_type": "code",
            "client_id": registration["clientId"],
            "redirect_uri": callback.uri,
            "state": callback.state,
            "code_challenge_method": "S256",
            "code_challenge": urlsafe_b64encode(digest).decode().rstrip("="),
            "scopes": " ".join(session.scopes or DEFAULT_SCOPES),
        }
        url = f"{oidc.meta.endpoint_url.rstrip('/')}/authorize?{urlencode(query)}"
        tell("sign-in", f"at {session.start_url}, in your browser. If no page opens: {url}")
        code = callback.wait(start_browser(url))
    if code is None:
        tell(
            "sign-in",
            "no browser can be opened, and that URL is no longer valid: use a code instead",
        )
        return None
    return _create_token(
        oidc,
        registration,
        grantType="authorization_code",
        code=code,
        redirectUri=callback.uri,
        codeVerifier=verifier,
    )


def sign_in_with_code(
    oidc: Any, session: SsoSession, registration: Registration, *, open_page: bool
) -> dict[str, Any]:
    """Sign in with a code that the user types on a page, and return the token.

    Raises `CredentialsError`, and the errors of botocore.
    """
    started = oidc.start_device_authorization(
        clientId=registration["clientId"],
        clientSecret=registration["clientSecret"],
        startUrl=session.start_url,
    )
    text = (
        f"open {started['verificationUri']} on any device and enter the code "
        f"{started['userCode']}, or open {started['verificationUriComplete']}"
    )
    tell("sign-in", "".join(filter(str.isprintable, text)))
    if open_page:
        start_browser(started["verificationUriComplete"])
    interval = started.get("interval", _INTERVAL)
    ends = time.monotonic() + started["expiresIn"]
    while time.monotonic() + interval < ends:
        time.sleep(interval)
        with suppress(oidc.exceptions.AuthorizationPendingException):
            try:
                return _create_token(
                    oidc,
                    registration,
                    grantType="urn:ietf:params:oauth:grant-type:device_code",
                    deviceCode=Secret(started["deviceCode"]),
                )
            except oidc.exceptions.SlowDownException:
                interval += _INTERVAL
    raise _not_confirmed(started["expiresIn"])


def _create_token(oidc: Any, registration: Registration, **grant: str) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = oidc.create_token(
            clientId=registration["clientId"],
            clientSecret=registration["clientSecret"],
            **grant,
        )
    except oidc.exceptions.AccessDeniedException as error:
        raise _denied() from error
    except oidc.exceptions.ExpiredTokenException as error:
        raise _not_confirmed(_LONGEST_WAIT) from error
    return answer


class _Callback(ThreadingTCPServer):
    """Where the browser is sent when the user has signed in.

    Browsers open connections on which they send nothing: hence a thread for each. Not
    `http.server.HTTPServer`, which asks DNS for the name of the address.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__((_ADDRESS, 0), _Handler)
        self.state = secrets.token_urlsafe(32)
        self.uri = f"http://{_ADDRESS}:{self.server_address[1]}{_PATH}"
        self._answers: queue.SimpleQueue[Mapping[str, str]] = queue.SimpleQueue()

    def __enter__(self) -> _Callback:
        threading.Thread(target=self.serve_forever, args=(_POLL,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def take(self, query: str) -> bool:
        """Take the answer that a browser has brought, unless it is not that of our page."""
        answer = {name: texts[0] for name, texts in parse_qs(query).items()}
        if not hmac.compare_digest(answer.get("state", "").encode(), self.state.encode()):
            return False
        self._answers.put(answer)
        return True

    def wait(self, browser: subprocess.Popen[bytes]) -> Secret | None:
        """Return the code that the browser brings; None if the browser cannot be started."""
        ends = time.monotonic() + _LONGEST_WAIT
        while time.monotonic() < ends:
            failed = browser.poll()
            with suppress(queue.Empty):
                answer = self._answers.get(timeout=_POLL)
                if "code" in answer:
                    return Secret(answer["code"])
                raise _denied(answer.get("error", ""))
            if failed:
                return None
        raise _not_confirmed(_LONGEST_WAIT)


class _Handler(BaseHTTPRequestHandler):
    server: _Callback

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        taken = url.path == _PATH and self.server.take(url.query)
        text = (
            "You can close this page and go back to the terminal."
            if taken
            else "This page is not the one that was opened to sign in."
        )
        self.send_response_only(200 if taken else 400)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Print nothing: what is asked for holds the code."""


def _denied(error: str = "access_denied") -> CredentialsError:
    reason = "".join(filter(str.isprintable, error))[:100]
    return CredentialsError(
        "The sign-in was not confirmed.",
        why=f"IAM Identity Center says: {reason}." if reason else "The page gave no code.",
        fix=_AGAIN,
    )


def _not_confirmed(seconds: float) -> CredentialsError:
    return CredentialsError(
        f"The sign-in was not confirmed within {format_duration(seconds)}.", fix=_AGAIN
    )
