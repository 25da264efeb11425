"""An STS that is as strict as AWS where MiniStack is not.

It checks signatures, session tokens, MFA codes (each good for one use), durations, the cap on
role chaining and expiry, on a clock that tests may move; it counts the calls, and lets every
secret that it hands out or is sent be looked for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

import pyotp

from tests.taint import TAINT

ACCOUNT = "111111111111"
USER_ARN = f"arn:aws:iam::{ACCOUNT}:user/alice"


class RefusalError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass(frozen=True, kw_only=True)
class Role:
    """A role that the STS knows."""

    arn: str
    maximum: int = 3600
    mfa: bool = False
    external_id: str | None = None
    closed: bool = False  # trusts nobody

    def session(self, name: str) -> str:
        """Return the ARN of a session of the role."""
        account, role = self.arn.split(":")[4], self.arn.split("/")[-1]
        return f"arn:aws:sts::{account}:assumed-role/{role}/{name}"


@dataclass(frozen=True, kw_only=True)
class Key:
    """An access key that the STS knows."""

    id: str
    secret: str
    arn: str
    token: str | None = None
    expires: float | None = None


@dataclass
class Device:
    """An MFA device."""

    serial: str
    secret: str = field(default_factory=pyotp.random_base32)
    used: set[str] = field(default_factory=set)

    def code(self, step: int = 0) -> str:
        """Return the code of now, of the one before (-1) or of the one after (1)."""
        return pyotp.TOTP(self.secret).at(int(time.time()) + 30 * step)


class StrictSts:
    """The server. Use it as a context manager."""

    def __init__(self, handler: type[Handler] | None = None) -> None:
        self.keys: dict[str, Key] = {}
        self.roles: dict[str, Role] = {}
        self.devices: dict[str, Device] = {}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.callers: list[str] = []  # ARNs of who signed the calls
        self.web_identity_token = secrets.token_urlsafe(40)
        self.web_identity_tokens: dict[str, float] = {}  # others, and when each of them ends
        self.token_file: Path | None = None  # where, once one was used, the next one stands
        self.clock: Callable[[], float] = time.time
        self.skew = 0.0  # how far AWS's clock is ahead of ours, seconds
        self.delay = 0.0
        self.lifetime: float | None = None  # of all sessions, whatever is asked
        self.refuse: RefusalError | None = None  # answer everything with this
        self._lock = threading.Lock()
        serving = type("Serving", (handler or Handler,), {"sts": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), serving)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> StrictSts:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # ---- what tests set up and look at

    def user_key(self, arn: str = USER_ARN) -> Key:
        """Create long-lived keys of a user."""
        key = Key(id=f"AKIA{secrets.token_hex(8).upper()}", secret=_random(30), arn=arn)
        self.keys[key.id] = key
        TAINT.collect(key.secret)
        return key

    def role(self, name: str, *, account: str = "123456789012", **options: Any) -> Role:
        """Create a role."""
        role = Role(arn=f"arn:aws:iam::{account}:role/{name}", **options)
        self.roles[role.arn] = role
        return role

    def device(self) -> Device:
        """Create an MFA device for the user."""
        device = Device(f"arn:aws:iam::{ACCOUNT}:mfa/alice")
        self.devices[device.serial] = device
        return device

    def count(self, action: str) -> int:
        """Return how often an action was called, refused or not."""
        return sum(1 for name, _ in self.calls if name == action)

    def session_secrets(self) -> list[str]:
        """Return the secret keys and tokens of all sessions."""
        sessions = [key for key in self.keys.values() if key.token]
        return [secret for key in sessions for secret in (key.secret, str(key.token))]

    def issue(self, arn: str, duration: float) -> Key:
        """Hand out temporary keys."""
        key = Key(
            id=f"ASIA{secrets.token_hex(8).upper()}",
            secret=_random(30),
            arn=arn,
            token=_random(61),
            expires=self.now() + (self.lifetime or duration),
        )
        self.keys[key.id] = key
        TAINT.collect(key.secret, str(key.token))
        return key

    def now(self) -> float:
        """Return the time on AWS's clock."""
        return self.clock() + self.skew

    # ---- the service

    def answer(self, headers: dict[str, str], body: bytes) -> str:
        params = {name: texts[0] for name, texts in parse_qs(body.decode()).items()}
        action = params.get("Action", "")
        with self._lock:
            self.calls.append((action, params))
            if self.refuse:
                raise self.refuse
            if action == "AssumeRoleWithWebIdentity":
                return self._assume_role_with_web_identity(params)
            caller = self._authenticated(headers, body)
            self.callers.append(caller.arn)
            return {
                "AssumeRole": self._assume_role,
                "GetSessionToken": self._get_session_token,
                "GetFederationToken": self._get_federation_token,
                "GetScopedCredentials": self._get_scoped_credentials,
                "GetCallerIdentity": self._get_caller_identity,
            }[action](caller, params)

    def _authenticated(self, headers: dict[str, str], body: bytes) -> Key:
        fields = dict(
            part.strip().split("=", 1)
            for part in headers["authorization"].removeprefix("AWS4-HMAC-SHA256").split(",")
        )
        key_id, scope = fields["Credential"].split("/", 1)
        key = self.keys.get(key_id)
        token = headers.get("x-amz-security-token")
        if key is None or key.token != token:
            raise RefusalError(
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            )
        if (
            _signature(key.secret, scope, fields["SignedHeaders"], headers, body)
            != fields["Signature"]
        ):
            raise RefusalError(
                403, "SignatureDoesNotMatch", "The request signature does not match."
            )
        signed = datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        if abs(signed.replace(tzinfo=timezone.utc).timestamp() - self.now()) > 300:
            raise RefusalError(
                403,
                "SignatureDoesNotMatch",
                f"Signature expired: {headers['x-amz-date']} is now earlier than "
                + _basic(self.now()),
            )
        if key.expires is not None and key.expires <= self.now():
            raise RefusalError(
                403, "ExpiredToken", "The security token included in the request is expired"
            )
        return key

    def _assume_role(self, caller: Key, params: dict[str, str]) -> str:
        role = self.roles.get(params["RoleArn"])
        duration = int(params.get("DurationSeconds", 3600))
        if not 900 <= duration <= 43200:
            raise RefusalError(
                400, "ValidationError", "1 validation error detected: durationSeconds"
            )
        mfa = self._check_code(params)
        if (
            role is None
            or role.closed
            or (role.mfa and not mfa)
            or role.external_id != params.get("ExternalId")
        ):
            raise RefusalError(
                403,
                "AccessDenied",
                f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: "
                f"{params['RoleArn']}",
            )
        if caller.token and duration > 3600:
            raise RefusalError(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
                "by role chaining.",
            )
        if duration > role.maximum:
            raise RefusalError(
                400,
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )
        arn = role.session(params["RoleSessionName"])
        user = f"<Arn>{arn}</Arn><AssumedRoleId>AROA:x</AssumedRoleId>"
        user = f"<AssumedRoleUser>{user}</AssumedRoleUser>"
        return _result("AssumeRole", _credentials(self.issue(arn, duration)) + user)

    def _assume_role_with_web_identity(self, params: dict[str, str]) -> str:
        TAINT.collect(params["WebIdentityToken"])
        role = self.roles.get(params["RoleArn"])
        token = params["WebIdentityToken"]
        good = (
            token == self.web_identity_token or self.web_identity_tokens.get(token, 0) > self.now()
        )
        if role is None or not good:
            raise RefusalError(400, "InvalidIdentityToken", "No OpenIDConnect provider found")
        if self.token_file:
            self.web_identity_token = secrets.token_urlsafe(40)
            self.token_file.write_text(self.web_identity_token)
        arn = role.session(params["RoleSessionName"])
        user = f"<Arn>{arn}</Arn><AssumedRoleId>AROA:x</AssumedRoleId>"
        return _result(
            "AssumeRoleWithWebIdentity",
            _credentials(self.issue(arn, _duration(params, 3600, most=role.maximum)))
            + f"<AssumedRoleUser>{user}</AssumedRoleUser>",
        )

    def _get_session_token(self, caller: Key, params: dict[str, str]) -> str:
        if caller.token:
            raise RefusalError(
                403, "AccessDenied", "Cannot call GetSessionToken with session credentials"
            )
        self._check_code(params)
        duration = int(params.get("DurationSeconds", 43200))
        return _result("GetSessionToken", _credentials(self.issue(caller.arn, duration)))

    def _get_federation_token(self, caller: Key, params: dict[str, str]) -> str:
        if caller.token:
            raise RefusalError(
                403, "AccessDenied", "Cannot call GetFederationToken with session credentials"
            )
        arn = f"arn:aws:sts::{ACCOUNT}:federated-user/{params['Name']}"
        user = f"<FederatedUser><Arn>{arn}</Arn></FederatedUser>"
        key = self.issue(arn, _duration(params, 43200, most=129600))
        return _result("GetFederationToken", _credentials(key) + user)

    def _get_scoped_credentials(self, caller: Key, params: dict[str, str]) -> str:
        if not caller.token or caller.expires is None:
            raise RefusalError(
                403, "InvalidSubjectCredentialsException", "Cannot scope long-term credentials"
            )
        if not {"Policy", "DurationSeconds"} & set(params):
            raise RefusalError(400, "ValidationError", "Policy or DurationSeconds is needed")
        left = caller.expires - self.now()
        duration = float(params.get("DurationSeconds", left))
        if duration > left:
            raise RefusalError(
                400, "InsufficientSessionLifetimeException", "The session does not last so long"
            )
        info = f"<SessionInfo><Arn>{caller.arn}</Arn></SessionInfo>"
        key = self.issue(caller.arn, duration)
        return _result("GetScopedCredentials", _credentials(key) + info)

    def _get_caller_identity(self, caller: Key, params: dict[str, str]) -> str:
        account = caller.arn.split(":")[4]
        return _result(
            "GetCallerIdentity",
            f"<Arn>{caller.arn}</Arn><UserId>AIDAEXAMPLE</UserId><Account>{account}</Account>",
        )

    def _check_code(self, params: dict[str, str]) -> bool:
        serial, code = params.get("SerialNumber"), params.get("TokenCode", "")
        if not serial:
            return False
        TAINT.collect(code)
        device = self.devices.get(serial)
        if device is None:
            raise RefusalError(
                403,
                "AccessDenied",
                "MultiFactorAuthentication failed, unable to validate MFA code. Please verify "
                "your MFA serial number is valid and associated with this user.",
            )
        valid = pyotp.TOTP(device.secret).verify(code, valid_window=1)
        if not valid or code in device.used:
            raise RefusalError(
                403,
                "AccessDenied",
                "MultiFactorAuthentication failed with invalid MFA one time pass code.",
            )
        device.used.add(code)
        return True


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    sts: StrictSts
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["content-length"])))

    def answer(self, body: bytes) -> None:
        """Answer a request to STS."""
        time.sleep(self.sts.delay)
        try:
            status, text = (
                200,
                self.sts.answer({k.lower(): v for k, v in self.headers.items()}, body),
            )
        except RefusalError as refused:
            status = refused.status
            text = (
                f"<ErrorResponse><Error><Type>Sender</Type><Code>{refused.code}</Code>"
                f"<Message>{escape(refused.message)}</Message></Error>"
                "<RequestId>test</RequestId></ErrorResponse>"
            )
        data = text.encode()
        self.send_response_only(status)
        self.send_header("date", formatdate(self.sts.now(), usegmt=True))
        self.send_header("content-type", "text/xml")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _result(action: str, content: str) -> str:
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<{action}Result>{content}</{action}Result>"
        f"<ResponseMetadata><RequestId>test</RequestId></ResponseMetadata></{action}Response>"
    )


