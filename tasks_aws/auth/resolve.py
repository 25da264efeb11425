"""From settings, profiles and variables to an identity: whose credentials are wanted.

Nothing here talks to AWS.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config.settings import DEFAULT_SESSION, LONGEST_SESSION, SETTINGS, Settings
from ..errors import SettingsError
from ..ui.output import format_duration, suggest
from .aws_config import AwsConfig, Section, profile_header
from .identity import CONTAINER_VARIABLES, Identity, Origin, StsSession, WebIdentityToken
from .partitions import partition_of
from .session_name import default_session_name
from .sso import sso_role
from .sts_calls import (
    ASSUME_ROLE,
    SESSION_TOKEN,
    WEB_IDENTITY,
    Start,
    calls,
    values_asked,
)

# A session that was obtained for three hours still counts as that a moment later.
SLACK_SECONDS = 60

_LONGEST_FEDERATED_NAME = 32  # "GetFederationToken", STS API reference

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
_IDENTIFYING_VARIABLES = ("AWS_ACCESS_KEY_ID", *CONTAINER_VARIABLES)
# The values of credential_source, and the variables that tell one such source from another.
CREDENTIAL_SOURCES: Mapping[str, tuple[str, ...]] = {
    "Environment": ("AWS_ACCESS_KEY_ID",),
    "EcsContainer": CONTAINER_VARIABLES,
    "Ec2InstanceMetadata": (),
}
# A web identity: its keys in a profile, and the variables that take precedence over them.
_WEB_IDENTITY = {
    "web_identity_token_file": "AWS_WEB_IDENTITY_TOKEN_FILE",
    "role_arn": "AWS_ROLE_ARN",
    "role_session_name": "AWS_ROLE_SESSION_NAME",
}

# With which a job of GitHub Actions gets a token, if it has the permission.
GITHUB_TOKEN = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")

# The keys of a profile, and their settings, that are parameters of AssumeRole.
_PARAMETERS = {
    "role_arn": "RoleArn",
    "role_session_name": "RoleSessionName",
    "external_id": "ExternalId",
    "mfa_serial": "SerialNumber",
    "duration_seconds": "DurationSeconds",
}
_Said = Mapping[str, tuple[str, str]]  # keys of a profile: what says them, and their values


def resolve(
    settings: Settings, config: AwsConfig, environ: Mapping[str, str], *, region: str
) -> Identity:
    """Return what the settings ask for. Raises `SettingsError`."""
    name = source_profile(settings, config, environ)
    base = _from_profile(name, config, environ) if name else _from_chain(settings, config, environ)
    if isinstance(base, Origin) and settings.role_arn is None:
        if base.long_term:
            return session_of_keys(base, settings, config, region)
        if base.temporary:  # what nothing can carry is refused before anything is asked
            calls(Start.TEMPORARY, values_asked(settings, partition_of(region)), subject=base)
        return base
    if isinstance(base, StsSession) and settings.role_arn in (None, base.role_arn):
        operation, arguments, source = base.operation, dict(base.arguments), base.source
    else:
        operation, arguments, source = ASSUME_ROLE, {"RoleArn": settings.role_arn}, base
        if name and isinstance(base, Origin):
            arguments |= _arguments(_said_in(name, config.profiles[name]), "mfa_serial")
    start = Start.WEB_IDENTITY if operation == WEB_IDENTITY else Start.ROLE
    partition = f"{arguments['RoleArn']}::".split(":")[1]
    [(_, asked)] = calls(start, values_asked(settings, partition), subject=arguments["RoleArn"])
    arguments |= asked
    if settings.mfa_serial and operation == ASSUME_ROLE:
        arguments["SerialNumber"] = settings.mfa_serial
    if settings.mfa_session and isinstance(source, Origin) and "SerialNumber" in arguments:
        # One code for many roles: it opens a session of the keys, and that assumes the roles.
        opening = {
            "SerialNumber": arguments.pop("SerialNumber"),
            "DurationSeconds": LONGEST_SESSION,
        }
        source = StsSession(operation=SESSION_TOKEN, source=source, arguments=opening)
    return StsSession(
        operation=operation, source=source, arguments=arguments, session_name=default_session_name()
    )


def serial_of_keys(origin: Origin, settings: Settings, config: AwsConfig) -> str | None:
    """Return the MFA device of who has these long-term keys, if one is set."""
    profile = origin.profile or ""
    own = _arguments(_said_in(profile, config.profiles.get(profile, {})), "mfa_serial")
    return settings.mfa_serial or own.get("SerialNumber")


def session_of_keys(
    origin: Origin, settings: Settings, config: AwsConfig, region: str
) -> StsSession:
    """Return the session that takes the place of long-term keys. Raises `SettingsError`."""
    serial = serial_of_keys(origin, settings, config)
    asked = values_asked(settings, partition_of(region))
    # Not the STS default of 12 hours: as long as a role session by default.
    asked.setdefault("duration_seconds", DEFAULT_SESSION)
    start = Start.KEYS_WITH_MFA if serial else Start.KEYS
    (operation, arguments), *others = calls(start, asked, subject=origin)
    if serial:
        arguments = {"SerialNumber": serial, **arguments}
    session = StsSession(
        operation=operation,
        source=origin,
        arguments=arguments,
        session_name=default_session_name()[:_LONGEST_FEDERATED_NAME],
    )
    for operation, arguments in others:
        session = StsSession(operation=operation, source=session, arguments=arguments)
    return session


def narrowed(origin: Origin, settings: Settings, region: str, *, left: float) -> Identity:
    """Return the session of temporary credentials that are still valid for `left` seconds.

    It is the credentials themselves unless the settings narrow them. Raises `SettingsError`.
    """
    asked = values_asked(settings, partition_of(region))
    duration = asked.get("duration_seconds", 0)
    if duration > left + SLACK_SECONDS:
        raise SettingsError(
            f"`aws.duration_seconds` (--duration) is {format_duration(duration)}, but the "
            f"credentials of {origin} last only {format_duration(left)}.",
            why="They are temporary credentials, and their source decides how long they last.",
            fix="Configure the source to give longer ones, ask for less, or set `aws.role_arn`.",
        )
    if duration and abs(duration - left) <= SLACK_SECONDS:
        del asked["duration_seconds"]  # they last that long by themselves
    identity: Identity = origin
    for operation, arguments in calls(Start.TEMPORARY, asked, subject=origin):
        identity = StsSession(operation=operation, source=identity, arguments=arguments)
    return identity


def config_profile(settings: Settings, config: AwsConfig, environ: Mapping[str, str]) -> str | None:
    """Return the profile that the region, endpoints and the like come from; None is `default`."""
    name, named_by = named_profile(settings, environ)
    if name:
        config.profile(name, named_by=named_by)
    return name


def named_profile(settings: Settings, environ: Mapping[str, str]) -> tuple[str | None, str]:
    """Return the profile that is named, and what names it; it need not exist."""
    named = {"The setting `aws.profile` (or --profile)": settings.profile}
    for variable in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"):  # the first wins, as in boto3
        named[f"The variable {variable}"] = environ.get(variable)
    return next(((name, named_by) for named_by, name in named.items() if name), (None, ""))


def source_profile(settings: Settings, config: AwsConfig, environ: Mapping[str, str]) -> str | None:
    """Return the profile that credentials start from, or None if another source takes precedence.

    As in the default credential chain, keys in the environment take precedence over a profile that
    no setting names, and a web identity takes precedence over such a profile's keys, but not over
    its role. The token of GitHub takes precedence over the default profile where AWS_ROLE_ARN names
    its role.
    """
    named = config_profile(settings, config, environ)
    name = named or "default"
    if settings.profile:
        return name
    profile = config.profiles.get(name, {})
    web_identity = "role_arn" not in profile or "web_identity_token_file" in profile
    has_token = environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") or (
        named is None and environ.get("AWS_ROLE_ARN") and _github_role(settings, environ)
    )
    if environ.get("AWS_ACCESS_KEY_ID") or (has_token and web_identity):
        return None
    return name if name != "default" or any(key in profile for key in _IDENTIFYING) else None


def is_anything_set(settings: Settings, config: AwsConfig, environ: Mapping[str, str]) -> bool:
    """Return whether a profile or a variable says where credentials start."""
    names = (*_IDENTIFYING_VARIABLES, "AWS_WEB_IDENTITY_TOKEN_FILE")
    named = any(environ.get(name) for name in names) or _github_role(settings, environ)
    return bool(named) or source_profile(settings, config, environ) is not None


def _from_chain(settings: Settings, config: AwsConfig, environ: Mapping[str, str]) -> Identity:
    """Return the start of the default credential chain."""
    if not environ.get("AWS_ACCESS_KEY_ID"):
        if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
            name = config_profile(settings, config, environ)
            role = settings.role_arn
            said = {
                **({"role_arn": ("aws.role_arn", role)} if role else {}),
                **_said_in(name or "default", config.in_force(name)),
                **_said_by_variables(environ),
            }
            return _from_web_identity(said, fix="Set AWS_ROLE_ARN or `aws.role_arn`.")
        if role := _github_role(settings, environ):
            return _from_github(role, environ)
    identity = [(name, environ[name]) for name in _IDENTIFYING_VARIABLES if environ.get(name)]
    token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
    long_term = bool(environ.get("AWS_ACCESS_KEY_ID")) and not token
    return Origin(profile=None, identity=tuple(identity), long_term=long_term)


def _said_in(name: str, profile: Section) -> _Said:
    said = {key: (f"{profile_header(name)} {key}", text) for key, text in profile.items()}
    if not re.fullmatch(r"\d{1,9}", profile.get("duration_seconds", ""), re.ASCII):
        said.pop("duration_seconds", None)  # botocore ignores it, too
    return said


def _said_by_variables(environ: Mapping[str, str]) -> _Said:
    named = ((key, name) for key, name in _WEB_IDENTITY.items() if environ.get(name))
    return {key: (name, environ[name]) for key, name in named}


def _arguments(said: _Said, *keys: str) -> dict[str, Any]:
    """Return the arguments that these keys are. Raises `SettingsError`, which says where they are.

    STS refuses what the settings of the same names do not take, and botocore knows no names.
    """
    return {
        _PARAMETERS[key]: SETTINGS[key].parse(text, label)
        for key in keys
        if key in said
        for label, text in [said[key]]
    }


def _from_web_identity(said: _Said, *, fix: str) -> StsSession:
    """Return the session of the web identity in a file."""
    named_by, path = said["web_identity_token_file"]
    if "role_arn" not in said:
        raise SettingsError(
            f"{named_by} is set, but no role is named for the web identity.",
            why="A web identity token says who you are, and not which role you want.",
            fix=fix,
        )
    identity = (("web_identity_token_file", path), ("token", _digest(path)))
    return StsSession(
        operation=WEB_IDENTITY,
        source=WebIdentityToken(path=path, named_by=named_by, identity=identity),
        arguments=_arguments(said, "role_arn", "role_session_name", "duration_seconds"),
        session_name=default_session_name(),
    )


def _github_role(settings: Settings, environ: Mapping[str, str]) -> str | None:
    """Return the role that is named for the token of GitHub, if this job may have one."""
    if not all(environ.get(name) for name in GITHUB_TOKEN):
        return None
    in_container = any(
        environ.get(name) for name in CONTAINER_VARIABLES
    )  # it may assume `aws.role_arn`
    return environ.get("AWS_ROLE_ARN") or (None if in_container else settings.role_arn)


def _from_github(role: str, environ: Mapping[str, str]) -> StsSession:
    token = hashlib.sha256(environ[GITHUB_TOKEN[1]].encode()).hexdigest()
    said = {"role_arn": ("AWS_ROLE_ARN", role), **_said_by_variables(environ)}
    return StsSession(
        operation=WEB_IDENTITY,
        source=WebIdentityToken(path=None, identity=(("github_token", token),)),
        arguments=_arguments(said, "role_arn", "role_session_name"),
        session_name=default_session_name(),
    )


def _digest(path: str) -> str:
    """Return what tells one token from another: on a shared runner, each job has its own."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:  # reported once the token is needed
        return ""


