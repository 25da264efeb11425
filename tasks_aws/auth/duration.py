"""Whether a session lives as long as a job is said to take: ``assume --for`` and ``redshift``.

What cannot be enough is refused as early as it is known, before a call is made or a code spent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..config.parsers import duration_parser
from ..errors import CredentialsError, SettingsError
from ..ui.output import duration
from .resolve import Identity, Origin, StsSession
from .values import Credentials

ONE_HOUR = 3600  # the default of every role, and AWS's cap on role chaining
_LONGEST = 43200  # that a session of a role may last
_A_YEAR = 365 * 24 * 3600
_GRACE_SECONDS = 60  # what was obtained for three hours still counts as that a moment later

_WAYS_OUT = (
    "split the job, or use --keep-fresh if its programs can renew their credentials as they run"
)


def time_needed(value: Any, name: str) -> int:
    """Read how long a job takes: seconds, 90m or 3h. Raises `SettingsError`.

    `name` is what a message calls the value.
    """
    needed = duration_parser(1, _A_YEAR)(value, name)
    if needed > _LONGEST:
        raise SettingsError(
            f"`{name}` is {duration(needed)}, and no session lasts longer than twelve hours.",
            why="That is AWS's limit for the sessions of roles.",
            fix=f"{_WAYS_OUT[:1].upper()}{_WAYS_OUT[1:]}.",
        )
    return needed


def lasts(credentials: Credentials, needed: int) -> bool:
    """Tell whether credentials live that many seconds from now, or whether none are needed."""
    if not needed:
        return True
    known = credentials.expiration is not None
    return known and credentials.seconds_left() >= needed - _GRACE_SECONDS


def duration_of(wanted: StsSession) -> int:
    """Return how many seconds a session is asked for, if only by saying nothing."""
    return int(wanted.arguments.get("DurationSeconds", ONE_HOUR))


def lasting(wanted: StsSession, needed: int) -> StsSession:
    """Return the session asked for that many seconds, or for more if it is already."""
    if needed <= duration_of(wanted):
        return wanted
    return with_duration(wanted, needed)


def with_duration(wanted: StsSession, seconds: int) -> StsSession:
    """Return the session asked for that many seconds."""
    return replace(wanted, arguments={**wanted.arguments, "DurationSeconds": seconds})


def check_duration(asked: int | None, needed: int) -> None:
    """Refuse an option for the session's duration that contradicts what is needed."""
    if asked is not None and asked < needed:
        raise SettingsError(
            f"`--duration` is {duration(asked)}, and `--for` is {duration(needed)}.",
            why="A session cannot live longer than it was asked to.",
            fix="Leave --duration out: --for asks for as much as is needed.",
        )


def check_chain(identity: Identity, needed: int) -> None:
    """Refuse, before anything is asked, more than the hour that AWS gives to a chain of roles."""
    if needed <= ONE_HOUR or not isinstance(identity, StsSession):
        return
    source = identity.source
    if isinstance(source, StsSession) or source.temporary:
        raise chained(identity, needed)


def check(identity: Identity, credentials: Credentials, needed: int) -> None:
    """Refuse credentials that AWS, or whoever gives them, has not made for long enough."""
    if lasts(credentials, needed):
        return
    if credentials.expiration is None:
        raise CredentialsError(
            f"Nobody knows whether the credentials of {identity} last {duration(needed)}.",
            why="They came without the time of their end.",
            fix="Start from a profile or a role whose sessions say when they end.",
        )
    left = duration(max(0, credentials.seconds_left()))
    raise CredentialsError(
        f"The credentials of {identity} last {left}, and {duration(needed)} are needed.",
        why="How long they last is decided where they come from."
        if isinstance(identity, Origin)
        else "STS gave a shorter session than was asked, or this computer's clock is ahead.",
        fix=f"Have them last longer there, if that can be done; or {_WAYS_OUT}."
        if isinstance(identity, Origin)
        else "Set the clock; if it is right, ask for less time.",
    )


def chained(wanted: StsSession, needed: int) -> CredentialsError:
    """Return the error for a role that is assumed with temporary credentials."""
    return CredentialsError(
        f"{wanted.role_arn} cannot be had for {duration(needed)}: AWS caps it at one hour.",
        why=f"It is assumed with temporary credentials, those of {wanted.source}; "
        "longer sessions are for roles that long-lived keys or an identity provider assume.",
        fix=f"Start from long-lived keys, without `aws.mfa_session`; or {_WAYS_OUT}.",
    )


def role_too_short(wanted: StsSession, needed: int) -> CredentialsError:
    """Return the error for a role whose own maximum is less than is needed."""
    name = str(wanted.role_arn).split("/")[-1]
    return CredentialsError(
        f"{wanted.role_arn} allows no session of {duration(needed)}.",
        why="The maximum session duration of the role is shorter.",
        fix=f"Raise it: aws iam update-role --role-name {name} --max-session-duration "
        f"{max(needed, ONE_HOUR)}; or {_WAYS_OUT}.",
    )
