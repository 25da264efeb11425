"""Mistakes in the settings, collected so that one message has all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..errors import SettingsError, WrongSettingsError
from ..ui.output import count


class Mistakes:
    """What is wrong in the settings, each mistake once."""

    def __init__(self) -> None:
        self._found: dict[str, SettingsError] = {}

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[SettingsError]:
        return iter(self._found.values())

    def add(self, errors: Iterable[SettingsError]) -> None:
        """Add errors that are not yet among them."""
        for each in errors:
            self._found.setdefault(str(each), each)

    def note(self, error: SettingsError, as_written: Callable[[str], str] = str) -> None:
        """Add an error; `as_written` is applied to its texts."""
        what, why, fix = map(as_written, (error.what, error.why, error.fix))
        noted = type(error)(what, why=why, fix=fix)
        noted.__cause__ = error.__cause__
        self.add([noted])

    @contextmanager
    def collected(self, as_written: Callable[[str], str] = str) -> Iterator[None]:
        """Note a `SettingsError` that the block raises, and go on."""
        try:
            yield
        except SettingsError as error:
            self.note(error, as_written)

    def raise_all(self) -> None:
        """Raise the mistake, or one error with all mistakes, if there are any."""
        if self._found:
            error = self.as_error()
            raise error from error.__cause__

    def as_error(self) -> WrongSettingsError:
        """Return one error with all mistakes; there must be some."""
        found = [*self]
        if len(found) > 1:
            listed = "\n- ".join(self._found)
            what = f"The settings have {count(len(found), 'mistake')}:\n- {listed}"
            return WrongSettingsError(what, mistakes=found)
        (only,) = found
        error = WrongSettingsError(only.what, why=only.why, fix=only.fix, mistakes=found)
        error.__cause__ = only.__cause__
        return error
