"""Parsers: each checks a value from the settings and returns it in its final form.

`parse_…` is a parser; `…_parser` returns one that is made for its arguments. A parser's second
argument is what error messages call the value: the full key, the option or the variable that it
comes from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from typing import Any, Generic, TypeVar

from ..errors import SettingsError
from ..ui.output import suggest
from .references import STORED, Unresolved, parse_reference

_T = TypeVar("_T")

# "AssumeRole", STS API reference.
_MOST_TAGS = 50
_LONGEST_POLICY = 2048  # characters
_MOST_POLICIES = 10

_DIGITS = r"\d{1,19}"  # Python refuses to convert thousands of digits


class Parser(Generic[_T]):
    """A function that parses a value, and a description of what it takes.

    `takes` is for people, `schema` is JSON Schema; both describe values without references.
    """

    __slots__ = ("_parse", "schema", "takes")

    def __init__(
        self, parse: Callable[[Any, str], _T], takes: str, schema: Mapping[str, Any]
    ) -> None:
        self._parse = parse
        self.takes = takes
        self.schema = schema

    def __call__(self, value: Any, key: str) -> _T:
        """Return the parsed value. Raises `SettingsError`, which calls the value `key`."""
        return self._parse(value, key)


def parser(
    takes: str, schema: Mapping[str, Any]
) -> Callable[[Callable[[Any, str], _T]], Parser[_T]]:
    """Return a decorator that makes a function a `Parser`."""
    return lambda parse: Parser(parse, takes, schema)


def kind(value: Any) -> str:
    """Return what a value is called in YAML."""
    kinds: dict[Any, str] = {
        type(None): "null",
        str: "a string",
        bool: "a boolean",
        int | float: "a number",
        date: "a date",
        list | tuple: "a list",
        Mapping: "a mapping",
    }
    found = (name for each, name in kinds.items() if isinstance(value, each))
    return next(found, f"a value of type {type(value).__name__}")


def find_unknown_keys(
    values: Iterable[str], key: str, known: list[str], *, hint: str = ""
) -> Iterator[SettingsError]:
    """Yield an error for each key that is not known, with a suggestion, or else a hint."""
    for each in values:
        if each not in known:
            yield SettingsError(
                f"Unknown setting `{key}.{each}`.",
                fix=suggest(str(each), known)
                or f"Use one of: {', '.join(sorted(known))}. {hint}".rstrip(),
            )


def reject_unknown_keys(values: Iterable[str], key: str, known: list[str]) -> None:
    """Raise `SettingsError` for the first key that is not known."""
    for error in find_unknown_keys(values, key, known):
        raise error


@parser("a mapping", {"type": "object"})
def parse_mapping(value: Any, key: str) -> Mapping[str, Any]:
    """Return a mapping whose keys are strings; an empty one for null."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"`{key}` must be a mapping, got {kind(value)}.",
            fix=f"Write keys and values below `{key}`.",
        )
    for name in value:
        if not isinstance(name, str):
            raise SettingsError(
                f"The keys of `{key}` must be strings, got {name!r}, {kind(name)}.",
                fix="Put the key in quotes.",
            )
    return value


@parser(
    "a mapping or a list of mappings",
    {"type": ["object", "array"], "items": {"type": "object"}},
)
def parse_mappings(value: Any, key: str) -> tuple[Mapping[str, Any], ...]:
    """Return mappings; a single one need not be in a list."""
    if not isinstance(value, list | tuple):
        value = [value]
    return tuple(parse_mapping(each, f"{key}[{index}]") for index, each in enumerate(value))


@parser("a string", {"type": "string", "minLength": 1})
def parse_string(value: Any, key: str) -> str:
    """Return a string that is not empty."""
    found = _require_string(value, key)
    if not found.strip():
        raise SettingsError(f"`{key}` is empty.", fix="Set a value, or remove it.")
    if "\0" in found:
        raise SettingsError(f"`{key}` contains a NUL byte.", fix="Remove it.")
    return found


