"""Mistakes in the settings, collected so that one message has all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..errors import SettingsError
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

    @contextmanager
    def collected(self, as_written: Callable[[str], str] = str) -> Iterator[None]:
        """Go on after a `SettingsError` in the block; `as_written` is applied to its texts."""
        try:
            yield
        except SettingsError as error:
            self.add([_rewrite(error, as_written)])

    def raise_all(self) -> None:
        """Raise the mistake, or one error with all mistakes, if there are any."""
        if len(self) == 1:
            raise next(iter(self))
        if self._found:
            listed = "\n- ".join(self._found)
            raise SettingsError(f"The settings have {count(len(self), 'mistake')}:\n- {listed}")


def _rewrite(error: SettingsError, change: Callable[[str], str]) -> SettingsError:
    changed = type(error)(change(error.what), why=change(error.why), fix=change(error.fix))
    changed.__cause__ = error.__cause__
    return changed
