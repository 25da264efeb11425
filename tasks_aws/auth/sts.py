"""The calls to STS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from ..secret import Secret
from .aws_config import AwsConfig
from .boto_session import botocore_session
from .cache.entries import Answer, credentials_in
from .resolve import StsSession
from .sts_errors import BOTOCORE_ERRORS, translate
from .values import Credentials

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

_TIMEOUTS = Config(connect_timeout=10, read_timeout=30)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who AWS says that credentials belong to."""

    arn: str
    account_id: str
    user_id: str


class Sts:
    """STS as one profile and region see it."""

    def __init__(self, *, profile: str | None, region: str, config: AwsConfig) -> None:
        self._session = botocore_session(profile, config.files)
        self._region = region

    def open_session(self, wanted: StsSession, source: Credentials, code: str | None) -> Answer:
        """Assume a role, or get a session of long-term keys, with an MFA code if one is needed.

        Errors are botocore's: the caller may try again.
        """
        client: Any = self._client(source)
        arguments = {**wanted.arguments, **({"TokenCode": code} if code else {})}
        if wanted.role_arn:
            named = {"RoleSessionName": wanted.session_name, **arguments}
            return _mask(client.assume_role(**named))
        answer = _mask(client.get_session_token(**arguments))
        account = self.caller(credentials_in(answer)).account_id
        return {**answer, "Credentials": {**answer["Credentials"], "AccountId": account}}

    def caller(self, credentials: Credentials) -> Caller:
        """Ask AWS whose credentials these are. Raises `CredentialsError`."""
        try:
            answer = self._client(credentials).get_caller_identity()
        except BOTOCORE_ERRORS as error:
            raise translate(error, subject="the caller's identity") from error
        return Caller(answer["Arn"], answer["Account"], answer["UserId"])

    def _client(self, credentials: Credentials) -> STSClient:
        create: Any = self._session.create_client
        client: STSClient = create(
            "sts",
            region_name=self._region,
            config=_TIMEOUTS,
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token or None,
        )
        return client


def _mask(answer: Any) -> Answer:
    given = answer["Credentials"]
    secrets = {name: Secret(given[name]) for name in ("SecretAccessKey", "SessionToken")}
    return {**answer, "Credentials": {**given, **secrets}}
