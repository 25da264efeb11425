"""The calls to STS."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import botocore
import botocore.credentials
from botocore import xform_name
from botocore.config import Config

from ..errors import SettingsError
from ..process.garbage_collection import paused_collection
from ..process.locking import thread_lock
from ..sdk.connections import LONGEST_IDLE_SECONDS, file_version, open_connection
from ..ui.output import announce_wait
from .aws_config import AwsConfig
from .boto_session import botocore_session
from .cache.entries import WHOSE, Answer, credentials_in
from .environment import snapshot
from .github_token import fetch_github_token
from .identity import StsSession, WebIdentityToken
from .sts_calls import CARRIED, SESSION_TOKEN, setting_of
from .sts_errors import BOTOCORE_ERRORS, ended, translate, unusable
from .token_file import read_token_file
from .values import Credentials, account_in, is_visible_ascii

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

_CALLER = "GetCallerIdentity"
_TIMEOUTS = Config(connect_timeout=10, read_timeout=30)
# Sessions, unlike clients, are not thread-safe, and what they have in common is to be read once.
_LOCK = thread_lock()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who AWS says that credentials belong to."""

    arn: str
    account_id: str
    user_id: str


def shared_sts(profile: str | None, region: str, config: AwsConfig, *, regional: bool) -> Sts:
    """Return STS as one profile and region see it, with what it has kept from the last time.

    What it sees may change with the AWS config files and the environment. Connections cannot be
    used by a fork, too.
    """
    seen = (*map(file_version, config.files), hash(frozenset(snapshot().items())), os.getpid())
    with _LOCK:
        return _kept_sts(profile, region, config.files, regional, seen)


class Sts:
    """STS as one profile and region see it; with `regional`, never the global endpoint."""

    def __init__(
        self, *, profile: str | None, region: str, config_files: Sequence[str], regional: bool
    ) -> None:
        self._session = botocore_session(profile, config_files)
        if regional:
            self._session.set_config_variable("sts_regional_endpoints", "regional")
        # Requests are signed with the credentials that they are made with, or with none.
        no_credentials = botocore.credentials.CredentialResolver([])
        self._session.register_component("credential_provider", no_credentials)
        self._region = region
        self._used = time.monotonic()
        self._last: tuple[dict[str, str | None], STSClient] | None = None

    def check(self, wanted: StsSession) -> None:
        """Refuse a session that the installed botocore cannot ask for. Raises `SettingsError`."""
        with _LOCK:
            model: Any = self._session.get_service_model("sts")
        if wanted.operation not in model.operation_names:
            raise SettingsError(
                f"{str(wanted)[:1].upper()}{str(wanted)[1:]} cannot be narrowed: the installed "
                f"botocore {botocore.__version__} does not know {wanted.operation}.",
                why="It is the call that restricts or shortens temporary credentials.",
                fix="Install botocore 1.44.8 or later: pip install --upgrade boto3",
            )
        members = model.operation_model(wanted.operation).input_shape.members
        for name, value in _with_name(wanted).items():
            longest = members[name].metadata.get("max") if name in members else None
            if isinstance(value, str) and longest and len(value) > longest:
                raise SettingsError(
                    f"{setting_of(wanted.operation, name)} has {len(value)} characters, but "
                    f"{wanted.operation} takes at most {longest}.",
                    why=f"That is the limit of the installed botocore {botocore.__version__}.",
                    fix="Shorten it.",
                )

    def make_ready(self, credentials: Credentials | None) -> None:
        """Open a connection for the next call, meanwhile; what fails, fails again at the call."""
        threading.Thread(target=self._connect, args=(credentials,), daemon=True).start()

    def _connect(self, credentials: Credentials | None) -> None:
        with suppress(Exception):
            open_connection(self._client(credentials))
            self._used = time.monotonic()

    def open_session(
        self, wanted: StsSession, source: Credentials | None, code: str | None
    ) -> Answer:
        """Open a session, with an MFA code if one is needed.

        `source` is None for a web identity, whose token is read now. Errors are botocore's: the
        caller may try again. Raises `CredentialsError` if the answer holds no usable session.
        """
        arguments = _with_name(wanted)
        if code:
            arguments["TokenCode"] = code
        if isinstance(wanted.source, WebIdentityToken):
            path, named_by = wanted.source.path, wanted.source.named_by
            arguments["WebIdentityToken"] = (
                read_token_file(path, named_by) if path else fetch_github_token(self._session)
            )
        given = self._call(wanted.operation, source, **arguments)
        answer = session_in(given, subject=str(wanted))
        if wanted.operation != SESSION_TOKEN:
            return answer
        account = self.caller(credentials_in(answer)).account_id
        return {**answer, "Credentials": {**answer["Credentials"], "AccountId": account}}

    def caller(self, credentials: Credentials) -> Caller:
        """Ask AWS whose credentials these are. Raises `CredentialsError`."""
        try:
            answer = self._call("GetCallerIdentity", credentials)
        except BOTOCORE_ERRORS as error:
            raise translate(error, subject=_CALLER) from error
        return _caller_in(answer)

    def _client(self, credentials: Credentials | None) -> STSClient:
        keys: dict[str, str | None] = {}
        if credentials:
            keys = {
                "aws_access_key_id": credentials.access_key_id,
                "aws_secret_access_key": credentials.secret_access_key,
                "aws_session_token": credentials.session_token or None,
            }
        with _LOCK, paused_collection():
            if self._last is None or self._last[0] != keys:
                create: Any = self._session.create_client
                client = create("sts", region_name=self._region, config=_TIMEOUTS, **keys)
                self._last = keys, client
            return self._last[1]

    def _call(self, operation: str, source: Credentials | None, **arguments: Any) -> Any:
        client: Any = self._client(source)
        host = urlsplit(client.meta.endpoint_url).netloc
        if time.monotonic() - self._used > LONGEST_IDLE_SECONDS:
            client.close()  # its connections
        with announce_wait(f"AWS ({host})"):
            answer = getattr(client, xform_name(operation))(**arguments)
        self._used = time.monotonic()
        return answer


