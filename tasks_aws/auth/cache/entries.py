"""Cached sessions as values: the answers of STS, in the format of the AWS CLI.

The CLI's key depends neither on whose keys a session came from nor on the endpoint that gave it.
Entries written here say both under `MARK`, which the CLI ignores, and are a miss for anyone else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timezone
from typing import Any, Protocol

from ...secret import Secret
from ..values import Credentials, parse_time

MARK = "TasksAws"

Answer = dict[str, Any]  # what a call of STS answered
_WHOSE = ("AssumedRoleUser", "FederatedUser", "SessionInfo")  # where one says whose session it is


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """One cached session."""

    key: str
    subject: str  # what it is a session of
    credentials: Credentials
    ours: bool  # written by us, and so ours to remove


class SessionCache(Protocol):
    """Where sessions are kept for the next run."""

    def read(self, key: str, *, mark: Mapping[str, str]) -> Credentials | None:
        """Return a session, unless it is missing, broken, or has another mark."""

    def write(self, key: str, answer: Answer) -> None:
        """Keep a session that AWS has just given, in an answer with its mark."""

    def lock(self, key: str, *, waiting: Callable[[], None]) -> AbstractContextManager[object]:
        """Return a context in which no other process asks for the same session."""

    def entries(self) -> list[Entry]:
        """Return all sessions that are kept, whoever wrote them."""

    def remove(self, key: str) -> None:
        """Remove a session."""


def credentials_in(answer: Answer) -> Credentials:
    """Return the credentials of an answer; raises an exception of `_BROKEN` if it is incomplete."""
    given = answer["Credentials"]
    expiration, account = given["Expiration"], given.get("AccountId")
    if isinstance(expiration, str):
        expiration = parse_time(expiration)
    expiration = expiration.astimezone(timezone.utc)
    whose = (answer.get(name, {}).get("Arn") for name in _WHOSE)
    account = account or next(filter(None, whose), "::::").split(":")[4]
    texts = [given[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    if not all(re.fullmatch(r"[\x21-\x7e]+", text) for text in texts):
        raise ValueError("a key is missing or broken")
    if account and not re.fullmatch(r"\d{12}", account, re.ASCII):
        raise ValueError("not an account ID")
    return Credentials(
        access_key_id=texts[0],
        secret_access_key=Secret(texts[1]),
        session_token=Secret(texts[2]),
        expiration=expiration,
        account_id=account or None,
        lifetime=(answer.get(MARK) or {}).get("Seconds"),
    )


_BROKEN = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


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


def parse_entry(key: str, answer: Any) -> Entry | None:
    """Return an answer as an entry, or None if it is not a session of a role or of keys."""
    own = answer.get(MARK) if isinstance(answer, dict) else None
    credentials = credentials_with_mark(answer, own or {})
    if credentials is None:
        return None
    role = answer.get("AssumedRoleUser", {}).get("Arn")
    subject = own.get("Subject") if isinstance(own, dict) else role
    if not isinstance(subject, str):
        return None
    return Entry(key=key, subject=subject, credentials=credentials, ours=own is not None)
