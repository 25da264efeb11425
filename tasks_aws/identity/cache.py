"""Sessions shared with the AWS CLI: its cache folder, its file names, its format, and a lock.

The CLI's key knows neither whose keys a session came from nor which endpoint gave it. Entries
written here say both under `_OWN`, which the CLI ignores, and are a miss for anyone else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from ..errors import CredentialsError
from .credentials import Credentials, Secret, parse_time

_OWN = "TasksAws"
_LONGEST_WAIT_SECONDS = 600

Answer = dict[str, Any]  # what AssumeRole or GetSessionToken answered


class SessionCache(Protocol):
    """Where sessions are kept for the next run."""

    def read(self, key: str, *, mark: dict[str, str]) -> Credentials | None:
        """Return a session, unless it is missing, broken, or of another mark."""

    def write(self, key: str, answer: Answer, *, mark: dict[str, str]) -> None:
        """Keep a session that AWS has just given; `mark` says from whose keys and where."""

    def lock(self, key: str, *, waiting: Callable[[], None]) -> Any:
        """Return a context in which no other process asks for the same session."""


class CliCache:
    """The folder ``~/.aws/cli/cache``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str, *, mark: dict[str, str]) -> Credentials | None:
        try:
            answer = json.loads((self._folder / f"{key}.json").read_bytes())
        except (OSError, ValueError):
            return None
        return _credentials_if_ours(answer, mark)

    def write(self, key: str, answer: Answer, *, mark: dict[str, str]) -> None:
        from botocore.utils import JSONFileCache  # atomic, 0600, the CLI's own spelling of times

        self._make_folder()
        JSONFileCache(str(self._folder))[key] = {**answer, _OWN: mark}

    @contextmanager
    def lock(self, key: str, *, waiting: Callable[[], None]) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self._make_folder()
        lock = FileLock(self._folder / f"{key}.lock", mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            waiting()
            self._wait_for(lock)
        try:
            yield
        finally:
            lock.release()

    def _wait_for(self, lock: Any) -> None:
        from filelock import Timeout

        try:
            lock.acquire(timeout=_LONGEST_WAIT_SECONDS, poll_interval=0.05)
        except Timeout as error:
            raise CredentialsError(
                "Another process has been asking for the same session for "
                f"{_LONGEST_WAIT_SECONDS // 60} minutes.",
                why="It probably waits for an MFA code that nobody types.",
                fix="Answer it or end it, then run this again.",
            ) from error

    def _make_folder(self) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)  # the CLI makes it with whatever umask it has


class NoCache:
    """No file at all: sessions live as long as this process."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def read(self, key: str, *, mark: dict[str, str]) -> Credentials | None:
        return _credentials_if_ours(self._answers.get(key), mark)

    def write(self, key: str, answer: Answer, *, mark: dict[str, str]) -> None:
        self._answers[key] = {**answer, _OWN: mark}

    @contextmanager
    def lock(self, key: str, *, waiting: Callable[[], None]) -> Iterator[None]:
        yield


def credentials_in(answer: Answer) -> Credentials:
    """Return the credentials of an answer; `KeyError`, `TypeError` or `ValueError` if broken."""
    given = answer["Credentials"]
    expiration = given["Expiration"]
    account = given.get("AccountId") or answer.get("AssumedRoleUser", {}).get("Arn", "")
    texts = [given[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
    if not all(isinstance(text, str) and text for text in texts):
        raise ValueError("a key is missing")
    return Credentials(
        access_key_id=texts[0],
        secret_access_key=Secret(texts[1]),
        session_token=Secret(texts[2]),
        expiration=parse_time(expiration) if isinstance(expiration, str) else expiration,
        account_id=account.split(":")[4] if account.startswith("arn:") else account or None,
    )


def _credentials_if_ours(answer: Any, mark: dict[str, str]) -> Credentials | None:
    try:
        return credentials_in(answer) if answer.get(_OWN, mark) == mark else None
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
