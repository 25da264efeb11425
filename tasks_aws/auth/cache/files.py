"""Sessions in the AWS CLI's own cache folder: its file names, its format, and a lock."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from ...errors import CredentialsError
from ...process.locking import LONGEST_WAIT_SECONDS, file_lock
from ...ui.output import format_duration, warn
from ...ui.program import ending_at_ctrl_c
from ..values import Credentials
from .entries import Answer, Entry, credentials_with_mark, parse_entry

# A planted link is not followed, and a planted FIFO does not block.
_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL
_UNFINISHED = ".unfinished"  # left by a killed process; the next one for the same key removes it


class FileCache:
    """The folder ``~/.aws/cli/cache``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str, *, mark: Mapping[str, str]) -> Credentials | None:
        with suppress(OSError):
            return credentials_with_mark(read_private(self._folder / f"{key}.json"), mark)
        return None

    def write(self, key: str, answer: Answer) -> None:
        try:
            write_json(self._folder / f"{key}.json", answer)
        except OSError as error:
            warn(f"Cannot cache the session in {self._folder}: {error.strerror}.")

    def lock(self, key: str, *, waiting: Callable[[], None]) -> AbstractContextManager[object]:
        return lock_session(self._folder / f"{key}.lock", waiting=waiting)

    def entries(self) -> list[Entry]:
        try:
            paths = sorted(path for path in self._folder.iterdir() if path.suffix == ".json")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _refused(f"Cannot list the sessions in {self._folder}.", error) from error
        return [entry for path in paths if (entry := _read_entry(path))]

    def remove(self, key: str) -> None:
        for suffix in (".json", _UNFINISHED):
            path = self._folder / f"{key}{suffix}"
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _refused(f"Cannot remove {path}.", error) from error


def _read_entry(path: Path) -> Entry | None:
    with suppress(OSError):  # planted by others
        try:
            return parse_entry(path.stem, read_private(path))
        except PermissionError as error:
            warn(f"Cannot read {path}: {error.strerror}.")
    return None


def read_private(path: Path) -> Any:
    """Return what a JSON file holds; None if it is broken or another user's. Raises `OSError`."""
    with os.fdopen(os.open(path, _READ)) as file:
        status = os.fstat(file.fileno())
        mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        try:
            return json.load(file) if mine and stat.S_ISREG(status.st_mode) else None
        except (ValueError, RecursionError):
            return None


def read_mapping(path: Path) -> dict[str, Any]:
    """Return what a JSON file holds; nothing if it cannot be read, is broken or another user's."""
    try:
        found = read_private(path)
    except OSError:
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, all of it or nothing, that only its owner may read. Raises `OSError`."""
    # Not with botocore's JSONFileCache: older ones write into the file itself, and newer ones
    # leave a file of secrets with a random name when they are killed.
    unfinished = path.with_suffix(_UNFINISHED)
    make_private(path.parent)
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, _CREATE, 0o600), "w") as file:
        json.dump(value, file, default=_format_time)
    unfinished.replace(path)


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:  # the CLI makes it with the user's umask
        folder.chmod(0o700)


@contextmanager
def lock_session(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of a session, in a folder that only its owner may enter."""
    with suppress(OSError):  # nothing will be kept there, so nothing is shared
        make_private(path.parent)
    with ExitStack() as held:
        with ending_at_ctrl_c():
            held.enter_context(file_lock(path, waiting=waiting, too_long=_too_long))
        yield


def _format_time(time: datetime) -> str:
    """Return a time as the CLI writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S%Z")


def _refused(what: str, error: OSError) -> CredentialsError:
    return CredentialsError(
        what,
        why=f"{error.strerror or error}.",
        fix="Check the owner and the permissions of the folder, and that its disk is writable.",
    )


def _too_long() -> CredentialsError:
    return CredentialsError(
        "Another process has been asking for the same session for "
        f"{format_duration(LONGEST_WAIT_SECONDS)}.",
        why="It is probably waiting for an MFA code or for a sign-in.",
        fix="Answer its prompt or stop that process, then run this again.",
    )
