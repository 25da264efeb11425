"""Cached sessions as values: the answers of AWS, in the format of the AWS CLI.

The CLI's key depends neither on whose keys a session came from nor on the endpoint that gave it.
Entries written here say both under `MARK`, which the CLI ignores, and are a miss for anyone else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ...secret import Secret
from ..values import Credentials, account_in, format_time, in_utc, is_visible_ascii, parse_time

MARK = "TasksAws"

Answer = dict[str, Any]  # what a call answered, as far as it is kept
WHOSE = ("AssumedRoleUser", "FederatedUser", "SessionInfo")  # where one says whose session it is


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """One cached session."""

    key: str
    subject: str  # what it is a session of
    credentials: Credentials
    ours: bool  # written by us, and so ours to remove

    @property
    def name(self) -> str:
        """Return the subject without words: of a role, its ARN."""
        return self.subject.removeprefix("the ").removeprefix("role ")


class SessionCache(Protocol):
    """Where sessions are kept for the next run."""

    def read(self, key: str, *, mark: Mapping[str, str]) -> Credentials | None:
        """Return a session, unless it is missing, broken, or has another mark."""

    def write(self, key: str, answer: Answer) -> None:
        """Keep a session that AWS has just given, in an answer with its mark."""

    def lock(self, key: str, *, waiting: Callable[[], None]) -> AbstractContextManager[object]:
        """Return a context in which no other process asks for the same session."""

    def entries(self) -> list[Entry]:
        """Return all sessions that are kept, whoever wrote them. Raises `CredentialsError`."""

    def remove(self, key: str) -> None:
        """Remove a session. Raises `CredentialsError` if it is still there."""


def sso_answer(session: Credentials, account_id: str) -> Answer:
    """Return the session of an SSO role as the AWS CLI caches it."""
    return {
        "ProviderType": "sso",
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.session_token,
            "Expiration": session.expiration and format_time(session.expiration),
            "AccountId": account_id,
        },
    }


def credentials_in(answer: Answer) -> Credentials:
    """Return the credentials of an answer; raises a `ValueError` that says what is wrong."""
    given = _part(answer, "Credentials")
    if not given:
        raise ValueError("it has no Credentials")
    for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"):
        if not is_visible_ascii(given.get(name)):
            raise ValueError(f"its {name} is missing or malformed")
    lifetime = _part(answer, MARK).get("Seconds")
    if lifetime is not None and (isinstance(lifetime, bool) or not math.isfinite(lifetime)):
        raise ValueError("its lifetime is malformed")
    return Credentials(
        access_key_id=given["AccessKeyId"],
        secret_access_key=Secret(given["SecretAccessKey"]),
        session_token=Secret(given["SessionToken"]),
        expiration=_expiration(given.get("Expiration")),
        account_id=_account(answer),
        lifetime=lifetime,
    )


def _part(answer: Answer, name: str) -> dict[str, Any]:
    part = answer.get(name, {})
    if not isinstance(part, dict):
        raise ValueError(f"its {name} is malformed")
    return part


def _expiration(given: object) -> datetime:
    try:
        if isinstance(given, str):
            return parse_time(given)
        if isinstance(given, datetime):
            return in_utc(given)
    except ValueError:
        pass
    raise ValueError("its Expiration is missing or malformed")


def _account(answer: Answer) -> str | None:
    account = answer["Credentials"].get("AccountId")
    if account:
        if re.fullmatch(r"\d{12}", account, re.ASCII):
            return str(account)
        raise ValueError("its AccountId is malformed")
    for name in WHOSE:
        try:
            if arn := _part(answer, name).get("Arn"):
                return account_in(arn) or None
        except ValueError:
            raise ValueError(f"the Arn of its {name} is malformed") from None
    return None


_BROKEN = (AttributeError, KeyError, OverflowError, TypeError, ValueError)


def credentials_with_mark(answer: Any, mark: Mapping[str, str]) -> Credentials | None:
    """Return the credentials of an answer that has this mark or none; None if it is broken."""
    try:
        own = answer.get(MARK, mark)
        same = all(own.get(name) == text for name, text in mark.items())
        return credentials_in(answer) if same else None
    except _BROKEN:
        return None


def add_mark(answer: Answer, mark: Mapping[str, str]) -> Answer:
    """Return an answer with its mark, and with the lifetime that is known only now."""
    left = round(credentials_in(answer).seconds_left())
    return {**answer, MARK: {**mark, "Seconds": left}}


def _subject(answer: Any) -> Any:
    if answer.get("ProviderType") == "sso":  # the CLI does not write which permission set
        return "a permission set of IAM Identity Center"
    return answer["AssumedRoleUser"]["Arn"]


def parse_entry(key: str, answer: Any) -> Entry | None:
    """Return an answer as an entry, or None if it is not a session of a role or of keys."""
    try:
        own = answer.get(MARK)
        subject = _subject(answer) if own is None else own["Subject"]
        credentials = credentials_in(answer)
        printable = subject.isprintable()
    except _BROKEN:
        return None
    if not printable:
        return None
    return Entry(key=key, subject=subject, credentials=credentials, ours=own is not None)
