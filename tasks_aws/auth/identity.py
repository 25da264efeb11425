"""Whose credentials are wanted, as values: where they start, and the sessions opened with them.

Nothing here talks to AWS: the values say what would be requested, under which key the answer is
cached, and whose access keys it would come from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .sso import SsoRole

CONTAINER_VARIABLES = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
# Keys of a profile and variables that lead to temporary credentials, whatever they are.
_TEMPORARY = ("login_session", "sso_account_id", *CONTAINER_VARIABLES)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """Credentials that botocore finds: in a profile, or by the default credential chain."""

    profile: str | None  # None: the default credential chain, or the one source that is named
    credential_source: str | None = None  # as in a profile: Environment, EcsContainer, …
    identity: tuple[tuple[str, str], ...]
    long_term: bool  # known to be long-term access keys, which are never exported
    sso: SsoRole | None = None  # what it gets from IAM Identity Center
    login_session: str | None = None  # whom `aws login` has signed in
    inherited: bool = False  # exported by an `assume` further up

    @property
    def temporary(self) -> bool:
        """Return whether they are known to be temporary before they are loaded."""
        return not self.long_term and any(name in _TEMPORARY for name, _ in self.identity)

    def __str__(self) -> str:
        if self.inherited:
            return "the credentials that are active already"
        if self.credential_source:
            return f"credential source {self.credential_source}"
        return f"profile {self.profile}" if self.profile else "the default credential chain"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WebIdentityToken:
    """A web identity token: who holds it is whom the identity provider says."""

    path: str | None  # None: GitHub gives it to the job that this runs in
    named_by: str = ""  # what names the path
    identity: tuple[tuple[str, str], ...]
    temporary = False  # no credentials yet: a role that is assumed with it is not chained

    def __str__(self) -> str:
        return f"the web identity token in {self.path}" if self.path else "the token of GitHub"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StsSession:
    """An STS session: of a role, or (without a RoleArn) of the source's own credentials."""

    operation: str  # the call that opens it
    source: Origin | WebIdentityToken | StsSession
    arguments: Mapping[str, Any]  # as the call takes them
    session_name: str | None = None  # used when the arguments have no name

    @property
    def role_arn(self) -> str | None:
        """Return the role, or None for a session of the source's own credentials."""
        return self.arguments.get("RoleArn")

    @property
    def mfa_serial(self) -> str | None:
        """Return the MFA device whose code is needed, if any."""
        return self.arguments.get("SerialNumber")

    @property
    def chained(self) -> bool:
        """Return whether a role assumes this role, which AWS limits to one hour."""
        return isinstance(self.source, StsSession)

    def __str__(self) -> str:
        if self.role_arn:
            return f"the role {self.role_arn}"
        return (
            str(self.source)
            if isinstance(self.source, StsSession)
            else f"a session of {self.source}"
        )


Identity = Origin | StsSession


def trail(identity: Identity | WebIdentityToken) -> Iterator[Identity | WebIdentityToken]:
    """Yield an identity, what it starts from, and so on, up to the credentials or the token."""
    yield identity
    while isinstance(identity, StsSession):
        identity = identity.source
        yield identity


def cache_key(session: StsSession) -> str:
    """Return the name under which the AWS CLI caches the session of a role.

    The rule is botocore's: the sorted arguments without a generated session name, the policy
    parsed. Sessions of other calls, which the CLI does not cache, follow the same rule, with
    their call and their source as two more arguments.
    """
    arguments = dict(session.arguments)
    if "Policy" in arguments:
        arguments["Policy"] = json.loads(arguments["Policy"])
    if session.role_arn is None:
        arguments |= {"Operation": session.operation, "Source": fingerprint(session.source)}
    text = json.dumps(arguments, sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def fingerprint(identity: Identity | WebIdentityToken) -> str:
    """Return a digest that differs for other keys or another chain of roles."""
    told = [
        [each.operation, dict(each.arguments)] if isinstance(each, StsSession) else each.identity
        for each in trail(identity)
    ]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
