"""Sessions shared with the AWS CLI: its cache folder, its file names, its format, and a lock.

The CLI's key knows neither whose keys a session came from nor which endpoint gave it. Entries
written here say both under `MARK`, which the CLI ignores, and are a miss for anyone else.
"""

from __future__ import annotations

import json
import os
import re
import stat
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from ...errors import CredentialsError
from ...locking import LONGEST_WAIT_SECONDS, file_lock
from ...secret import Secret
from ...ui.output import warn
from ..values import Credentials, parse_time

MARK = "TasksAws"

# A planted link is not followed, and a planted FIFO does not block.
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_UNFINISHED = ".unfinished"  # of one that was killed: the next one for the same key removes it

Answer = dict[str, Any]  # what AssumeRole or GetSessionToken answered


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
        """Return a session, unless it is missing, broken, or of another mark."""

    def write(self, key: str, answer: Answer) -> None:
        """Keep a session that AWS has just given, in an answer with its mark."""

    def lock(self, key: str, *, waiting: Callable[[], None]) -> Any:
        """Return a context in which no other process asks for the same session."""

    def entries(self) -> list[Entry]:
        """Return all sessions that are kept, whoever wrote them."""

    def remove(self, key: str) -> None:
        """Remove a session."""


class CliCache:
    """The folder ``~/.aws/cli/cache``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str, *, mark: Mapping[str, str]) -> Credentials | None:
        return credentials_of_mark(self._answer(key), mark)

    def write(self, key: str, answer: Answer) -> None:
        # Not with botocore's JSONFileCache: older ones write into the file itself, and newer ones
        # leave a file of secrets with a random name when they are killed.
        unfinished = self._folder / f"{key}{_UNFINISHED}"
        try:
            make_private(self._folder)
            unfinished.unlink(missing_ok=True)
            with os.fdopen(os.open(unfinished, _CREATE, 0o600), "w") as file:
                json.dump(answer, file, default=_spelled)
            unfinished.replace(self._folder / f"{key}.json")
        except OSError as error:
            warn(f"The session is not kept for the next run: {error.strerror}: {self._folder}.")

    def lock(self, key: str, *, waiting: Callable[[], None]) -> Any:
        return session_lock(self._folder / f"{key}.lock", waiting=waiting)

    def entries(self) -> list[Entry]:
        keys = sorted(path.stem for path in self._folder.glob("*.json"))
        found = (entry_of(key, self._answer(key)) for key in keys)
        return [entry for entry in found if entry]

    def remove(self, key: str) -> None:
        for suffix in (".json", _UNFINISHED):
            (self._folder / f"{key}{suffix}").unlink(missing_ok=True)

    def _answer(self, key: str) -> Any:
        """Return what a file holds, or None: it may be missing, broken, or planted by others."""
        path = self._folder / f"{key}.json"
        try:
            with os.fdopen(os.open(path, _READ)) as file:
                status = os.fstat(file.fileno())
                mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
                return json.load(file) if mine and stat.S_ISREG(status.st_mode) else None
        except (OSError, ValueError, RecursionError):
            return None


class NoCache:
    """No file at all: sessions live as long as this process."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._lock = threading.RLock()

    def read(self, key: str, *, mark: Mapping[str, str]) -> Credentials | None:
        return credentials_of_mark(self._answers.get(key), mark)

    def write(self, key: str, answer: Answer) -> None:
        self._answers[key] = answer

    def lock(self, key: str, *, waiting: Callable[[], None]) -> Any:
        return self._lock  # of the threads: there is no other process to share with

    def entries(self) -> list[Entry]:
        found = (entry_of(key, answer) for key, answer in self._answers.items())
        return [entry for entry in found if entry]

    def remove(self, key: str) -> None:
        self._answers.pop(key, None)


def credentials_in(answer: Answer) -> Credentials:
    """Return the credentials of an answer; some exception of `_BROKEN` if it is not whole."""
    given = answer["Credentials"]
    expiration, account = given["Expiration"], given.get("AccountId")
    if isinstance(expiration, str):
        expiration = parse_time(expiration)
    expiration = expiration.astimezone(timezone.utc)
    account = account or answer.get("AssumedRoleUser", {}).get("Arn", "::::").split(":")[4]
    texts = [given[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    if not all(re.fullmatch(r"[\x21-\x7e]+", text) for text in texts):
        raise ValueError("a key is missing or broken")
    if account and not re.fullmatch(r"\d{12}", account, re.ASCII):
        raise ValueError("no account")
    return Credentials(
        access_key_id=texts[0],
        secret_access_key=Secret(texts[1]),
        session_token=Secret(texts[2]),
        expiration=expiration,
        account_id=account or None,
        lifetime=(answer.get(MARK) or {}).get("Seconds"),
    )


_BROKEN = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


def credentials_of_mark(answer: Any, mark: Mapping[str, str]) -> Credentials | None:
    """Return the credentials of an answer that bears this mark or none; None if it is broken."""
    try:
        own = answer.get(MARK, mark)
        same = all(own.get(name) == text for name, text in mark.items())
        return credentials_in(answer) if same else None
    except _BROKEN:
        return None


def add_mark(answer: Answer, mark: Mapping[str, str]) -> Answer:
    """Return an answer with the mark, and with the lifetime that only now is known."""
    left = round(credentials_in(answer).seconds_left())
    return {**answer, MARK: {**mark, "Seconds": left}}


def entry_of(key: str, answer: Any) -> Entry | None:
    """Return an answer as an entry, or None when it is no session of a role or of keys."""
    own = answer.get(MARK) if isinstance(answer, dict) else None
    credentials = credentials_of_mark(answer, own or {})
    if credentials is None:
        return None
    role = answer.get("AssumedRoleUser", {}).get("Arn")
    subject = own.get("Subject") if isinstance(own, dict) else role
    if not isinstance(subject, str):
        return None
    return Entry(key=key, subject=subject, credentials=credentials, ours=own is not None)


def _spelled(time: datetime) -> str:
    """Return a time as the CLI spells it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%Z")


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:  # the CLI makes it by whatever umask it has
        folder.chmod(0o700)


def session_lock(path: Path, *, waiting: Callable[[], None]) -> Any:
    """Return the lock of a session, in a folder that only its owner may enter."""
    with suppress(OSError):  # nothing will be kept there, so nothing is shared
        make_private(path.parent)
    return file_lock(path, waiting=waiting, too_long=_too_long)


def _too_long() -> CredentialsError:
    return CredentialsError(
        "Another process has been asking for the same session for "
        f"{LONGEST_WAIT_SECONDS // 60} minutes.",
        why="It probably waits for an MFA code that nobody types.",
        fix="Answer it or end it, then run this again.",
    )
