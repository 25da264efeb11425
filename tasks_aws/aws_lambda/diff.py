"""What differs between the settings and AWS, down to single values."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..secret import holds_secret
from ..text.masking import without_secrets

_MASKED = "***"
_LONGEST_SHOWN = 120  # characters of a value

# Values that are shown only on request. AWS replaces this mapping as a whole: variables that the
# settings do not name are removed.
_VARIABLES = "Environment.Variables"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change:
    """One difference: from `before`, on AWS, to `after`, in the settings; None is nothing."""

    key: str
    before: Any = None
    after: Any = None

    def format_line(self, *, show_values: bool = False) -> str:
        """Return it as a line of a diff; secrets from AWS are always masked.

        >>> Change(key="MemorySize", before=128, after=256).format_line()
        '~ MemorySize  128 -> 256'
        >>> Change(key="Environment.Variables.KEY", after="x").format_line()
        '+ Environment.Variables.KEY  ***'
        """
        shown = self.masked(show_values=show_values)
        before, after = _format_value(shown.before), _format_value(shown.after)
        if self.before is None:
            return f"+ {self.key}  {after}"
        if self.after is None:
            return f"- {self.key}  {before}"
        return f"~ {self.key}  {before} -> {after}"

    def masked(self, *, show_values: bool = False) -> Change:
        """Return it with every secret masked, and the values of variables unless they are shown.

        What is left is what JSON can have.
        """
        hidden = (self.key.startswith(f"{_VARIABLES}.") and not show_values) or holds_secret(
            (self.before, self.after)
        )
        before, after = (
            None if each is None else _MASKED if hidden else _mask(each)
            for each in (self.before, self.after)
        )
        return Change(key=self.key, before=before, after=after)


def diff_values(key: str, wanted: Any, actual: Any) -> Iterator[Change]:
    """Yield the differences between a setting and the value on AWS.

    Only what the settings name is compared: AWS adds keys, leaves out empty values, and does
    not keep the order of resource IDs.
    """
    if isinstance(wanted, Mapping):
        actual = actual if isinstance(actual, Mapping) else {}
        for name, value in wanted.items():
            yield from diff_values(f"{key}.{name}", value, actual.get(name))
        if not wanted and key != _VARIABLES and not _is_nothing(actual):
            yield Change(key=key, before=actual)
        if key == _VARIABLES:
            for name in actual:
                if name not in wanted:
                    yield Change(key=f"{key}.{name}", before=actual[name])
    elif not _is_same(wanted, actual):
        yield Change(key=key, before=actual, after=wanted)


def diff_mappings(
    prefix: str, wanted: Mapping[str, Any], actual: Mapping[str, Any]
) -> tuple[tuple[Change, ...], dict[str, Any]]:
    """Return the differences and, for an update, the wanted values that differ.

    The order of lists does not count.
    """
    changes: list[Change] = []
    different = {}
    for name, value in wanted.items():
        found = [*diff_values(f"{prefix}.{name}", sort_lists(value), sort_lists(actual.get(name)))]
        if found:
            different[name] = value
            changes += found
    return tuple(changes), different


def diff_unnamed(
    wanted: Mapping[str, Any],
    actual: Mapping[str, Any],
    defaults: Mapping[str, Any],
    prefix: str = "",
) -> tuple[tuple[Change, ...], dict[str, Any]]:
    """Return what differs from the defaults and is not wanted, and the values that take it away.

    What is missing or empty is taken for a default.
    """
    changes: list[Change] = []
    values = {}
    for key, default in defaults.items():
        full_key, own = f"{prefix}{key}", wanted.get(key, {})
        value: Any = actual.get(key)
        if _is_nothing(value) or value == default:
            continue
        found: Sequence[Change] = ()
        is_part = isinstance(own, Mapping) and bool(own or key not in wanted)  # {} wants nothing
        if default and isinstance(default, Mapping) and is_part:
            found, inside = diff_unnamed(own, value, default, f"{full_key}.")
            default = {**own, **inside} if key in wanted else default
        elif key not in wanted and (default or full_key == _VARIABLES):
            found = [*diff_values(full_key, default, value)]
        elif key not in wanted:
            found = [Change(key=full_key, before=value)]
        if found:
            changes += found
            values[key] = default
    return tuple(changes), values


def _is_nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(map(_is_nothing, value.values()))
    return value in (None, "", [])


def sort_lists(value: Any) -> Any:
    """Return a value with its lists sorted at every depth, where AWS takes them for sets.

    >>> sort_lists({"Topics": ["b", "a"]})
    {'Topics': ['a', 'b']}
    """
    if isinstance(value, Mapping):
        return {key: sort_lists(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return sorted(map(sort_lists, value), key=lambda each: json.dumps(each, sort_keys=True))
    return value


def _is_same(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, Mapping):
        return not any(True for _ in diff_values("", wanted, actual))
    if isinstance(wanted, list | tuple) and isinstance(actual, list | tuple):
        if _are_ids(wanted) and _are_ids(actual):
            return set(wanted) == set(actual)
        return len(wanted) == len(actual) and all(map(_is_same, wanted, actual))
    # 0 counts as a value: a reserved concurrency of 0 differs from none.
    return bool(
        wanted == actual or (not actual and (wanted is False or wanted in ("", [], (), {})))
    )


def _are_ids(values: Any) -> bool:
    return all(isinstance(each, str) and each.startswith(("subnet-", "sg-")) for each in values)


def _mask(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {without_secrets(str(key)): _mask(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [*map(_mask, value)]
    text = str(value)
    masked = without_secrets(text)
    return value if masked == text and isinstance(value, bool | int | float) else masked


def _format_value(value: Any) -> str:
    text = without_secrets(value if isinstance(value, str) else json.dumps(value))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
