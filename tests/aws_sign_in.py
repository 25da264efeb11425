"""AWS Sign-In on the loopback, and a program `aws` that signs in there as the AWS CLI does.

It is strict where OAuth and DPoP (RFC 9449) are: a code is good for one use, a refresh token only
with the key that it was given for, and a proof only for one request to this URL.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.strict_sts import StrictSts
from tests.support import Project
from tests.taint import TAINT

SESSION = "arn:aws:iam::111111111111:user/alice"
REGION = "eu-central-1"

# What the AWS CLI does, without a browser: this program opens the page itself.
_CLI = """#!{python}
import base64, hashlib, json, os, pathlib, sys, time, urllib.error, urllib.request

if sys.argv[1:] == ["--version"]:
    print("aws-cli/{version} Python/3.13.9 Linux/6.1 exe/x86_64.debian.12")
    sys.exit()
with open({log!r}, "a") as log:
    keys = [name for name in os.environ if name.startswith("AWS_") and "KEY" in name]
    log.write(json.dumps([sys.argv[1:], keys]) + "\\n")
print("Attempting to open your default browser.", flush=True)
if {exit_code}:
    print("aws: [ERROR]: it went wrong", file=sys.stderr)
    sys.exit({exit_code})
assert sys.stdin.isatty() and sys.stdout.isatty()

from awscrt.crypto import EC, ECExportFormat, ECType
from botocore.credentials import _build_dpop_header

key, url = EC.new_generate(ECType.P_256), os.environ["AWS_ENDPOINT_URL_SIGNIN"]
client = "arn:aws:signin:::devtools/same-device"
with urllib.request.urlopen(f"{{url}}/v1/authorize?client_id={{client}}") as page:
    told = json.load(page)
body = {{"clientId": client, "grantType": "authorization_code", "code": told["code"]}}
proof = _build_dpop_header(key, f"{{url}}/v1/token")
headers = {{"DPoP": proof, "Content-Type": "application/json"}}
ask = urllib.request.Request(f"{{url}}/v1/token", json.dumps(body).encode(), headers)
with urllib.request.urlopen(ask) as answer:
    output = json.load(answer)
