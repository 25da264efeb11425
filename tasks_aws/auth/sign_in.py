"""Signing in to IAM Identity Center: when a sign-in has ended, or ahead of time.

The token, and the client that is registered for it, are kept where the AWS CLI keeps them and in
its format, so that each uses the sign-in of the other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import botocore
import botocore.tokens
from botocore.config import Config
from botocore.exceptions import SSOError, TokenRetrievalError

from ..errors import CredentialsError, SettingsError
from ..secret import Secret
from ..text.as_typed import command
from ..text.terminal import is_ci
from ..ui.output import say
from ..ui.prompt import waiting_for_user, why_no_prompt
from .aws_config import aws_folder
from .aws_login import AwsLogin
from .boto_session import botocore_session
from .cache.files import lock_session, read_mapping, write_json
from .identity import Origin, trail
from .oauth import (
    DEFAULT_SCOPES,
    GRANTS,
    REDIRECT_URI,
    Registration,
    sign_in_with_browser,
    sign_in_with_code,
)
from .request import Request
from .sign_in_ways import by_hand, check_may_ask
from .sso import SsoSession
from .sts_errors import BOTOCORE_ERRORS, SSO_LOGIN, translate, unusable
from .values import format_time, is_visible_ascii, seconds_until

_LAST_MINUTES = 900  # in which a registered client is not used for another sign-in


def sign_in_ahead(request: Request) -> None:
    """Sign in for what a request starts from, even if an earlier sign-in is still valid.

    Raises `SettingsError` if it does not start from a sign-in, and `CredentialsError`.
    """
    *_, start = trail(request.identity)
    sign_in: SignIn | AwsLogin | None = None
    if isinstance(start, Origin) and start.sso:
        sign_in = SignIn(start.sso.session, str(start.profile), request)
    elif isinstance(start, Origin) and start.login_session is not None:
        sign_in = AwsLogin(start.login_session, str(start.profile), request)
    if sign_in is None:
        raise SettingsError(
            "There is nothing to sign in to.",
            why=f"What is asked for starts from {start}, and not from a sign-in.",
            fix="Name a profile of `aws configure sso` or of `aws login`.",
        )
    if reason := why_no_prompt():
        raise CredentialsError(
            f"Nobody can sign in: {reason}.",
            fix=f"Run `{command('login')}` in a terminal, without that variable."
            if is_ci()
            else f"Run `{command('login')}` in a terminal.",
        )
    sign_in.ask_user()
    say("login", f"signed in {sign_in.where}")


class SignIn:
    """The sign-in of a profile, and the files that it is kept in."""

    def __init__(self, session: SsoSession, profile: str, request: Request) -> None:
        self._session = session
        self._profile = profile
        self._request = request
        self._folder = aws_folder("sso/cache")
        self.where = f"at {session.start_url}"

    def token(self, *, refused: str | None = None) -> Secret:
        """Return a token that is valid, and not the one that was refused.

        One that has ended is refreshed. If that is not possible, the user is asked by one process,
        while the others wait. Raises `CredentialsError`, at once if the user cannot be asked.
        """
        if found := self._kept_token(refused):
            return found
        with self._lock():
            found = self._kept_token(refused)
            if found is None and refused is None:
                found = self._refreshed()
            if found is None:
                check_may_ask(self._request.settings, self._profile, command=SSO_LOGIN)
                found = self._ask_user()
        return found

    def ask_user(self) -> None:
        """Let the user sign in. Raises `CredentialsError`."""
        with self._lock():
            self._ask_user()

    def _kept_token(self, refused: str | None = None) -> Secret | None:
        kept = self._read(self._session.token_key)
        token = kept.get("accessToken")
        valid = is_visible_ascii(token) and seconds_until(kept.get("expiresAt")) > 0
        return Secret(token) if valid and token != refused else None

    def _refreshed(self) -> Secret | None:
        """Let botocore get a new token with the refresh token, if there is one."""
        if self._session.name is None or "refreshToken" not in self._read(self._session.token_key):
            return None
        provider: Any = botocore.tokens.SSOTokenProvider
        tokens = provider(self._botocore_session(), profile_name=self._profile)
        try:
            tokens.load_token().get_frozen_token()
        except (SSOError, TokenRetrievalError):  # it has ended as well
            return None
        except BOTOCORE_ERRORS as error:
            raise self._translated(error) from error
        return self._kept_token()

    def _ask_user(self) -> Secret:
        session = self._botocore_session()
        config = Config(signature_version=botocore.UNSIGNED)
        try:
            with waiting_for_user():
                oidc = session.create_client(
                    "sso-oidc", region_name=self._session.region, config=config
                )
                try:
                    return self._keep(*self._answer_of_user(oidc))
                except oidc.exceptions.InvalidClientException:  # deleted by AWS: another one
                    return self._keep(*self._answer_of_user(oidc))
        except BOTOCORE_ERRORS as error:
            raise self._translated(error) from error
        except (LookupError, OverflowError, TypeError) as error:
            raise self._unusable() from error

    def _answer_of_user(self, oidc: Any) -> tuple[dict[str, Any], Registration]:
        """Sign in, and return the token and the client that it was given to.

        A client that leads to no token is forgotten: the page of one that AWS has deleted never
        answers.
        """
        try:
            return self._sign_in(oidc)
        except BaseException:
            with suppress(OSError):
                self._path(self._session.registration_key).unlink(missing_ok=True)
            raise

    def _sign_in(self, oidc: Any) -> tuple[dict[str, Any], Registration]:
        # The CLI, too, signs in without an sso-session by a code only.
        open_page = not by_hand(self._request.settings)
        if self._session.name and open_page:
            registration = self._registered(oidc, in_browser=True)
            if answer := sign_in_with_browser(oidc, self._session, registration):
                return answer, registration
            open_page = False
        registration = self._registered(oidc, in_browser=False)
        answer = sign_in_with_code(oidc, self._session, registration, open_page=open_page)
        return answer, registration

    def _registered(self, oidc: Any, *, in_browser: bool) -> Registration:
        """Return a client that may sign in this way, registering it if there is none."""
        session = self._session
        kept = self._read(session.registration_key)
        if (
            seconds_until(kept.get("expiresAt")) > _LAST_MINUTES
            and ("authorization_code" in str(kept.get("grantTypes"))) is in_browser
            and {"clientId", "clientSecret"} <= kept.keys()
        ):
            return kept
        scopes = session.scopes or (DEFAULT_SCOPES if in_browser else ())
        options: dict[str, Any] = {"scopes": scopes} if scopes else {}
        if in_browser:
            options |= {"grantTypes": GRANTS}
        used_once = {"redirectUris": [REDIRECT_URI], "issuerUrl": session.start_url}
        answer = oidc.register_client(
            clientName=f"tasks-aws-{session.name or int(time.time())}",
            clientType="public",
            **options,
            **(used_once if in_browser else {}),
        )
        ends = datetime.fromtimestamp(answer["clientSecretExpiresAt"], timezone.utc)
        registration = {
            "clientId": answer["clientId"],
            "clientSecret": Secret(answer["clientSecret"]),
            "expiresAt": format_time(ends),
            **options,
        }
        self._write(session.registration_key, registration)
        return registration

    def _keep(self, answer: Mapping[str, Any], registration: Registration) -> Secret:
        token = answer.get("accessToken")
        if not is_visible_ascii(token):
            raise self._unusable()
        ends = datetime.fromtimestamp(time.time() + answer["expiresIn"], timezone.utc)
        kept = {
            "startUrl": self._session.start_url,
            "region": self._session.region,
            "accessToken": token,
            "expiresAt": format_time(ends),
            "clientId": registration["clientId"],
            "clientSecret": registration["clientSecret"],
            "registrationExpiresAt": registration["expiresAt"],
        }
        if "refreshToken" in answer:
            kept["refreshToken"] = answer["refreshToken"]
        self._write(self._session.token_key, kept)
        return Secret(token)

    def _lock(self) -> AbstractContextManager[object]:
        def waiting() -> None:
            say("waiting", f"for another process that is signing in at {self._session.start_url}")

        return lock_session(self._folder / f"{self._session.token_key}.lock", waiting=waiting)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _read(self, key: str) -> dict[str, Any]:
        return read_mapping(self._path(key))

    def _write(self, key: str, value: Mapping[str, Any]) -> None:
        try:
            write_json(self._path(key), value)
        except OSError as error:
            raise CredentialsError(
                f"Cannot keep the sign-in in {self._path(key)}.",
                why=f"{error.strerror or error}.",
                fix="Check the owner and the permissions of the folder.",
            ) from error

    def _botocore_session(self) -> Any:
        return botocore_session(self._request.profile, self._request.config.files)

    def _unusable(self) -> CredentialsError:
        return unusable(f"the sign-in at {self._session.start_url}", "a value is missing")

    def _translated(self, error: Exception) -> Exception:
        return translate(error, subject=f"the sign-in at {self._session.start_url}")
