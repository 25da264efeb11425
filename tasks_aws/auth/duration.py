"""Whether a session lasts as long as a job is said to take: ``assume --for`` and ``redshift``.

A session that cannot last long enough is refused before a call is made or a code is used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..config.parsers import duration_parser
from ..config.settings import DEFAULT_SESSION, LONGEST_SESSION
from ..errors import CredentialsError, SettingsError
from ..ui.output import format_duration
from .identity import Identity, Origin, StsSession
from .resolve import SLACK_SECONDS
from .sts_calls import SCOPED
from .values import Credentials

ONE_HOUR = DEFAULT_SESSION  # also AWS's cap on role chaining
_A_YEAR = 365 * 24 * 3600

_WAYS_OUT = "split the job, or use --keep-fresh if its programs can renew their credentials"


def parse_time_needed(value: Any, name: str) -> int:
    """Parse how long a job takes, such as 900, 90m or 3h, into seconds. Raises `SettingsError`.

    `name` is what a message calls the value.
    """
    needed = duration_parser(1, _A_YEAR)(value, name)
    if needed > LONGEST_SESSION:
        raise SettingsError(
            f"`{name}` is {format_duration(needed)}, but no session lasts longer than 12 hours.",
            why="That is the AWS limit for role sessions.",
            fix=f"{_WAYS_OUT[:1].upper()}{_WAYS_OUT[1:]}.",
        )
    return needed


def lasts(credentials: Credentials, needed: int) -> bool:
    """Return whether credentials are valid for that many seconds from now; 0 asks for nothing."""
    if not needed:
        return True
    known = credentials.expiration is not None
    return known and credentials.seconds_left() >= needed - SLACK_SECONDS


def duration_of(wanted: StsSession) -> int:
    """Return the duration of a session in seconds, as requested or by default."""
    return int(wanted.arguments.get("DurationSeconds", ONE_HOUR))


def with_at_least(wanted: StsSession, needed: int) -> StsSession:
    """Return the session with a duration of at least that many seconds."""
    by_default = wanted.operation == SCOPED and "DurationSeconds" not in wanted.arguments
    if by_default or needed <= duration_of(wanted):  # by default, as long as its source lasts
        return wanted
    return with_duration(wanted, needed)


def with_duration(wanted: StsSession, seconds: int) -> StsSession:
    """Return the session with a duration of that many seconds."""
    return replace(wanted, arguments={**wanted.arguments, "DurationSeconds": seconds})


def check_duration(asked: int | None, needed: int) -> None:
    """Refuse a ``--duration`` that is shorter than ``--for``."""
    if asked is not None and asked < needed:
        raise SettingsError(
            f"`--duration` ({format_duration(asked)}) is shorter than "
            f"`--for` ({format_duration(needed)}).",
            why="A session does not outlive its duration.",
            fix="Leave out --duration: --for requests a session that is long enough.",
        )


def check_chain(identity: Identity, needed: int) -> None:
    """Refuse, before any call, more than the hour that AWS gives to a chained role."""
    if needed <= ONE_HOUR or not isinstance(identity, StsSession):
        return
    source = identity.source
    if isinstance(source, StsSession) or source.temporary:
        raise chained_error(identity, needed)


def check_lasts(identity: Identity, credentials: Credentials, needed: int) -> None:
    """Refuse credentials that are not valid long enough."""
    if lasts(credentials, needed):
        return
    if credentials.expiration is None:
        raise CredentialsError(
            f"Cannot tell whether the credentials of {identity} last {format_duration(needed)}: "
            "they have no expiry.",
            fix="Start from a profile or a role whose credentials have one.",
        )
    left = format_duration(max(0, credentials.seconds_left()))
    raise CredentialsError(
        f"The credentials of {identity} last {left}, but {format_duration(needed)} is required.",
        why="Their source decides how long they last."
        if isinstance(identity, Origin)
        else "STS returned a shorter session than requested, or this computer's clock is ahead.",
        fix=f"Configure the source to give longer ones; or {_WAYS_OUT}."
        if isinstance(identity, Origin)
        else "Correct the clock; if it is right, request less time.",
    )


def chained_error(wanted: StsSession, needed: int) -> CredentialsError:
    """Return the error for a role that is assumed with temporary credentials."""
    return CredentialsError(
        f"A session of {wanted.role_arn} cannot last {format_duration(needed)}: AWS limits it to "
        "one hour.",
        why=f"The role is assumed with temporary credentials, those of {wanted.source}. Only roles "
        "that long-term access keys or an identity provider assume can have longer sessions.",
        fix=f"Start from long-term access keys, without `aws.mfa_session`; or {_WAYS_OUT}.",
    )


def role_maximum_error(wanted: StsSession, needed: int) -> CredentialsError:
    """Return the error for a role whose maximum session duration is too short."""
    name = str(wanted.role_arn).split("/")[-1]
    return CredentialsError(
        f"{wanted.role_arn} allows no session of {format_duration(needed)}.",
        why="The role's maximum session duration is shorter.",
        fix=f"Raise it: aws iam update-role --role-name {name} --max-session-duration "
        f"{max(needed, ONE_HOUR)}; or {_WAYS_OUT}.",
    )
