"""What differs between AWS and the settings, and the calls that would make it equal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..secret import holds_secret

_MASKED = "***"
_LONGEST_SHOWN = 120  # characters of a value

# Keys whose values nobody shall see by accident, and mappings that AWS replaces as a whole:
# what the settings do not name in them has to go.
_SENSITIVE = "Environment.Variables."
_REPLACED = ("Environment.Variables", "Tags")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """One difference: `before` is what AWS has, `after` what the settings say; None is nothing."""

    key: str
    before: Any = None
    after: Any = None

    def line(self, *, show_values: bool = False) -> str:
        """Return it for people; resolved secrets stay masked in any case.

        >>> Change(key="MemorySize", before=128, after=256).line()
        '~ MemorySize  128 -> 256'
        >>> Change(key="Environment.Variables.KEY", after="x").line()
        '+ Environment.Variables.KEY  ***'
        """
        hidden = (self.key.startswith(_SENSITIVE) and not show_values) or holds_secret(
            (self.before, self.after)
        )
        before, after = (_MASKED if hidden else _shown(each) for each in (self.before, self.after))
        if self.before is None:
            return f"+ {self.key}  {after}"
        if self.after is None:
            return f"- {self.key}  {before}"
        return f"~ {self.key}  {before} -> {after}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """One call of an AWS API, as boto3 spells it."""

    operation: str  # such as put_function_concurrency
    parameters: Mapping[str, Any]
    service: str = "lambda"
    done_already: tuple[str, ...] = ()  # codes of errors which say that there is nothing to do


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Step:
    """Changes around a function, and the calls that make them, in order."""

    changes: tuple[Change, ...]
    calls: tuple[Call, ...]
    after_alias: bool = True  # else before a version is published


def differences(key: str, wanted: Any, actual: Any) -> Iterator[Change]:
    """Yield what differs between a setting and what AWS has, down to single values.

    Only what the settings name is compared: AWS adds keys, leaves out what is empty, and does
    not keep the order of resource IDs.
    """
    if isinstance(wanted, Mapping):
        actual = actual if isinstance(actual, Mapping) else {}
        for name, value in wanted.items():
            yield from differences(f"{key}.{name}", value, actual.get(name))
        if key in _REPLACED:
            for name in actual:
                if name not in wanted and not name.startswith("aws:"):
                    yield Change(key=f"{key}.{name}", before=actual[name])
    elif not _same(wanted, actual):
        yield Change(key=key, before=actual, after=wanted)


def compared(
    key: str, wanted: Mapping[str, Any], actual: Mapping[str, Any]
) -> tuple[tuple[Change, ...], dict[str, Any]]:
    """Return what differs, and the parameters to send for it."""
    changes: list[Change] = []
    parameters = {}
    for name, value in wanted.items():
        found = [*differences(f"{key}.{name}", unordered(value), unordered(actual.get(name)))]
        if found:
            parameters[name] = value
            changes += found
    return tuple(changes), parameters


def unordered(value: Any) -> Any:
    """Return a value with its lists sorted, at every depth: to AWS they are sets.

    >>> unordered({"Topics": ["b", "a"]})
    {'Topics': ['a', 'b']}
    """
    if isinstance(value, Mapping):
        return {key: unordered(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return sorted(map(unordered, value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


def _same(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, Mapping):
        return not any(True for _ in differences("", wanted, actual))
    if isinstance(wanted, list | tuple) and isinstance(actual, list | tuple):
        if _are_ids(wanted) and _are_ids(actual):
            return set(wanted) == set(actual)
        return len(wanted) == len(actual) and all(map(_same, wanted, actual))
    # 0 is none of these: no executions reserved is not the same as nothing said about them.
    return bool(
        wanted == actual or (not actual and (wanted is False or wanted in ("", [], (), {})))
    )


def _are_ids(values: Any) -> bool:
    return all(isinstance(each, str) and each.startswith(("subnet-", "sg-")) for each in values)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
