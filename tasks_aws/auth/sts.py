"""The calls to STS, and botocore's credential chain: the only module here that talks to AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import botocore.credentials
import botocore.session
from botocore.config import Config

from ..errors import CredentialsError
from ..secret import Secret
from ..version import __version__
from .aws_config import AwsConfig
from .cache.files import Answer, credentials_in
from .environment import temporarily
from .resolve import Origin, StsSession
from .response_checks import insist_on_sound_answers
from .sts_errors import BOTOCORE_ERRORS, expired, no_credentials, translate
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
        self._session = botocore_session(profile, config)
        self._region = region

    def load(self, origin: Origin, original: Mapping[str, str]) -> Credentials:
        """Return the credentials that botocore finds for an origin. Raises `CredentialsError`.

        `original` are the variables to find them with: those of this process may be ours.
        """
        # Also for a profile: its credential_process is not to see the session of another role.
        with _translating(str(origin)), temporarily(original):
            if origin.profile:
                found = self._from_profile(origin.profile)
            else:
                found = _from_outside(origin.credential_source)
            if found is None:
                raise _empty(origin)
            frozen = found.get_frozen_credentials()  # what is read late is read now
        # No public name yet: the AWS CLI reads the same attribute.
        loaded = Credentials(
            access_key_id=frozen.access_key,
            secret_access_key=Secret(frozen.secret_key),
            session_token=Secret(frozen.token or ""),
            expiration=getattr(found, "_expiry_time", None),
        )
        return replace(loaded, lifetime=loaded.seconds_left() if loaded.expiration else None)

    def assume_role(
        self, wanted: StsSession, source: Credentials, *, code: Callable[[], str]
    ) -> Answer:
        """Assume a role through botocore's own fetcher; errors are botocore's, to be retried."""
        answers: dict[str, Answer] = {}
        arguments = {"RoleSessionName": wanted.session_name, **wanted.arguments}
        fetcher = botocore.credentials.AssumeRoleCredentialFetcher(
            self._client,
            botocore.credentials.Credentials(
                source.access_key_id, source.secret_access_key, source.session_token or None
            ),
            arguments.pop("RoleArn"),
            extra_args=arguments,
            mfa_prompter=lambda prompt: code(),
            cache=answers,
        )
        fetcher.fetch_credentials()
        (answer,) = answers.values()
        return _masked(answer)

    def get_session_token(
        self, wanted: StsSession, source: Credentials, *, code: Callable[[], str]
    ) -> Answer:
        """Get a session of long-lived keys; errors are botocore's, to be retried."""
        arguments = dict(wanted.arguments)
        if wanted.mfa_serial:
            arguments["TokenCode"] = code()
        answer = _masked(dict(self._client_of(source).get_session_token(**arguments)))
        account = self.caller(credentials_in(answer)).account_id
        return {**answer, "Credentials": {**answer["Credentials"], "AccountId": account}}

    def caller(self, credentials: Credentials) -> Caller:
        """Ask AWS whose credentials these are. Raises `CredentialsError`."""
        with _translating("the caller's identity"):
            answer = self._client_of(credentials).get_caller_identity()
        return Caller(answer["Arn"], answer["Account"], answer["UserId"])

    def _client_of(self, credentials: Credentials) -> STSClient:
        client: STSClient = self._client(
            "sts",
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            aws_session_token=credentials.session_token or None,
        )
        return client

    def _from_profile(self, profile: str) -> Any:
        # Not session.get_credentials(): it would assume the role of a profile that has its own
        # keys and is its own source_profile.
        builder = botocore.credentials.ProfileProviderBuilder(self._session)
        providers = builder.providers(profile, disable_env_vars=True)
        return botocore.credentials.CredentialResolver(providers).load_credentials()

    def _client(self, service: str, **keys: Any) -> Any:
        return self._session.create_client(
            service, region_name=self._region, config=_TIMEOUTS, **keys
        )


def botocore_session(profile: str | None, config: AwsConfig) -> botocore.session.Session:
    """Return a session of a profile of these files, whatever the variables name meanwhile."""
    session = _session(profile)
    for name, path in zip(("config_file", "credentials_file"), config.files, strict=True):
        session.set_config_variable(name, path)
    return session


def _session(profile: str | None) -> botocore.session.Session:
    session = botocore.session.Session(profile=profile)
    session.user_agent_extra = f"tasks-aws/{__version__}"
    insist_on_sound_answers(session)
    return session


def _from_outside(source: str | None) -> Any:
    """Return what AWS's own chain finds, or the one link of it that is named."""
    session = _session(None)
    if not source:
        return session.get_credentials()
    links = botocore.credentials.create_credential_resolver(session).providers
    return botocore.credentials.CanonicalNameCredentialSourcer(links).source_credentials(source)


def _empty(origin: Origin) -> CredentialsError:
    if origin.credential_source:
        return CredentialsError(
            f"The {origin} has no credentials.",
            why="A profile's role is to be assumed with them.",
            fix="Provide them, or use source_profile in that profile.",
        )
    if origin.profile is None:
        return no_credentials()
    return CredentialsError(
        f"The AWS {origin} has no credentials.",
        why="It holds neither keys, nor a role, nor single sign-on, nor another source.",
        fix="Run `aws configure` or `aws configure sso` for it, or name another profile.",
    )


def _masked(answer: Answer) -> Answer:
    given = answer["Credentials"]
    secrets = {name: Secret(given[name]) for name in ("SecretAccessKey", "SessionToken")}
    return {**answer, "Credentials": {**given, **secrets}}


@contextmanager
def _translating(subject: str) -> Iterator[None]:
    try:
        yield
    except (*BOTOCORE_ERRORS, AttributeError) as error:  # the latter for a process that gives []
        raise translate(error, subject=subject) from error
    except IndexError as error:  # botocore's answer to a credential_process of no words
        raise CredentialsError(
            f"The credential_process of {subject} is empty.",
            fix="Name a program there, or remove the line.",
        ) from error
    except RuntimeError as error:  # botocore's answer to keys in the environment that have ended
        raise expired(subject) from error
