"""Where credentials start and which sessions are opened with them, as values.

Nothing here talks to AWS: the values say what would be requested, under which key the answer is
cached, and whose access keys it would come from.
"""

from __future__ import annotations

import getpass
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..config.settings import DEFAULT_SESSION, LONGEST_SESSION, Settings
from ..errors import SettingsError
from ..ui.output import suggest
from .aws_config import AwsConfig, Section

# What tells one profile's credentials from another's; none of it is secret.
_IDENTIFYING = (
    "aws_access_key_id",
    "credential_process",
    "login_session",
    "role_arn",
    "sso_account_id",
    "sso_role_name",
    "sso_session",
    "sso_start_url",
    "web_identity_token_file",
)
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
_IDENTIFYING_VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    *_CONTAINER,
)
# Those that lead to temporary credentials, whatever they are.
_TEMPORARY = (
    "login_session",
    "sso_account_id",
    "web_identity_token_file",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    *_CONTAINER,
)
# The values of credential_source, and the variables that tell one such source from another.
CREDENTIAL_SOURCES: Mapping[str, tuple[str, ...]] = {
    "Environment": ("AWS_ACCESS_KEY_ID",),
    "EcsContainer": _CONTAINER,
    "Ec2InstanceMetadata": (),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origin:
    """Credentials that botocore finds: in a profile, or by the default credential chain."""

    profile: str | None  # None: the default credential chain, or the one source that is named
    credential_source: str | None = None  # as in a profile: Environment, EcsContainer, …
    identity: tuple[tuple[str, str], ...]
    long_term: bool  # known to be long-term access keys, which are never exported

    @property
    def temporary(self) -> bool:
        """Return whether they are known to be temporary before they are loaded."""
        return not self.long_term and any(name in _TEMPORARY for name, _ in self.identity)

    def __str__(self) -> str:
        if self.credential_source:
            return f"credential source {self.credential_source}"
        return f"profile {self.profile}" if self.profile else "the default credential chain"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StsSession:
    """An STS session: of a role, or (without a RoleArn) of the source's own long-term keys."""

    source: Origin | StsSession
    arguments: Mapping[str, Any]  # as AssumeRole or GetSessionToken takes them
    session_name: str | None = None  # used when the arguments have no RoleSessionName

    @property
    def role_arn(self) -> str | None:
        """Return the role, or None for GetSessionToken."""
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
        return f"the role {self.role_arn}" if self.role_arn else f"a session of {self.source}"


Identity = Origin | StsSession


def cache_key(session: StsSession) -> str:
    """Return the name under which the AWS CLI caches the session of a role.

    The rule is botocore's: the sorted arguments without a generated session name, the policy
    parsed. Sessions of GetSessionToken, which the CLI does not cache, follow the same rule, with
    their source as one more argument.
    """
    arguments = dict(session.arguments)
    if "Policy" in arguments:
        arguments["Policy"] = json.loads(arguments["Policy"])
    if session.role_arn is None:
        arguments["Source"] = fingerprint(session.source)
    text = json.dumps(arguments, sort_keys=True)
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def fingerprint(identity: Identity) -> str:
    """Return a digest that differs for other keys or another chain of roles."""
    trail: list[Any] = []
    while isinstance(identity, StsSession):
        trail.append(dict(identity.arguments))
        identity = identity.source
    trail.append(identity.identity)
    return hashlib.sha256(json.dumps(trail, sort_keys=True).encode()).hexdigest()


def resolve(settings: Settings, config: AwsConfig, environ: Mapping[str, str]) -> Identity:
    """Return what the settings ask for. Raises `SettingsError`."""
    name = profile_name(settings, config, environ)
    base = _from_profile(name, config, environ) if name else _from_chain(environ)
    if isinstance(base, Origin) and not settings.role_arn:
        return session_of_keys(base, settings, config) if base.long_term else base
    if isinstance(base, StsSession) and settings.role_arn in (None, base.role_arn):
        arguments = {**base.arguments, **_role_arguments(settings)}
        base = base.source
    else:
        profile = config.profiles.get(name or "", {})
        arguments = {"RoleArn": settings.role_arn, **_role_arguments(settings)}
        if "mfa_serial" in profile and isinstance(base, Origin):
            arguments.setdefault("SerialNumber", profile["mfa_serial"])
    if settings.mfa_session and isinstance(base, Origin) and "SerialNumber" in arguments:
        # One code for many roles: it opens a session of the keys, and that assumes the roles.
        opening = {
            "SerialNumber": arguments.pop("SerialNumber"),
            "DurationSeconds": LONGEST_SESSION,
        }
        base = StsSession(source=base, arguments=opening)
    return StsSession(source=base, arguments=arguments, session_name=_login_name())


def session_of_keys(origin: Origin, settings: Settings, config: AwsConfig) -> StsSession:
    """Return the GetSessionToken session that takes the place of long-term keys."""
    arguments: dict[str, Any] = {}
    serial = settings.mfa_serial or config.profiles.get(origin.profile or "", {}).get("mfa_serial")
    if serial:
        arguments["SerialNumber"] = serial
    # Not the STS default of 12 hours: as long as a role session by default.
    arguments["DurationSeconds"] = settings.duration_seconds or DEFAULT_SESSION
    return StsSession(source=origin, arguments=arguments)


def profile_name(settings: Settings, config: AwsConfig, environ: Mapping[str, str]) -> str | None:
    """Return the profile that credentials start from, or None if another source takes precedence.

    As in the default credential chain, keys in the environment take precedence over a profile that
    no setting names, and a web identity takes precedence over such a profile's keys, but not over
    its role.
    """
    if settings.profile:
        config.profile(settings.profile, named_by="The setting `aws.profile` (or --profile)")
        return settings.profile
    if environ.get("AWS_ACCESS_KEY_ID"):
        return None
    name = "default"
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):  # the last wins, as in boto3
        if environ.get(variable):
            name = environ[variable]
            config.profile(name, named_by=f"The variable {variable}")
    profile = config.profiles.get(name, {})
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and "role_arn" not in profile:
        return None
    return name if name != "default" or any(key in profile for key in _IDENTIFYING) else None


