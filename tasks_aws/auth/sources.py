"""The credentials that a session starts from, as botocore finds them.

botocore takes variables from `os.environ`, at once or whenever it renews. Until something is
exported these are the user's own. Afterwards they are those of the active role; then botocore runs
in a child process that has the user's variables, since exchanging them here would show them to
every other thread and child of this process. In another thread than the main one it always runs
there: the main one may export meanwhile.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

import botocore.credentials
import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from ..errors import CredentialsError, TasksAwsError
from ..secret import Secret
from .aws_config import AwsConfig
from .boto_session import botocore_session
from .credential_process import CredentialProcess
from .environment import environment_before_assume, in_main_thread, users_own
from .identity import Origin
from .sts_errors import (
    AWS_LOGIN,
    BOTOCORE_ERRORS,
    SignInEndedError,
    expired,
    no_credentials,
    translate,
)
from .values import Credentials, in_utc, is_visible_ascii, parse_time

# The child's arguments: the question, and where this process finds its modules. There is no secret
# among them. The child's own folders come first: in that of tasks.py a module may be named like one
# of Python's. At Ctrl-C it just ends.
_PROGRAM = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "sys.path[:] = [*filter(None, sys.path), *sys.argv[2:]]; "
    "from tasks_aws.auth import sources; sources.answer_question(sys.argv[1])"
)


class _Question(NamedTuple):
    """What to load, in JSON values."""

    profile: str | None  # whose other settings hold, such as endpoints
    config_files: Sequence[str]  # the config file and the credentials file
    origin_profile: str | None
    credential_source: str | None
    subject: str
    permission_set: str | None
    by_aws_login: bool
    region: str
    held: Sequence[str]  # cache keys of the sessions that are locked meanwhile


def load_source(
    origin: Origin,
    profile: str | None,
    config: AwsConfig,
    region: str,
    held: Iterable[str] = (),
) -> Credentials:
    """Return the credentials that botocore finds for an origin, as the user's variables say.

    `profile` and `region` are those of the request, and `held` the cache keys of the sessions that
    are locked meanwhile. Raises `CredentialsError`.
    """
    question = _Question(
        profile=profile,
        config_files=config.files,
        origin_profile=origin.profile,
        credential_source=origin.credential_source,
        subject=str(origin),
        permission_set=str(origin.sso) if origin.sso else None,
        by_aws_login=origin.login_session is not None,
        region=region,
        held=sorted(held),
    )
    environ = environment_before_assume()
    if origin.inherited:  # what is active comes before a profile, as keys do
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            environ.pop(name, None)
    else:
        environ = users_own(environ)
    # In the main thread, nothing is exported before this has ended.
    if in_main_thread() and environ == os.environ:
        return _load(question)
    return _load_in_child(question, environ)


def answer_question(question: str) -> None:
    """Load credentials in this process, and print them, or the error, as JSON on stdout."""
    stdout = os.dup(1)
    os.dup2(2, 1)  # whatever else is printed goes to stderr
    try:
        found = _load(_Question(*json.loads(question)))
    except TasksAwsError as error:
        said: dict[str, Any] = {
            "error": {"what": error.what, "why": error.why, "fix": error.fix, "code": error.code},
            "sign_in_ended": isinstance(error, SignInEndedError),
        }
    else:
        said = {
            "credentials": {
                "access_key_id": found.access_key_id,
                "secret_access_key": found.secret_access_key,
                "session_token": found.session_token,
                "expiration": found.expiration and found.expiration.isoformat(),
            }
        }
    with suppress(BrokenPipeError), os.fdopen(stdout, "w") as file:  # the asker may have ended
        file.write(f"\n{json.dumps(said)}\n")  # a line of its own, whatever was printed before


def _load_in_child(question: _Question, environ: Mapping[str, str]) -> Credentials:
    if getattr(sys, "frozen", False) or not sys.executable:
        raise _not_loaded(question, "This program has no Python interpreter that can load them.")
    folders = [each for each in sys.path if isinstance(each, str)]
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, json.dumps(question), *folders],
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
    except OSError as error:
        raise _not_loaded(question, f"Cannot start {sys.executable}: {error.strerror}.") from error
    with child:
        answer = _Answer(child.communicate()[0])  # masked: it may hold secrets
    try:
        return answer.credentials()
    except (KeyError, ValueError):
        raise _not_loaded(
            question, f"The process ended with exit code {child.returncode}."
        ) from None


class _Answer(Secret):
    """What the child has printed; the last line is JSON."""

    __slots__ = ()

    def credentials(self) -> Credentials:
        """Return the credentials, or raise the `CredentialsError` that is in their place."""
        said = json.loads(self.rstrip("\n").rpartition("\n")[2])
        if "error" in said:
            kind = SignInEndedError if said["sign_in_ended"] else CredentialsError
            raise kind(**said["error"])
        given = said["credentials"]
        return _with_lifetime(
            Credentials(
                access_key_id=given["access_key_id"],
                secret_access_key=Secret(given["secret_access_key"]),
                session_token=Secret(given["session_token"]),
                expiration=given["expiration"] and parse_time(given["expiration"]),
            )
        )


def _not_loaded(question: _Question, why: str) -> CredentialsError:
    return CredentialsError(f"Cannot load the credentials of {question.subject}.", why=why)


def _load(question: _Question) -> Credentials:
    named = question.origin_profile
    session = botocore_session(question.profile if named else None, question.config_files)
    session.set_config_variable("region", question.region)  # providers call AWS there
    process = CredentialProcess(named or session.profile or "default", session, question.held)
    with _translating(question, process):
        found = _find(session, process, question)
        if found is None:
            raise _empty(question)
        found._time_fetcher = _Now
        frozen = found.get_frozen_credentials()  # a source that is read lazily is read now
        process.check(frozen)
    keys = (frozen.access_key, frozen.secret_key, *([frozen.token] if frozen.token else []))
    if not all(map(is_visible_ascii, keys)):
        raise CredentialsError(
            f"The credentials of {question.subject} cannot be used.",
            why="A key or the session token is missing, or contains a blank, a line break or "
            "another character that AWS issues in none.",
            fix="Copy them again, without line breaks.",
        )
    # No public name yet: the AWS CLI reads the same attribute.
    expiry: datetime | None = getattr(found, "_expiry_time", None)
    return _with_lifetime(
        Credentials(
            access_key_id=frozen.access_key,
            secret_access_key=Secret(frozen.secret_key),
            session_token=Secret(frozen.token or ""),
            expiration=expiry and in_utc(expiry),
        )
    )


class _Now:
    """The current time for botocore, which subtracts it from any expiry.

    botocore keeps an expiry without a time zone as it is, and cannot compare it with a time that
    has one.
    """

    def __rsub__(self, expiry: datetime) -> timedelta:
        return in_utc(expiry) - datetime.now(timezone.utc)


def _with_lifetime(loaded: Credentials) -> Credentials:
    return replace(loaded, lifetime=loaded.seconds_left() if loaded.expiration else None)


def _find(
    session: botocore.session.Session, process: CredentialProcess, question: _Question
) -> Any:
    """Return what botocore finds in a profile, or by the default chain or one provider of it."""
    providers: list[Any]
    if question.origin_profile:
        # Not session.get_credentials(): it would assume the role of a profile that has its own
        # keys and is its own source_profile.
        builder: Any = botocore.credentials.ProfileProviderBuilder(session)
        providers = builder.providers(question.origin_profile, disable_env_vars=True)
    else:
        providers = botocore.credentials.create_credential_resolver(session).providers
    providers = [process if each.METHOD == process.METHOD else each for each in providers]
    if source := question.credential_source:
        named = botocore.credentials.CanonicalNameCredentialSourcer(providers)
        return named.source_credentials(source)
    return botocore.credentials.CredentialResolver(providers).load_credentials()


def _empty(question: _Question) -> CredentialsError:
    if question.credential_source:
        return CredentialsError(
            f"The {question.subject} provides no credentials.",
            why="`credential_source` of a profile names it.",
            fix="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (Environment), run this on ECS or "
            "EC2, or use source_profile.",
        )
    if question.origin_profile is None:
        return no_credentials()
    return CredentialsError(
        f"The AWS {question.subject} has no credentials.",
        why="It has neither keys, nor a role, nor single sign-on, nor another source.",
        fix="Run `aws configure` or `aws configure sso` for it, or name another profile.",
    )


@contextmanager
def _translating(question: _Question, process: CredentialProcess) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error, TasksAwsError):
            raise
        if question.by_aws_login and not isinstance(error, BotoCoreError | ClientError | OSError):
            raise SignInEndedError.of(
                str(question.origin_profile),
                why="What the AWS CLI has kept of it cannot be read.",
                command=AWS_LOGIN,
            ) from error
        if type(error) is RuntimeError:  # botocore's answer to credentials that have expired
            raise expired(question.subject) from error
        if process.in_charge:
            # `from None`: the error may quote what the program printed.
            raise process.explain(error) from None
        if type(error).__name__ == "ParserError":  # of dateutil, which reads expiries
            raise CredentialsError(
                f"The expiry of the credentials of {question.subject} is not a time.",
                why=f"{error}.",
                fix="Write it like 2026-01-02T03:04:05Z, or remove AWS_CREDENTIAL_EXPIRATION.",
            ) from error
        if isinstance(error, BOTOCORE_ERRORS):
            raise translate(
                error, subject=question.subject, permission_set=question.permission_set
            ) from error
        if isinstance(error, AttributeError | LookupError | OverflowError | TypeError):
            raise CredentialsError(  # botocore takes what a service gives as it is
                f"Credentials could not be obtained for {question.subject}.",
                why="The response of its service lacks a value, or has one of the wrong type.",
                fix="Call the service yourself to see what it returns.",
            ) from error
        raise
