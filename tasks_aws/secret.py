"""A string that Python never shows."""

from __future__ import annotations

import re
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
    return any(True for _ in _secrets(value))


def without_secrets(text: str, values: Any) -> str:
    """Return a string, such as a response from AWS, with every secret in `values` masked.

    >>> without_secrets("hunter2 is too short", {"password": Secret("hunter2")})
    '*** is too short'
    """
    for secret in _secrets(values):
        text = text.replace(secret, "***") if secret else text
    return text


def find_secrets(environ: Mapping[str, str]) -> list[Secret]:
    """Return the values of environment variables whose names say that they are secret.

    >>> without_secrets("hunter2 is refused", find_secrets({"NPM_TOKEN": "hunter2"}))
    '*** is refused'
    """
    secret = re.compile(r"SECRET|TOKEN|PASS|CREDENTIAL|AUTH(?!OR)|KEY", re.IGNORECASE)
    # A shorter value, such as `1` or `true`, is a switch.
    return [Secret(text) for name, text in environ.items() if secret.search(name) and len(text) > 5]


# A password may have a slash or an @ in it that should have been encoded; a port is no password.
_USER_INFO = r"""://(?:[^\s/@:'"]*:(?!\d+[/?#])[^\s'"]*|[^\s/?#'"]*)@"""

# What urllib3 takes for the host: of a password with a slash, the part before it.
_MALFORMED = r"(?<=Failed to parse: )\S+"


def without_passwords(text: str) -> str:
    """Return a text, such as an error of a proxy, with the user names and passwords of URLs masked.

    >>> without_passwords("Cannot connect to http://alice:hunter2@proxy:8080/")
    'Cannot connect to http://***@proxy:8080/'
    """
    if "@" in text:
        text = re.sub(_USER_INFO, "://***@", text)
    return re.sub(_MALFORMED, "***", text) if "Failed to parse" in text else text


def _secrets(value: Any) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        yield from _secrets([getattr(value, each.name) for each in fields(value)])
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _secrets(each)