def _from_profile(
    name: str, config: AwsConfig, environ: Mapping[str, str], visited: tuple[str, ...] = ()
) -> Identity:
    """Follow source_profile to its start, by botocore's rules.

    A profile's own keys take precedence over its role, except in the first profile of the chain.
    """
    profile = config.profiles[name]
    config.warn_of_ignored_sections(name)
    static = "aws_access_key_id" in profile or "aws_secret_access_key" in profile
    said = _said_in(name, profile)
    if "web_identity_token_file" in profile and not (static and visited):
        return _from_web_identity(said, fix=f"Set role_arn in {profile_header(name)}.")
    if "role_arn" not in profile or (static and visited):
        sso_session = config.sso_sessions.get(profile.get("sso_session", ""), {})
        told = {**sso_session, **profile}
        identity = tuple((key, told[key]) for key in _IDENTIFYING if key in told)
        sso = sso_role(name, config)  # takes precedence over keys, in botocore as well
        long_term = static and not sso and "aws_session_token" not in profile
        return Origin(
            profile=name,
            identity=identity,
            sso=sso,
            login_session=None if sso or static else profile.get("login_session"),
            long_term=long_term,
        )
    return StsSession(
        operation=ASSUME_ROLE,
        source=_source_of(name, profile, config, environ, (*visited, name)),
        arguments=_arguments(said, *_PARAMETERS),
        session_name=default_session_name(),
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
            f"The AWS profile `{name}` has a role_arn, "
            + (
                "but neither source_profile nor credential_source."
                if source is None
                else "and both source_profile and credential_source."
            ),
            why="Exactly one of them must name the credentials that assume the role.",
            fix=f"Set exactly one of the two in {profile_header(name)}.",
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
