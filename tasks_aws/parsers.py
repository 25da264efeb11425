"""One parser for each lower-case setting: it takes what was written and gives a checked value.

A parser's second argument is the name that a message gives to the value: the full key, the
option or the variable that it came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Any

from .errors import SettingsError
from .output import suggestion

Parser = Callable[[Any, str], Any]


def mapping(value: Any, key: str) -> Mapping[str, Any]:
    """Return a mapping, an empty one for nothing."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"`{key}` is {_kind(value)}, not a mapping.",
            fix=f"Write keys and values below `{key}`.",
        )
    return value


def only_known(values: Mapping[str, Any], key: str, known: list[str]) -> None:
    """Refuse keys that are not known, with a suggestion."""
    for each in values:
        if each not in known:
            raise SettingsError(
                f"`{key}.{each}` is not a setting of tasks-aws.",
                fix=suggestion(str(each), known) or f"Known are: {', '.join(sorted(known))}.",
            )


def _kind(value: Any) -> str:
    kinds = {
        bool: "a truth value",
        int: "a number",
        float: "a number",
        str: "a text",
        date: "a date",
        datetime: "a date",
        list: "a list",
        tuple: "a list",
        type(None): "nothing",
    }
    return kinds.get(type(value), "a mapping")


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(
            f"`{key}` is {_kind(value)}, not a text: {value!r}.", fix="Put it in quotes."
        )
    if not value.strip():
        raise SettingsError(f"`{key}` is empty.", fix="Give it a value, or remove it.")
    return value


def _matching(pattern: str, what: str, fix: str) -> Parser:
    """Return a parser for a text of a form that STS demands; botocore checks lengths only."""

    def parse(value: Any, key: str) -> str:
        text = _text(value, key)
        if not re.fullmatch(pattern, text, re.ASCII):
            raise SettingsError(f"`{key}` is not {what}: {text!r}.", fix=fix)
        return text

    return parse


def _account_id(value: Any, key: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise SettingsError(
            f"`{key}` is a number: {value}.",
            why="Without quotes YAML reads an account ID as a number, and may drop its zeros.",
            fix='Put it in quotes: "123456789012".',
        )
    parse = _matching(r"\d{12}", "an AWS account ID", "Write the 12 digits, in quotes.")
    return str(parse(value, key))


@dataclass(frozen=True, slots=True)
class Source:
    """A folder or file to package, and the folder inside the archive where it goes."""

    path: str
    inside: str = ""


def _sources(value: Any, key: str) -> tuple[Source, ...]:
    """Read paths, or mappings of a path to a folder inside the archive, or a list of either."""
    items = value if isinstance(value, list | tuple) else [value]
    found: list[Source] = []
    for item in items:
        if not isinstance(item, Mapping):
            found.append(Source(_text(item, key)))
            continue
        for path, inside in item.items():
            parts = PurePosixPath(_text(inside, f"{key}.{path}")).parts
            if not parts or ".." in parts or parts[0] == "/":
                raise SettingsError(
                    f"`{key}.{path}` is {inside!r}, which is not a folder inside the archive.",
                    fix="Write a relative path without `..`.",
                )
            found.append(Source(_text(path, key), "/".join(parts)))
    return tuple(found)


def _seconds(lowest: int, highest: int) -> Parser:
    def parse(value: Any, key: str) -> int:
        text = str(value).strip()
        match = re.fullmatch(r"(\d+)([smh]?)", text, re.ASCII)
        if isinstance(value, bool) or not match:
            raise SettingsError(
                f"`{key}` is not a time: {text!r}.", fix="Write seconds, or 90m, or 2h."
            )
        seconds = int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
        if not lowest <= seconds <= highest:
            raise SettingsError(
                f"`{key}` is out of range: {text}.",
                why=f"It may be {lowest} to {highest} seconds.",
                fix="Choose a time in that range.",
            )
        return seconds

    return parse


def _one_of(*allowed: str) -> Parser:
    def parse(value: Any, key: str) -> str:
        if value not in allowed:
            raise SettingsError(
                f"`{key}` is {value!r}.", fix=f"Write one of: {', '.join(allowed)}."
            )
        return str(value)

    return parse


def _texts(value: Any, key: str) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        raise SettingsError(f"`{key}` is {_kind(value)}, not a list.", fix="Write a list of texts.")
    return tuple(_text(each, f"{key}[{index}]") for index, each in enumerate(value))


def _tags(value: Any, key: str) -> dict[str, str]:
    tags = mapping(value, key)
    if len(tags) > 50 or len({str(name).lower() for name in tags}) < len(tags):
        raise SettingsError(
            f"`{key}` has {len(tags)} tags, or two that differ only by case.",
            why="STS takes at most 50, whose keys differ by more than case.",
            fix="Remove some.",
        )
    for name, text in tags.items():
        if not isinstance(text, str):
            raise SettingsError(f"`{key}.{name}` is {_kind(text)}: {text!r}.", fix="Quote it.")
        for part, longest, shortest in ((name, 128, 1), (text, 256, 0)):
            # STS allows letters, digits and blanks of any script, and few other signs.
            if not shortest <= len(part) <= longest or not re.fullmatch(r"[\w\s.:/=+@-]*", part):
                raise SettingsError(
                    f"`{key}.{name}` is not a session tag: {part!r}.",
                    fix="Use letters, digits, blanks and _.:/=+-@; 128 at most for a key, "
                    "256 for a value.",
                )
    return dict(tags)


def _policy(value: Any, key: str) -> Mapping[str, Any]:
    policy = mapping(value, key)
    try:
        length = len(json.dumps(policy, separators=(",", ":")))
    except TypeError as error:
        raise SettingsError(
            f"`{key}` holds a value that JSON has not, such as a date.",
            why="Without quotes YAML reads 2012-10-17 as a date.",
            fix='Put it in quotes: Version: "2012-10-17".',
        ) from error
    if length > 2048:
        raise SettingsError(
            f"`{key}` has {length} characters.",
            why="STS takes session policies of at most 2048.",
            fix="Shorten it, or use `policy_arns`.",
        )
    return policy


def _policy_arns(value: Any, key: str) -> tuple[str, ...]:
    arns = _texts(value, key)
    parse = _matching(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\x21-\x7e]+",
        "the ARN of a managed policy",
        "Write it as arn:aws:iam::<account or aws>:policy/<name>.",
    )
    if len(arns) > 10:
        raise SettingsError(
            f"`{key}` names {len(arns)} policies.", why="STS takes at most ten.", fix="Remove some."
        )
    return tuple(parse(arn, f"{key}[{index}]") for index, arn in enumerate(arns))


