"""What is asked for, resolved against the AWS config files and the environment.

An invoke that was started by another one, or in a shell that took credentials, finds its request
active when it asks for the same, or for nothing in particular. A different request starts from the
user's own source, as if there had been no `assume`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..config.settings import Settings, check_role_account
from ..errors import CredentialsError, SettingsError
from ..process.loopback import check_kept, is_local
from ..secret import Secret
from ..ui.output import warn
from .aws_config import AwsConfig, endpoint_of, read_config, sts_endpoint
from .duration import lasts
from .environment import (
    added_variables,
    credentials_in_environment,
    environment_before_assume,
    inherited_request,
    lost_variables,
    users_own,
)
from .identity import Identity, Origin, StsSession, trail
from .profile_variables import profile_variables
from .region import region_of
from .resolve import config_profile, named_profile, resolve, serial_of_keys

# The settings that decide who one is and what one may do.
_ASKED = (
    "profile",
    "role_arn",
    "duration_seconds",
    "role_session_name",
    "mfa_serial",
    "mfa_session",
    "external_id",
    "source_identity",
    "session_tags",
    "transitive_tag_keys",
    "policy",
    "policy_arns",
    "read_only",
)
_READ_ONLY = "-read-only"  # ends the digest of a request that is narrowed to reading
# Variables from which credentials start, and which hold secrets.
_SOURCES = ("AWS_ACCESS_KEY_ID", "AWS_CONTAINER_AUTHORIZATION_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """What the settings ask for, resolved against the AWS config files and the environment."""

    settings: Settings
    config: AwsConfig
    profile: str | None
    region: str
    endpoint: str  # of STS, when it is not AWS's own
    sso_endpoint: str  # the same, of IAM Identity Center
    identity: Identity
    digest: str  # of what is asked for; an invoke further down compares it
    profile_variables: Mapping[str, str]
    needed: int = 0  # seconds that the credentials must live from now
    fresh: bool = False  # ask AWS, even when a cached session is still good
    mfa_code: Secret | None = None  # that the user has passed

    @property
    def is_known(self) -> bool:
        """Return whether the settings ask for it, and not only what is active."""
        return self.digest == _digest(self.settings)

    def for_later(self) -> Request:
        """Return what to ask for when the credentials are to be renewed."""
        return replace(self, needed=0, fresh=False, mfa_code=None)


def region_in_force(settings: Settings) -> str:
    """Return the region of a session with these settings; the profile need not exist here."""
    environ = environment_before_assume()
    profile, _ = named_profile(settings, environ)
    return region_of(settings, read_config(users_own(environ)), environ, profile=profile)


def prepare(
    settings: Settings,
    *,
    needed: int = 0,
    fresh: bool = False,
    mfa_code: str | None = None,
    inherit: bool = True,
) -> Request:
    """Resolve settings into a request, without calling AWS. Raises `SettingsError`.

    Without `inherit`, and if it is to be `fresh`, it starts from the user's own source.
    """
    check_kept()
    environ = environment_before_assume()
    own = users_own(environ)
    config = read_config(own)
    profile = config_profile(settings, config, own)
    in_force = config.in_force(profile)
    active, asks_nothing = inherited_request(environ), not _asked(settings)
    if active and active.endswith(_READ_ONLY) and not asks_nothing:
        settings = _narrowed(settings)
    digest = _digest(settings)
    same = digest == active
    identity: Identity
    if (
        active is not None
        and (same or asks_nothing)
        and inherit
        and not fresh
        and _is_good(settings, environ, needed, renewable=same)
    ):
        identity = Origin(profile=None, identity=(), long_term=False, inherited=True)
        region = region_of(settings, config, environ, profile=profile)
        digest = active
        variables = added_variables(environ)
        if credentials_in_environment(environ) is None:
            settings = replace(settings, keep_fresh=True)
    else:
        if active is not None:
            _check_can_start(settings, environ, known=same or not asks_nothing)
        # The same request again has the region of before, which may be that of an option.
        told = environ if same else own
        region = region_of(settings, config, told, profile=profile)
        variables = profile_variables(config, in_force, own)
        identity = resolve(settings, config, own, region=region)
        if isinstance(identity, StsSession):  # before an MFA code is asked for
            check_role_account(identity.role_arn, settings.account_id)
        if mfa_code is not None and not is_local():  # that one has no profile of the user's
            _check_takes_code(identity, settings, config)
        if settings.mfa_session and not _uses_mfa(identity):
            warn("`aws.mfa_session` has no effect: no MFA device is set, here or in the profile.")
    with_variables = {**own, **variables}
    return Request(
        settings=settings,
        config=config,
        profile=profile,
        region=region,
        endpoint=sts_endpoint(config, in_force, with_variables),
        sso_endpoint=endpoint_of("sso", config, in_force, with_variables),
        identity=identity,
        digest=digest,
        profile_variables=variables,
        needed=needed,
        fresh=fresh,
        mfa_code=None if mfa_code is None else Secret(mfa_code),
    )


def _is_good(
    settings: Settings, environ: Mapping[str, str], needed: int, *, renewable: bool
) -> bool:
    """Return whether the credentials that are active last long enough.

    Those that nothing says how to obtain again are good to their end.
    """
    found = credentials_in_environment(environ)
    if found is None:  # kept fresh
        return True
    ends_soon = renewable and found.ends_soon(settings.min_ttl_seconds)
    return lasts(found, needed) and found.seconds_left() > 0 and not ends_soon


def _asked(settings: Settings) -> dict[str, Any]:
    values = {name: getattr(settings, name) for name in _ASKED}
    return {name: value for name, value in values.items() if value}


def _digest(settings: Settings) -> str:
    text = json.dumps(_asked(settings), sort_keys=True, default=dict)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{digest}{_READ_ONLY}" if settings.read_only else digest


def _narrowed(settings: Settings) -> Settings:
    """Return settings for a session inside a read-only one. Raises `SettingsError`."""
    for key in ("policy", "policy_arns"):
        if getattr(settings, key):
            raise SettingsError(
                f"`aws.{key}` cannot be used inside a read-only session.",
                why="An `assume --read-only` further up narrows everything in it, and AWS adds "
                "session policies up: a session with both may do what either allows.",
                fix="Run this outside of that session.",
            )
    return replace(settings, read_only=True)


def _check_can_start(settings: Settings, environ: Mapping[str, str], *, known: bool) -> None:
    """Refuse to start from another source than the user's own. Raises `CredentialsError`.

    `known` is whether the settings say what to obtain in place of what is active.
    """
    if not known:
        raise CredentialsError(
            "The credentials that are active have ended, or end too soon.",
            why="An `assume` further up has obtained them, and nothing here says for which role.",
            fix="Run that `assume` again, or set `aws.profile` or `aws.role_arn`.",
        )
    lost = [name for name in lost_variables(environ) if name in _SOURCES]
    if lost and not settings.profile:
        raise CredentialsError(
            "The source of the active credentials is no longer available.",
            why=f"`assume` has replaced {' and '.join(lost)}, and what is asked for now is another "
            "session than the one that it has obtained.",
            fix="Run this where they are still set, such as in a new shell, or set `aws.profile`.",
        )


def _check_takes_code(identity: Identity, settings: Settings, config: AwsConfig) -> None:
    """Refuse an MFA code for a session that is opened without MFA. Raises `SettingsError`."""
    takes_one = _uses_mfa(identity)
    if isinstance(identity, Origin) and not (identity.temporary or identity.sso):
        takes_one = serial_of_keys(identity, settings, config) is not None
    if not takes_one:
        raise SettingsError(
            f"`--mfa-code` cannot be used: {identity} takes no MFA code.",
            why="No MFA device is set for it, here or in the profile.",
            fix="Set `aws.mfa_serial`, or leave out --mfa-code.",
        )


def _uses_mfa(identity: Identity) -> bool:
    return any(isinstance(each, StsSession) and each.mfa_serial for each in trail(identity))