def _duration(params: dict[str, str], default: int, *, most: int) -> int:
    duration = int(params.get("DurationSeconds", default))
    if not 900 <= duration <= most:
        raise RefusalError(
            400,
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )
    return duration


def _credentials(key: Key) -> str:
    expiration = datetime.fromtimestamp(key.expires or 0, timezone.utc)
    return (
        f"<Credentials><AccessKeyId>{key.id}</AccessKeyId>"
        f"<SecretAccessKey>{key.secret}</SecretAccessKey>"
        f"<SessionToken>{key.token}</SessionToken>"
        f"<Expiration>{expiration:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
    )


def _signature(
    secret: str, scope: str, signed_headers: str, headers: dict[str, str], body: bytes
) -> str:
    """Signature version 4, as AWS computes it; written apart from botocore's on purpose."""
    canonical = "\n".join(
        [
            "POST",
            unquote("/"),
            "",
            *(f"{name}:{' '.join(headers[name].split())}" for name in signed_headers.split(";")),
            "",
            signed_headers,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            headers["x-amz-date"],
            scope,
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _random(size: int) -> str:
    """Return a text as AWS's are: with ``/`` and ``+`` in it, and at its ends, to be encoded."""
    text = base64.b64encode(secrets.token_bytes(size)).decode()
    return f"{text[:4]}/+{text[6:-6]}/+{text[-4:]}"


def _basic(moment: float) -> str:
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y%m%dT%H%M%SZ")
