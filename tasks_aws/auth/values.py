"""Values that hold credentials and never show them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from ..secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Credentials:
    """An access key as STS returns it. The secret parts are masked wherever Python shows them.

    Attributes:
        access_key_id: The access key ID, such as ``ASIA…`` (temporary) or ``AKIA…`` (long-term).
        secret_access_key: The secret access key.
        session_token: The session token; empty for a long-term key.
        expiration: When they expire, with a time zone; None if that is unknown.
        account_id: The account, twelve digits; None if AWS has not told it.
        lifetime: How many seconds they were valid for when they were new; None if unknown.
    """

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret
    expiration: datetime | None = None
    account_id: str | None = None
    lifetime: float | None = None

    @property
    def temporary(self) -> bool:
        """Whether these are a session's credentials; only such credentials are exported."""
        return bool(self.session_token)

    def seconds_left(self) -> float:
        """Return the seconds until they expire: negative afterwards, infinite if unknown."""
        if self.expiration is None:
            return float("inf")
        return (self.expiration - datetime.now(timezone.utc)) / timedelta(seconds=1)

    def window(self, min_ttl_seconds: float) -> float:
        """Return the seconds before their expiry at which they are to be renewed.

        At most half of their lifetime, or every use of a short session would renew it.
        """
        return min(min_ttl_seconds, (self.lifetime or float("inf")) / 2)

    def ends_soon(self, min_ttl_seconds: float) -> bool:
        """Return whether it is time to renew them."""
        return self.seconds_left() < self.window(min_ttl_seconds)


def is_visible_ascii(text: object) -> bool:
    """Return whether this is a string of visible ASCII characters, as AWS's keys and IDs are.

    Python's HTTP client refuses a header with anything else, with an error that shows the header.
    """
    return isinstance(text, str) and bool(re.fullmatch(r"[\x21-\x7e]+", text))


def account_in(arn: object) -> str:
    """Return the account in an ARN, which may be empty; raises `ValueError` if it is no ARN."""
    found = re.fullmatch(r"arn:[\w-]+:\w+:[\w-]*:(\d{12}|):[\x21-\x7e]+", str(arn), re.ASCII)
    if found is None:
        raise ValueError("not an ARN")
    return found[1]


def seconds_until(text: object) -> float:
    """Return the seconds until a time in a file; those of a time that cannot be read are over."""
    try:
        return (parse_time(str(text)) - datetime.now(timezone.utc)).total_seconds()
    except ValueError:
        return 0


def in_utc(moment: datetime) -> datetime:
    """Return a time in UTC, which one without a time zone is taken to be in already.

    Raises `ValueError` if it is in the year 0 or 10000 there.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError(f"{moment.isoformat()} is out of range") from error


def parse_time(text: str) -> datetime:
    """Parse a timestamp in any format that AWS tools write; raises `ValueError`.

    >>> parse_time("2026-11-23T18:47:58UTC") == parse_time("2026-11-23T18:47:58Z")
    True
    """
    for utc in ("UTC", "Z"):
        text = text.removesuffix(utc) + "+00:00" if text.endswith(utc) else text
    return in_utc(datetime.fromisoformat(text))


def format_time(moment: datetime) -> str:
    """Format a timestamp in UTC as every SDK reads it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