def _require_string(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(
            f"`{key}` must be a string, got {kind(value)}.",
            fix="Put it in quotes." if isinstance(value, bool | int | float | date) else "",
        )
    return value


@parser(
    "a string or a list of strings",
    {"type": ["string", "array"], "minLength": 1, "items": {"type": "string", "minLength": 1}},
)
def parse_strings(value: Any, key: str) -> tuple[str, ...]:
    """Return strings; a single one need not be in a list."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        raise SettingsError(f"`{key}` must be a list of strings, got {kind(value)}.")
    return tuple(parse_string(each, f"{key}[{index}]") for index, each in enumerate(value))


def pattern_parser(pattern: str, what: str, fix: str) -> Parser[str]:
    """Return a parser for a string that matches a pattern; botocore checks lengths only."""

    @parser(what, {"type": "string", "pattern": f"^(?:{pattern})$"})
    def parse(value: Any, key: str) -> str:
        found = parse_string(value, key)
        if isinstance(found, Unresolved):
            return found  # parsed again once AWS has resolved it
        if not re.fullmatch(pattern, found, re.ASCII):
            raise SettingsError(f"`{key}` must be {what}, got {found!r}.", fix=fix)
        return found

    return parse


def choice_parser(*choices: _T) -> Parser[_T]:
    """Return a parser for one of a few strings or numbers."""
    by_name = {str(each): each for each in choices}
    takes = f"one of {', '.join(by_name)}"

    @parser(takes, {"enum": list(choices)})
    def parse(value: Any, key: str) -> _T:
        name = str(value).strip()  # a variable may have blanks around it
        if name not in by_name:
            raise SettingsError(f"`{key}` must be {takes}; got {value!r}.")
        return by_name[name]

    return parse


def integer_parser(lowest: int, highest: int | None = None) -> Parser[int]:
    """Return a parser for an integer; an environment variable holds it as a string."""
    takes, schema = f"an integer of at least {lowest}", {"type": "integer", "minimum": lowest}
    if highest is not None:
        takes, schema = f"an integer from {lowest} to {highest}", {**schema, "maximum": highest}

    @parser(takes, schema)
    def parse(value: Any, key: str) -> int:
        written = str(value).strip()
        if not isinstance(value, bool) and re.fullmatch(_DIGITS, written, re.ASCII):
            found = int(written)
            if lowest <= found and (highest is None or found <= highest):
                return found
        raise SettingsError(f"`{key}` must be {takes}, got {value!r}.")

    return parse


_HIGHEST_QUOTA = 10_000
_parse_quota = integer_parser(1, _HIGHEST_QUOTA)


def quotas_parser(defaults: Mapping[str, int]) -> Parser[Mapping[str, int]]:
    """Return a parser for a mapping of quotas, in which those that are missing have defaults."""

    @parser(
        f"a mapping of {', '.join(defaults)} to integers from 1 to {_HIGHEST_QUOTA}",
        {
            "type": "object",
            "properties": dict.fromkeys(defaults, _parse_quota.schema),
            "additionalProperties": False,
        },
    )
    def parse(value: Any, key: str) -> Mapping[str, int]:
        given = parse_mapping(value, key)
        reject_unknown_keys(given, key, [*defaults])
        return {
            **defaults,
            **{name: _parse_quota(each, f"{key}.{name}") for name, each in given.items()},
        }

    return parse


@parser(
    "a mapping with the key `values`: a mapping of references to strings",
    {
        "type": "object",
        "properties": {
            "values": {
                "type": "object",
                "propertyNames": {"pattern": f"^({'|'.join(STORED)}):"},
                "additionalProperties": {"type": "string"},
            }
        },
        "additionalProperties": False,
    },
)
def parse_local(value: Any, key: str) -> Mapping[str, str]:
    """Return the values that references have on the embedded AWS."""
    given = parse_mapping(value, key)
    reject_unknown_keys(given, key, ["values"])
    values = parse_mapping(given.get("values", {}), f"{key}.values")
    for name in values:
        if parse_reference(name, f"{key}.values").kind not in STORED:
            raise SettingsError(
                f"`{key}.values` names {name!r}, which does not refer to a value stored in AWS.",
                fix="Write what is between the braces, such as ssm:/name for ${ssm:/name}.",
            )
    return {name: _require_string(each, f"{key}.values.{name}") for name, each in values.items()}


_UNITS = {"d": 24 * 3600, "h": 3600, "m": 60, "s": 1}


def duration_parser(lowest: int, highest: int) -> Parser[int]:
    """Return a parser for a duration, such as 900, 90m, 2h or 1d, which it returns in seconds."""
    limits = f"{_format_duration(lowest)} to {_format_duration(highest)}"
    takes = f"a duration from {limits}"
    pattern = rf"({_DIGITS})([smhd]?)"

    @parser(
        takes,
        {
            "type": ["integer", "string"],
            "minimum": lowest,
            "maximum": highest,
            "pattern": f"^{pattern}$",
        },
    )
    def parse(value: Any, key: str) -> int:
        match = re.fullmatch(pattern, str(value).strip(), re.ASCII)
        if not match or isinstance(value, bool):
            raise SettingsError(
                f"`{key}` must be {takes}, got {value!r}.",
                fix="Write seconds, or a number with a unit (s, m, h or d), such as 90m or 2h.",
            )
        found = int(match[1]) * _UNITS[match[2] or "s"]
        if not lowest <= found <= highest:
            raise SettingsError(
                f"`{key}` must be {takes}, got {value!r}.", fix=f"Write a value from {limits}."
            )
        return found

    return parse


def _format_duration(seconds: int) -> str:
    """Return a duration as it may be written.

    >>> [_format_duration(each) for each in (0, 90, 900, 43200, 86400)]
    ['0s', '90s', '15m', '12h', '1d']
    """
    fitting = (unit for unit, size in _UNITS.items() if seconds >= size and seconds % size == 0)
    unit = next(fitting, "s")
    return f"{seconds // _UNITS[unit]}{unit}"


BOOLEANS = {"true": True, "1": True, "false": False, "0": False}  # "1": an INVOKE_AWS_* variable


@parser("true or false", {"type": "boolean"})
def parse_bool(value: Any, key: str) -> bool:
    """Return a boolean."""
    return _parse_boolean(value, key, "true or false")


@parser("true, false or endpoint", {"enum": [True, False, "endpoint"]})
def parse_keep_fresh(value: Any, key: str) -> bool:
    """Return a boolean; `endpoint` is another word for true."""
    return value == "endpoint" or _parse_boolean(value, key, "true, false or endpoint")


def _parse_boolean(value: Any, key: str, expected: str) -> bool:
    found = BOOLEANS.get(str(value).lower())
    if found is None:
        raise SettingsError(f"`{key}` must be {expected}, got {value!r}.")
    return found


_parse_quoted_account_id = pattern_parser(
    r"\d{12}", "an AWS account ID", "Write the 12 digits, in quotes."
)


@parser("an AWS account ID, in quotes", _parse_quoted_account_id.schema)
def parse_account_id(value: Any, key: str) -> str:
    """Return an account ID, which YAML must not have read as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise SettingsError(
            f"`{key}` must be a string, got a number.",
            why="YAML reads an account ID without quotes as a number, and may drop zeros.",
            fix='Put it in quotes, such as "123456789012".',
        )
    return _parse_quoted_account_id(value, key)


@parser(
    "a mapping of strings",
    {"type": "object", "maxProperties": _MOST_TAGS, "additionalProperties": {"type": "string"}},
)
def parse_session_tags(value: Any, key: str) -> Mapping[str, str]:
    """Return session tags that STS accepts."""
    tags = parse_mapping(value, key)
    if len(tags) > _MOST_TAGS:
        raise SettingsError(
            f"`{key}` has {len(tags)} tags, but STS allows at most {_MOST_TAGS}.",
            fix="Remove some.",
        )
    if len({name.lower() for name in tags}) < len(tags):
        raise SettingsError(
            f"`{key}` has keys that differ only in case, which STS does not allow.",
            fix="Rename or remove them.",
        )
    for name, tag in tags.items():
        string = _require_string(tag, f"{key}.{name}")
        for what, part, shortest, longest in (("key", name, 1, 128), ("value", string, 0, 256)):
            # STS allows letters, digits and spaces of any script.
            if not shortest <= len(part) <= longest or not re.fullmatch(r"[\w\s.:/=+@-]*", part):
                raise SettingsError(
                    f"`{key}.{name}` has a {what} that STS does not allow: {part!r}.",
                    fix=f"Use {shortest} to {longest} letters, digits, spaces and _.:/=+-@",
                )
    return dict(tags)


@parser("a mapping, or the path of a JSON file", {"type": ["object", "string"]})
def parse_policy(value: Any, key: str) -> Mapping[str, Any]:
    """Return a session policy; `load` has read it if it is in a file."""
    policy = parse_mapping(value, key)
    if not policy:
        raise SettingsError(
            f"`{key}` is empty.",
            why="A session policy allows what it says and nothing else.",
            fix="Write its statements, or remove the key.",
        )
    length = len(to_json(policy, key))
    if length > _LONGEST_POLICY:
        raise SettingsError(
            f"`{key}` has {length} characters, but STS allows at most {_LONGEST_POLICY}.",
            fix="Shorten it, or use `policy_arns`.",
        )
    return policy


def to_json(value: Any, key: str) -> str:
    """Return a value as JSON. Raises `SettingsError` for one that JSON cannot represent."""
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise SettingsError(
            f"`{key}` contains a value that JSON cannot represent.", why=f"{error}."
        ) from error
    except TypeError as error:
        raise SettingsError(
            f"`{key}` contains a value that JSON cannot represent, such as a date.",
            why="YAML reads 2012-10-17 without quotes as a date.",
            fix='Put it in quotes, such as "2012-10-17".',
        ) from error


_parse_policy_arn = pattern_parser(
    r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\x21-\x39\x3b-\x7e]+",
    "the ARN of a managed policy",
    "Use the form arn:aws:iam::<account or aws>:policy/<name>.",
)


@parser(
    "a list of up to ten ARNs",
    {
        "type": ["string", "array"],
        "pattern": _parse_policy_arn.schema["pattern"],
        "maxItems": _MOST_POLICIES,
        "items": _parse_policy_arn.schema,
    },
)
def parse_policy_arns(value: Any, key: str) -> tuple[str, ...]:
    """Return the ARNs of managed policies; a single one need not be in a list."""
    arns = parse_strings(value, key)
    if len(arns) > _MOST_POLICIES:
        raise SettingsError(
            f"`{key}` has {len(arns)} policies, but STS allows at most {_MOST_POLICIES}.",
            fix="Remove some.",
        )
    return tuple(_parse_policy_arn(arn, f"{key}[{index}]") for index, arn in enumerate(arns))


parse_bucket = pattern_parser(
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "the name of an S3 bucket",
    "Use 3 to 63 of a-z, 0-9, . and -, such as my-artifacts.",
)