def _truth(value: Any, key: str) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}  # of an INVOKE_AWS_* variable
    found = value if isinstance(value, bool) else words.get(str(value).lower())
    if found is None:
        raise SettingsError(f"`{key}` is {value!r}.", fix="Write true or false.")
    return found


# Patterns and limits are those of the STS API (AssumeRole); `\w` is ASCII there.
_SESSION_NAME = _matching(
    r"[\w+=,.@-]{2,64}",
    "a role session name",
    "Use 2 to 64 ASCII letters, digits and =,.@_+- without blanks.",
)
SETTINGS: dict[str, Parser] = {
    "profile": _text,
    "role_arn": _matching(
        r"arn:aws[a-z-]*:iam::\d{12}:role/[\x21-\x7e]{1,512}",
        "a role ARN",
        "Write it as arn:aws:iam::<12-digit account>:role/<name>.",
    ),
    "region": _matching(r"[a-z]{2,}(-[a-z0-9]+)*-\d+", "a region", "Write it like eu-central-1."),
    "account_id": _account_id,
    "duration_seconds": _seconds(900, 43200),
    "role_session_name": _SESSION_NAME,
    "mfa_serial": _matching(
        r"[\w+=/:,.@-]{9,256}",
        "the serial number of an MFA device",
        "Write the device's ARN: arn:aws:iam::<account>:mfa/<name>.",
    ),
    "mfa_command": _text,
    "mfa_session": _truth,
    "external_id": _matching(
        r"[\w+=,.@:/-]{2,1224}", "an external ID", "Use 2 to 1224 of A-Z a-z 0-9 _+=,.@:/-"
    ),
    "source_identity": _matching(
        r"(?!aws:)[\w+=,.@-]{2,64}",
        "a source identity",
        "Use 2 to 64 of A-Z a-z 0-9 _+=,.@- that do not start with `aws:`.",
    ),
    "session_tags": _tags,
    "transitive_tag_keys": _texts,
    "policy": _policy,
    "policy_arns": _policy_arns,
    "cache": _one_of("cli", "keyring", "none"),
    "min_ttl_seconds": _seconds(0, 43200),
}
FUNCTION_SETTINGS: dict[str, Parser] = {
    "source": _sources,
    "requirements": _text,
    "allow_sdist": _texts,
    "build": _texts,
    "bytecode": _truth,
    "archive": _text,
    "include": _texts,
    "exclude": _texts,
}