@lru_cache(maxsize=4)
def _kept_sts(
    profile: str | None, region: str, config_files: Sequence[str], regional: bool, seen: object
) -> Sts:
    return Sts(profile=profile, region=region, config_files=config_files, regional=regional)


def _with_name(wanted: StsSession) -> dict[str, Any]:
    """Return the arguments of a call, with the default name where it takes one."""
    parameter = CARRIED[wanted.operation].get("role_session_name")
    name = {parameter: wanted.session_name} if parameter and wanted.session_name else {}
    return {**name, **wanted.arguments}


def session_in(answer: Any, *, subject: str) -> Answer:
    """Return what is kept of the answer to an operation that opens a session, the secrets masked.

    Raises `CredentialsError` if the session cannot be used, or has already ended.
    """
    try:
        session = credentials_in(answer)
    except ValueError as error:
        raise unusable(subject, str(error)) from error
    if session.seconds_left() <= 0:
        raise ended(subject, session, answer)
    kept: Answer = {
        part: {name: text for name, text in answer[part].items() if isinstance(text, str)}
        for part in ("Credentials", *WHOSE)
        if part in answer
    }
    kept["Credentials"] |= {
        "SecretAccessKey": session.secret_access_key,
        "SessionToken": session.session_token,
        "Expiration": session.expiration,
    }
    return kept


def _caller_in(answer: Any) -> Caller:
    arn, account, user_id = (answer.get(name) for name in ("Arn", "Account", "UserId"))
    try:
        good = account and account == account_in(arn) and is_visible_ascii(user_id)
    except ValueError:
        good = False
    if not good:
        raise unusable(_CALLER, "its Arn, Account or UserId is missing or malformed")
    return Caller(arn, account, user_id)
