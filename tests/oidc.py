"""IAM Identity Center on the loopback: its sign-in (SSO-OIDC), its pages and its portal.

It is strict where OAuth is: a redirect must be a registered one, a code is good for one use and
only with its PKCE verifier, whoever polls too fast is told to slow down, and everything expires. It
answers over HTTP, on a clock that tests may move, and counts the calls and the pages.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.strict_sts import StrictSts
from tests.support import Project
from tests.taint import TAINT

START_URL = "https://corp.awsapps.com/start"
REGION = "eu-central-1"
ACCOUNT = "123456789012"
SCOPE = "sso:account:access"

# What pages show that ask the user: the form leads to the same page, with the answer.
_FORM = """<!DOCTYPE html>
<title>Sign in</title>
<form>{fields}<button name="allow" value="yes">Allow</button></form>
"""

# A browser of the tests: it opens the page, and follows it wherever it leads.
BROWSER = """
import sys, urllib.error, urllib.request
try:
    urllib.request.urlopen(sys.argv[1]).close()
except urllib.error.HTTPError as error:
    sys.exit(f"the page is {error.code}")
"""


class RefusalError(Exception):
    """What the service answers instead."""

    def __init__(self, kind: str, status: int = 400) -> None:
        super().__init__(kind)
        self.kind = kind
        self.status = status


@dataclass
class Client:
    """A registered client."""

    secret: str
    grants: tuple[str, ...]
    redirects: tuple[str, ...]
    scopes: tuple[str, ...]
    expires: float


@dataclass
class Grant:
    """A sign-in that is under way: an authorization code, or a device code."""

    client_id: str
    expires: float
    redirect: str = ""
    challenge: str = ""
    user_code: str = ""
    interval: float = 0
    approved: bool = True
    denied: bool = False
    last_poll: float = 0
    used: bool = False


@dataclass
class IdentityCenter:
    """The server. Use it as a context manager."""

    sts: StrictSts
    roles: set[tuple[str, str]] = field(default_factory=lambda: {(ACCOUNT, "Dev")})
    token_seconds: float = 3600
    session_seconds: float = 3600
    code_seconds: float = 600
    interval: int = 1
    slow_downs: int = 0  # how many polls are told to slow down although they are not too fast
    state: str | None = None  # what pages send back instead of the state
    page_error: str = ""  # what pages say instead of a code, such as access_denied
    asks: bool = False  # whether pages have a button that the user has to click on
    empty: str = ""  # the path whose answers have nothing in them
    clock: Callable[[], float] = time.time
    calls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)
    tokens: dict[str, float] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)  # to the client
    clients: dict[str, Client] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)  # clients, before their time; pages know them
    grants: dict[str, Grant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"center": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> IdentityCenter:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # ---- what tests set up and look at

    def serve(self, project: Project, **profile: str) -> None:
        """Let a project's profile `sso` sign in here, and its browser be the tests' own."""
        project.environ["AWS_ENDPOINT_URL_SSO"] = self.url
        project.environ["AWS_ENDPOINT_URL_SSO_OIDC"] = self.url
        browser = project.home / "browser.py"
        browser.write_text(BROWSER)
        project.environ["BROWSER"] = f"{sys.executable} {browser} %s"
        with (project.home / ".aws" / "config").open("a") as file:
            file.write(f"[sso-session corp]\nsso_start_url = {START_URL}\n")
            file.write(f"sso_region = {REGION}\nsso_registration_scopes = {SCOPE}\n")
        values = {"sso_session": "corp", "sso_account_id": ACCOUNT, "sso_role_name": "Dev"}
        project.profile("sso", **{**values, "region": REGION, **profile})

    def token(self) -> str:
        """Issue an access token."""
        token = _secret()
        self.tokens[token] = self.clock() + self.token_seconds
        return token

    def count(self, call: str) -> int:
        """Return how often something was called, refused or not."""
        return self.calls.count(call)

    # ---- the service

    def answer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        operation = {
            "/client/register": self._register,
            "/device_authorization": self._authorize_device,
            "/token": self._create_token,
        }[path]
        with self._lock:
            self.calls.append(operation.__name__.strip("_"))
            return {} if path == self.empty else operation(body)

    def _register(self, body: dict[str, Any]) -> dict[str, Any]:
        _check(body.get("clientType") == "public" and body.get("clientName"), "InvalidRequest")
        grants = tuple(body.get("grantTypes", ()))
        redirects = tuple(body.get("redirectUris", ()))
        if "authorization_code" in grants:
            loopback = "http://127.0.0.1/oauth/callback"
            _check(redirects == (loopback,), "InvalidRedirectUri")
            _check(body.get("issuerUrl") == START_URL, "InvalidRequest")
        client = Client(
            secret=_secret(),
            grants=grants,
            redirects=redirects,
            scopes=tuple(body.get("scopes", ())),
            expires=self.clock() + 90 * 86400,
        )
        name = secrets.token_urlsafe(16)
        self.clients[name] = client
        return {
            "clientId": name,
            "clientSecret": client.secret,
            "clientIdIssuedAt": int(self.clock()),
            "clientSecretExpiresAt": int(client.expires),
        }

    def _authorize_device(self, body: dict[str, Any]) -> dict[str, Any]:
        self._client(body)
        _check(body.get("startUrl") == START_URL, "InvalidRequest")
        code, user_code = _secret(), f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        self.grants[code] = Grant(
            client_id=body["clientId"],
            expires=self.clock() + self.code_seconds,
            user_code=user_code,
            interval=self.interval,
            approved=False,
            last_poll=self.clock() - self.interval,
        )
        return {
            "deviceCode": code,
            "userCode": user_code,
            "verificationUri": f"{self.url}/device",
            "verificationUriComplete": f"{self.url}/device?user_code={user_code}",
            "expiresIn": int(self.code_seconds),
            "interval": self.interval,
        }

    def _create_token(self, body: dict[str, Any]) -> dict[str, Any]:
        client = self._client(body)
        kind = body.get("grantType")
        if kind == "refresh_token":
            TAINT.collect(body["refreshToken"])
            owner = self.refresh_tokens.pop(body["refreshToken"], None)  # good for one use
            _check(owner == body["clientId"], "InvalidGrant")
        elif kind == "authorization_code":
            self._redeem(client, body)
        else:
            _check(kind == "urn:ietf:params:oauth:grant-type:device_code", "UnsupportedGrantType")
            self._poll(body)
        answer = {"accessToken": self.token(), "tokenType": "Bearer"}
        if SCOPE in client.scopes:
            answer["refreshToken"] = _secret()
            self.refresh_tokens[answer["refreshToken"]] = body["clientId"]
        return {**answer, "expiresIn": int(self.token_seconds)}

    def _redeem(self, client: Client, body: dict[str, Any]) -> None:
        TAINT.collect(body["codeVerifier"])
        _check("authorization_code" in client.grants, "UnauthorizedClient")
        grant = self.grants.get(body["code"])
        digest = hashlib.sha256(body["codeVerifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        _check(
            grant is not None
            and not grant.used
            and grant.client_id == body["clientId"]
            and grant.redirect == body["redirectUri"]
            and re.fullmatch(r"[\w.~-]{43,128}", body["codeVerifier"], re.ASCII)
            and grant.challenge == challenge,
            "InvalidGrant",
        )
        assert grant is not None
        grant.used = True
        _check(grant.expires > self.clock(), "ExpiredToken")

    def _poll(self, body: dict[str, Any]) -> None:
        grant = self.grants.get(body["deviceCode"])
        _check(grant is not None and grant.client_id == body["clientId"], "InvalidGrant")
        assert grant is not None
        _check(not grant.used, "InvalidGrant")
        _check(grant.expires > self.clock(), "ExpiredToken")
        early = self.clock() - grant.last_poll < grant.interval - 0.05
        grant.last_poll = self.clock()
        if early or self.slow_downs:
            self.slow_downs = max(0, self.slow_downs - 1)
            grant.interval += 5
            if early:
                self.errors.append("polled too early")
            raise RefusalError("SlowDownException")
        _check(not grant.denied, "AccessDenied")
        _check(grant.approved, "AuthorizationPending")
        grant.used = True

    def _client(self, body: dict[str, Any]) -> Client:
        client = self.clients.get(body.get("clientId", ""))
        _check(
            client is not None
            and client.secret == body.get("clientSecret")
            and client.expires > self.clock()
            and body["clientId"] not in self.deleted,
            "InvalidClient",
        )
        assert client is not None
        return client

    def form(self, path: str, query: dict[str, str]) -> str | None:
        """Return the page that asks the user, if it does; None once there is an answer."""
        if not self.asks or query.get("allow") == "yes":
            return None
        fields = [
            f'<input type="hidden" name="{name}" value="{escape(text)}">'
            for name, text in query.items()
        ]
        if path == "/device" and "user_code" not in query:
            fields = ['<input name="user_code">']
        return _FORM.format(fields="".join(fields))

    def page(self, path: str, query: dict[str, str]) -> str | None:
        """Open a page as the user, who agrees; return where it leads."""
        with self._lock:
            self.pages.append(path)
            if path == "/device":
                for grant in self.grants.values():
                    if grant.user_code == query.get("user_code"):
                        grant.approved, grant.denied = not self.page_error, bool(self.page_error)
                return None
            client = self.clients[query["client_id"]]
            redirect = urlsplit(query["redirect_uri"])
            plain = f"{redirect.scheme}://{redirect.hostname}{redirect.path}"
            _check(plain in client.redirects and redirect.port, "InvalidRedirectUri")
            _check(query["response_type"] == "code", "InvalidRequest")
            _check(query["code_challenge_method"] == "S256", "InvalidRequest")
            _check(re.fullmatch(r"[\w-]{43}", query["code_challenge"]), "InvalidRequest")
            _check(query["scopes"].split() == [*client.scopes], "InvalidScope")
            _check(len(query["state"]) >= 22, "InvalidRequest")
            code = _secret()
            self.grants[code] = Grant(
                client_id=query["client_id"],
                expires=self.clock() + self.code_seconds,
                redirect=query["redirect_uri"],
                challenge=query["code_challenge"],
            )
            answer = {"error": self.page_error} if self.page_error else {"code": code}
            answer["state"] = self.state or query["state"]
            return f"{query['redirect_uri']}?{urlencode(answer)}"

    def credentials(self, token: str, query: dict[str, str]) -> dict[str, Any]:
        """Return the keys of a role for an access token."""
        TAINT.collect(token)
        with self._lock:
            self.calls.append("get_role_credentials")
            if self.tokens.get(token, 0) <= self.clock():
                raise RefusalError("UnauthorizedException", 401)
            role = (query["account_id"], query["role_name"])
            if role not in self.roles:
                raise RefusalError("ForbiddenException", 403)
            account, name = role
            arn = f"arn:aws:sts::{account}:assumed-role/AWSReservedSSO_{name}_0123/alice"
            key = self.sts.issue(arn, self.session_seconds)
        keys = {
            "accessKeyId": key.id,
            "secretAccessKey": key.secret,
            "sessionToken": key.token,
            "expiration": int((key.expires or 0) * 1000),
        }
        return {"roleCredentials": keys}


class _Handler(BaseHTTPRequestHandler):
    center: IdentityCenter

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._answer(lambda: self.center.answer(self.path, body))

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: texts[0] for name, texts in parse_qs(url.query).items()}
        if url.path == "/federation/credentials":
            token = self.headers["x-amz-sso_bearer_token"]
            self._answer(lambda: self.center.credentials(token, query))
            return
        if form := self.center.form(url.path, query):
            self._send_page(form)
            return
        try:
            target = self.center.page(url.path, query)
        except (RefusalError, KeyError) as error:
            self.center.errors.append(str(error))
            self._send(400, {})
            return
        if self.center.asks and not target:
            self._send_page("Request approved")
            return
        self._send(302 if target else 200, {}, **({"location": target} if target else {}))

    def _answer(self, ask: Callable[[], dict[str, Any]]) -> None:
        try:
            answer = ask()
        except RefusalError as refused:
            self.center.errors.append(refused.kind)
            says = {"message": "No access", "error": refused.kind, "error_description": "x"}
            self._send(refused.status, says, **{"x-amzn-errortype": refused.kind})
        else:
            self._send(200, answer)

    def _send_page(self, text: str) -> None:
        self._send_data(200, text.encode(), **{"content-type": "text/html"})

    def _send(self, status: int, answer: dict[str, Any], **headers: str) -> None:
        headers["content-type"] = "application/json"
        self._send_data(status, json.dumps(answer).encode(), **headers)

    def _send_data(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response_only(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def token_file(project: Project, name: str = "corp") -> Path:
    """Return the file in which the AWS CLI keeps the token of an sso-session or a start URL."""
    name = f"{hashlib.sha1(name.encode()).hexdigest()}.json"
    return project.home / ".aws" / "sso" / "cache" / name


def write_token(project: Project, token: str, *, ends_in: float = 3600, **others: Any) -> None:
    """Keep a token as `aws sso login` does."""
    kept = token_file(project)
    kept.parent.mkdir(parents=True, exist_ok=True)
    ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + ends_in))
    told = {"startUrl": START_URL, "region": REGION, "accessToken": token, "expiresAt": ends}
    kept.write_text(json.dumps({**told, **others}))
    kept.chmod(0o600)


def _check(good: object, kind: str) -> None:
    if not good:
        raise RefusalError(f"{kind}Exception")


def _secret() -> str:
    text = secrets.token_urlsafe(40)
    TAINT.collect(text)
    return text
