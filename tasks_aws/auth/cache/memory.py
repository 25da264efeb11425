"""Sessions in the memory of this process: `aws.cache: none`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from ...process.locking import thread_lock
from ..values import Credentials
from .entries import Answer, Entry, credentials_with_mark, parse_entry


class MemoryCache:
    """Sessions that live as long as this process; no file is written."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._lock = thread_lock()

    def read(self, key: str, *, mark: Mapping[str, str]) -> Credentials | None:
        return credentials_with_mark(self._answers.get(key), mark)

    def write(self, key: str, answer: Answer) -> None:
        self._answers[key] = answer

    def lock(self, key: str, *, waiting: Callable[[], None]) -> AbstractContextManager[object]:
        return self._lock  # between threads: no other process shares this memory

    def entries(self) -> list[Entry]:
        found = (parse_entry(key, answer) for key, answer in list(self._answers.items()))
        return [entry for entry in found if entry]

    def remove(self, key: str) -> None:
        self._answers.pop(key, None)
