"""A text that never shows itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, SupportsIndex


class Secret(str):
    """A text that is masked wherever Python shows values, and is itself wherever it is used.

    Only `repr` is masked: botocore signs with ``f"AWS4{key}"``, so a masked `str` or `format`
    would give wrong signatures. It cannot be pickled, so it reaches no file by accident.

    >>> Secret("hunter2")
    '***'
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, index: SupportsIndex | slice) -> Secret:
        return Secret(super().__getitem__(index))  # rich shows the start of a long text

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("A secret cannot be pickled.")


def holds_secret(value: Any) -> bool:
    """Tell whether a value is a secret, or has one in it."""
    if isinstance(value, Mapping):
        return any(map(holds_secret, value.values()))
    if isinstance(value, list | tuple):
        return any(map(holds_secret, value))
    return isinstance(value, Secret)