ends = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + output["expiresIn"]))
session = told["session"]
whose = {{"accountId": session.split(":")[4], "expiresAt": ends}}
pem = base64.encodebytes(key.export_key(ECExportFormat.SEC1)).decode()
token = {{
    "accessToken": {{**output["accessToken"], **whose}},
    "tokenType": output["tokenType"],
    "clientId": client,
    "refreshToken": output["refreshToken"],
    "dpopKey": f"-----BEGIN EC PRIVATE KEY-----\\n{{pem}}-----END EC PRIVATE KEY-----\\n",
}}
default = os.path.expanduser("~/.aws/login/cache")
folder = pathlib.Path(os.environ.get("AWS_LOGIN_CACHE_DIRECTORY", default))
folder.mkdir(parents=True, exist_ok=True)
file = folder / f"{{hashlib.sha256(session.encode()).hexdigest()}}.json"
file.touch(mode=0o600)
file.write_text(json.dumps(token))
config = pathlib.Path("~/.aws/config").expanduser()
config.write_text(config.read_text().replace({session!r}, session))
print(f"Updated profile console to use {{session}} credentials.")
"""


class RefusalError(Exception):
    """What the service answers instead."""


@dataclass
class AwsSignIn:
    """The server. Use it as a context manager."""

    sts: StrictSts
    session: str = SESSION  # whom the page signs in
    token_seconds: float = 900
    refusal: str = ""  # the error of all refreshes, such as TOKEN_EXPIRED
    delay: float = 0  # of the page, seconds
    calls: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    refresh_tokens: dict[str, str] = field(default_factory=dict)  # to the key
    codes: set[str] = field(default_factory=set)
    proofs: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> AwsSignIn:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # ---- what tests set up and look at

    def serve(self, project: Project) -> None:
        """Let a project's profile `console` sign in here, with a program `aws`."""
        project.environ["AWS_ENDPOINT_URL_SIGNIN"] = self.url
        project.profile("console", login_session=self.session, region=REGION)
        self.install_cli(project)

    def install_cli(self, project: Project, *, version: str = "2.32.1", exit_code: int = 0) -> Path:
        """Put a program `aws` on PATH."""
        program = project.home / "bin" / "aws"
        program.parent.mkdir(exist_ok=True)
        text = _CLI.format(
            python=sys.executable,
            version=version,
            log=str(project.home / "aws.log"),
            exit_code=exit_code,
            session=SESSION,
        )
        program.write_text(text)
        program.chmod(0o755)
        path = project.environ["PATH"].removeprefix(f"{program.parent}:")
        project.environ["PATH"] = f"{program.parent}:{path}"
        return program

    def runs(self, project: Project) -> list[Any]:
        """Return the arguments of each `aws login`, and the variables with keys that it saw."""
        log = project.home / "aws.log"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    # ---- the service

    def page(self, query: dict[str, str]) -> dict[str, str]:
        """Open the page as the user, who agrees."""
        time.sleep(self.delay)
        assert query["client_id"] == "arn:aws:signin:::devtools/same-device"
        code = _secret()
        with self._lock:
            self.calls.append("authorize")
            self.codes.add(code)
        return {"code": code, "session": self.session}

    def token(self, body: dict[str, Any], proof: str) -> dict[str, Any]:
        with self._lock:
            self.calls.append(body["grantType"])
            key = self._key_of(proof)
            if body["grantType"] == "authorization_code":
                _check(body["code"] in self.codes, "AUTHCODE_EXPIRED")
                self.codes.remove(body["code"])
            else:
                _check(body["grantType"] == "refresh_token", "INVALID_REQUEST")
                TAINT.collect(body["refreshToken"])
                _check(not self.refusal, self.refusal)
                owner = self.refresh_tokens.pop(body["refreshToken"], None)
                _check(owner == key, "TOKEN_EXPIRED")
            refresh_token = _secret()
            self.refresh_tokens[refresh_token] = key
            issued = self.sts.issue(self.session, self.token_seconds)
        keys = {
            "accessKeyId": issued.id,
            "secretAccessKey": issued.secret,
            "sessionToken": issued.token,
        }
        kept = {"tokenType": "aws_sigv4", "refreshToken": refresh_token}
        return {"accessToken": keys, "expiresIn": int(self.token_seconds), **kept}

    def _key_of(self, proof: str) -> str:
        """Return the key that has signed a proof."""
        header, payload, signature = proof.split(".")
        told, claims = json.loads(_decoded(header)), json.loads(_decoded(payload))
        jwk = told["jwk"]
        _check((told["typ"], told["alg"]) == ("dpop+jwt", "ES256"), "INVALID_PROOF")
        _check((jwk["kty"], jwk["crv"]) == ("EC", "P-256"), "INVALID_PROOF")
        x, y = (int.from_bytes(_decoded(jwk[name]), "big") for name in ("x", "y"))
        raw = _decoded(signature)
        r, s = (int.from_bytes(raw[at : at + 32], "big") for at in (0, 32))
        ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key().verify(
            utils.encode_dss_signature(r, s),
            f"{header}.{payload}".encode(),
            ec.ECDSA(SHA256()),
        )
        _check((claims["htm"], claims["htu"]) == ("POST", f"{self.url}/v1/token"), "INVALID_PROOF")
        _check(abs(claims["iat"] - time.time()) < 60, "INVALID_PROOF")
        _check(claims["jti"] not in self.proofs, "INVALID_PROOF")
        self.proofs.add(claims["jti"])
        return f"{x:x}.{y:x}"


class _Handler(BaseHTTPRequestHandler):
    service: AwsSignIn

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        assert url.path == "/v1/authorize"
        query = {name: texts[0] for name, texts in parse_qs(url.query).items()}
        self._send(200, self.service.page(query))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            self._send(200, self.service.token(body, self.headers["dpop"]))
        except RefusalError as refused:
            self.service.errors.append(str(refused))
            self._send(
                400,
                {"error": str(refused), "message": "No"},
                **{"x-amzn-errortype": "AccessDeniedException"},
            )

    def _send(self, status: int, answer: dict[str, Any], **headers: str) -> None:
        data = json.dumps(answer).encode()
        self.send_response_only(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def token_file(project: Project) -> Path:
    """Return the file in which the AWS CLI keeps the session."""
    name = hashlib.sha256(SESSION.encode()).hexdigest()
    return project.home / ".aws" / "login" / "cache" / f"{name}.json"


def let_end(project: Project, *, seconds: float = -10) -> None:
    """Let the keys of the session that is kept end by the time that is in the file."""
    kept = json.loads(token_file(project).read_text())
    ends = time.gmtime(time.time() + seconds)
    kept["accessToken"]["expiresAt"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", ends)
    token_file(project).write_text(json.dumps(kept))


def _check(good: object, error: str) -> None:
    if not good:
        raise RefusalError(error)


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _secret() -> str:
    text = secrets.token_urlsafe(40)
    TAINT.collect(text)
    return text
