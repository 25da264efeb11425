"""A string that Python never shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, NoReturn, SupportsIndex


class Secret(str):
    """A string that is masked where Python shows values, and is itself where it is used.

    Only `repr` is masked: botocore signs with ``f"AWS4{key}"``, so a masked `str` or `format`
    would give wrong signatures. Joining with ``+`` and slicing give a `Secret`; an f-string gives
    an ordinary string. It cannot be pickled, so it reaches no file by accident.

    >>> Secret("hunter2"), "password=" + Secret("hunter2") + ";"
    ('***', '***')
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, index: SupportsIndex | slice) -> Secret:
        return Secret(super().__getitem__(index))  # rich shows the start of a long string

    def __add__(self, other: str) -> Secret:
        return Secret(super().__add__(other))

    def __radd__(self, other: str) -> Secret:
        return Secret(str.__add__(other, self))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("A secret cannot be pickled.")


def holds_secret(value: Any) -> bool:
    """Return whether a value is a secret or contains one."""
    return any(True for _ in secrets_in(value))


def secrets_in(value: Any) -> Iterator[Secret]:
    """Yield the secrets that a value is or contains."""
    if isinstance(value, Secret):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        yield from secrets_in([getattr(value, each.name) for each in fields(value)])
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from secrets_in(each)