def region_of(settings: Settings, profile: Section, environ: Mapping[str, str]) -> str:
    """Return the region: the setting, then the environment's, then the profile's."""
    region = (
        settings.region
        or environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or profile.get("region")
    )
    if not region:
        raise SettingsError(
            "No AWS region is set.",
            why="Neither `aws.region`, nor AWS_REGION, nor the profile has one.",
            fix="Set `aws.region` in invoke.yaml, or pass --region.",
        )
    return region


def _from_chain(environ: Mapping[str, str]) -> Origin:
    identity = [(name, environ[name]) for name in _IDENTIFYING_VARIABLES if environ.get(name)]
    token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
    long_term = bool(environ.get("AWS_ACCESS_KEY_ID")) and not token
    return Origin(profile=None, identity=tuple(identity), long_term=long_term)


def _from_profile(
    name: str, config: AwsConfig, environ: Mapping[str, str], visited: tuple[str, ...] = ()
) -> Identity:
    """Follow source_profile to its start, by botocore's rules.

    A profile's own keys take precedence over its role, except in the first profile of the chain.
    """
    profile = config.profiles[name]
    static = "aws_access_key_id" in profile or "aws_secret_access_key" in profile
    is_role = "role_arn" in profile and "web_identity_token_file" not in profile
    if not is_role or (static and visited):
        sso_session = config.sso_sessions.get(profile.get("sso_session", ""), {})
        told = {**sso_session, **profile}
        identity = tuple((key, told[key]) for key in _IDENTIFYING if key in told)
        long_term = static and "aws_session_token" not in profile
        return Origin(profile=name, identity=identity, long_term=long_term)
    return StsSession(
        source=_source_of(name, profile, config, environ, (*visited, name)),
        arguments=_profile_role_arguments(profile),
        session_name=_login_name(),
    )


def _source_of(
    name: str,
    profile: Section,
    config: AwsConfig,
    environ: Mapping[str, str],
    visited: tuple[str, ...],
) -> Identity:
    source, credential_source = profile.get("source_profile"), profile.get("credential_source")
    if (source is None) == (credential_source is None):
        raise SettingsError(
            f"The AWS profile `{name}` has a role_arn, but "
            + ("neither source_profile nor" if source is None else "both source_profile and")
            + " credential_source.",
            why="One of them must name the credentials that assume the role.",
            fix=f"Set exactly one of the two in [profile {name}].",
        )
    if source is None:
        return _from_credential_source(str(credential_source), name, environ)
    following = config.profile(source, named_by=f"source_profile of profile `{name}`")
    if source in visited and not (source == name and "aws_access_key_id" in following):
        raise SettingsError(
            f"The AWS profiles {' -> '.join([*visited, source])} form a circle.",
            why="source_profile never leads to a profile that has credentials.",
            fix="Give one of them credentials of its own.",
        )
    return _from_profile(source, config, environ, visited)


def _from_credential_source(source: str, name: str, environ: Mapping[str, str]) -> Origin:
    if source not in CREDENTIAL_SOURCES:
        raise SettingsError(
            f"credential_source of the AWS profile `{name}` must be one of "
            f"{', '.join(CREDENTIAL_SOURCES)}, got {source}.",
            fix=suggest(source, list(CREDENTIAL_SOURCES)),
        )
    variables = [each for each in CREDENTIAL_SOURCES[source] if environ.get(each)]
    identity = [("credential_source", source), *((each, environ[each]) for each in variables)]
    return Origin(profile=None, credential_source=source, identity=tuple(identity), long_term=False)


def _profile_role_arguments(profile: Section) -> dict[str, Any]:
    names = {
        "role_arn": "RoleArn",
        "role_session_name": "RoleSessionName",
        "external_id": "ExternalId",
        "mfa_serial": "SerialNumber",
    }
    arguments: dict[str, Any] = {names[key]: profile[key] for key in names if key in profile}
    duration = profile.get("duration_seconds", "")
    if re.fullmatch(r"\d{1,9}", duration, re.ASCII):  # botocore ignores other values, too
        arguments["DurationSeconds"] = int(duration)
    return arguments


def _role_arguments(settings: Settings) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "DurationSeconds": settings.duration_seconds,
        "RoleSessionName": settings.role_session_name,
        "SerialNumber": settings.mfa_serial,
        "ExternalId": settings.external_id,
        "SourceIdentity": settings.source_identity,
        "Tags": [
            {"Key": key, "Value": text} for key, text in sorted(settings.session_tags.items())
        ],
        "TransitiveTagKeys": list(settings.transitive_tag_keys),
        "PolicyArns": [{"arn": arn} for arn in settings.policy_arns],
        "Policy": json.dumps(settings.policy) if settings.policy else None,
    }
    return {name: value for name, value in arguments.items() if value}


def _login_name() -> str:
    """Return the login name as a valid role session name."""
    try:
        name = getpass.getuser()
    except (ImportError, KeyError, OSError):  # no such user, as in some containers
        name = ""
    legal = re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:64]
    return legal if len(legal) >= 2 else "tasks-aws"
