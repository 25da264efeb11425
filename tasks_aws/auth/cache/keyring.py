"""Sessions in the operating system's keyring, for those who want none in a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keyring
import keyring.errors

from ...errors import CredentialsError
from ..values import Credentials, format_time
from .entries import Answer, Entry, credentials_with_mark, parse_entry
from .files import lock_session

_SERVICE = "tasks-aws"
_INDEX = "sessions"  # keyrings cannot be listed: this item holds the keys of all others


class KeyringCache:
    """The keyring that the package `keyring` finds. Raises `CredentialsError` if it refuses."""

    def __init__(self, lock_folder: Path) -> None:
        self._locks = lock_folder

    def read(self, key: str, *, mark: Mapping[str, str]) -> Credentials | None:
        return credentials_with_mark(_load(key), mark)

    def write(self, key: str, answer: Answer) -> None:
        _store(key, json.dumps(answer, default=format_time))
        with lock_session(self._locks / "keyring.lock", waiting=lambda: None):
            _store(_INDEX, json.dumps(sorted({*_keys(), key})))

    def lock(self, key: str, *, waiting: Callable[[], None]) -> AbstractContextManager[object]:
        return lock_session(self._locks / f"{key}.lock", waiting=waiting)

    def entries(self) -> list[Entry]:
        found = (parse_entry(key, _load(key)) for key in _keys())
        return [entry for entry in found if entry]

    def remove(self, key: str) -> None:
        try:
            keyring.delete_password(_SERVICE, key)
        except keyring.errors.KeyringError as error:
            if _load(key) is not None:  # or else it is gone already
                raise _unusable(error) from error
        with lock_session(self._locks / "keyring.lock", waiting=lambda: None):
            _store(_INDEX, json.dumps([each for each in _keys() if each != key]))


def _keys() -> list[str]:
    found = _load(_INDEX)
    return [key for key in found if isinstance(key, str)] if isinstance(found, list) else []


def _load(name: str) -> Any:
    try:
        return json.loads(keyring.get_password(_SERVICE, name) or "null")
    except (ValueError, RecursionError):
        return None
    except keyring.errors.KeyringError as error:
        raise _unusable(error) from error


def _store(name: str, text: str) -> None:
    try:
        keyring.set_password(_SERVICE, name, text)
    except keyring.errors.KeyringError as error:
        raise _unusable(error) from error


def _unusable(error: Exception) -> CredentialsError:
    return CredentialsError(
        "The keyring is not available.",
        why=str(error) or type(error).__name__,
        fix="Unlock or install a keyring, or set `aws.cache` to cli or none.",
    )
