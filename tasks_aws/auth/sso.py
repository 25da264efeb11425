"""IAM Identity Center (SSO) in the AWS config files: where one signs in, and to which role.

The names of the cached files are those of the AWS CLI.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from ..errors import SettingsError
from ..ui.output import suggest
from .aws_config import AwsConfig, Section, profile_header

_ROLE = ("sso_account_id", "sso_role_name")
_SIGN_IN = ("sso_start_url", "sso_region")
# Where a profile that has `sso_session` alone may have its credentials.
_OTHER_SOURCES = ("aws_access_key_id", "credential_process", "login_session")


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoSession:
    """Where one signs in, once for many roles."""

    start_url: str
    region: str
    name: str | None  # of the sso-session; None: the profile itself says where
    scopes: tuple[str, ...] | None

    @property
    def token_key(self) -> str:
        """Return the name under which the AWS CLI keeps the token."""
        return _digest(self.name or self.start_url)

    @property
    def registration_key(self) -> str:
        """Return the name under which the AWS CLI keeps the client that it has registered."""
        what = {
            "tool": "botocore",
            "startUrl": self.start_url,
            "region": self.region,
            "scopes": self.scopes,
            "session_name": self.name,
        }
        return _digest(json.dumps(what, sort_keys=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class SsoRole:
    """A permission set in an account, and where one signs in to get it."""

    account_id: str
    role_name: str
    session: SsoSession

    @property
    def cache_key(self) -> str:
        """Return the name under which the AWS CLI caches the session of this role."""
        where = (
            {"sessionName": self.session.name}
            if self.session.name
            else {"startUrl": self.session.start_url}
        )
        arguments = {"accountId": self.account_id, "roleName": self.role_name, **where}
        return _digest(json.dumps(arguments, sort_keys=True, separators=(",", ":")))

    @property
    def identity(self) -> str:
        """Return a digest that differs for another role, and for another place to sign in."""
        session = self.session
        what = [self.account_id, self.role_name, session.start_url, session.region, session.name]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    def __str__(self) -> str:
        return f"the permission set {self.role_name} in account {self.account_id}"


def sso_role(name: str, config: AwsConfig) -> SsoRole | None:
    """Return the role that a profile gets from IAM Identity Center, if it gets one.

    Raises `SettingsError` if something is missing, as botocore does once it needs it.
    """
    profile, header = config.profiles[name], profile_header(name)
    session_name = profile.get("sso_session")
    if not any(key in profile for key in _ROLE) and (
        session_name is None or any(key in profile for key in _OTHER_SOURCES)
    ):
        return None
    told, where = profile, header
    if session_name is not None:
        where = f"[sso-session {session_name}]"
        if session_name not in config.sso_sessions:
            raise SettingsError(
                f"There is no {where} in {config.files[0]}.",
                why=f"sso_session of the AWS profile `{name}` names it.",
                fix=suggest(session_name, list(config.sso_sessions)) or "Run `aws configure sso`.",
            )
        told = config.sso_sessions[session_name]
        for key in (key for key in _SIGN_IN if profile.get(key, told.get(key)) != told.get(key)):
            raise SettingsError(
                f"{key} in {header} is not that in {where}.",
                why="A profile with sso_session signs in as the section says.",
                fix=f"Remove {key} from {header}.",
            )
    for keys, section, place in ((_ROLE, profile, header), (_SIGN_IN, told, where)):
        if missing := [key for key in keys if not section.get(key)]:
            raise SettingsError(
                f"The AWS profile `{name}` signs in to IAM Identity Center, but "
                f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing.",
                why="A sign-in gives credentials only for an account and a permission set in it."
                if keys is _ROLE
                else "",
                fix=f"Add {'it' if len(missing) == 1 else 'them'} to {place}, or run "
                "`aws configure sso`.",
            )
    return SsoRole(
        account_id=profile["sso_account_id"],
        role_name=profile["sso_role_name"],
        session=SsoSession(
            start_url=told["sso_start_url"],
            region=told["sso_region"],
            name=session_name,
            scopes=_scopes(told) if session_name else None,
        ),
    )


def _scopes(section: Section) -> tuple[str, ...] | None:
    scopes = section.get("sso_registration_scopes")
    if scopes is None:
        return None
    return tuple(filter(None, map(str.strip, scopes.split(","))))


def _digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
