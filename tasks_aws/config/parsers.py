"""One parser for each lower-case setting: it takes what was written and gives a checked value.

A parser's second argument is the name that a message gives to the value: the full key, the
option or the variable that it came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from ..errors import SettingsError
from ..ui.output import suggest
from .references import Pending

Parser = Callable[[Any, str], Any]

_DIGITS = r"\d{1,19}"  # Python refuses to read a number of thousands


def mapping(value: Any, key: str) -> Mapping[str, Any]:
    """Return a mapping whose keys are texts, an empty one for nothing."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SettingsError(
            f"`{key}` is {kind(value)}, not a mapping.",
            fix=f"Write keys and values below `{key}`.",
        )
    for name in value:
        if not isinstance(name, str):
            raise SettingsError(
                f"`{key}` has a key that is {kind(name)}, not a text: {name!r}.",
                fix="Put the key in quotes.",
            )
    return value


def only_known(values: Mapping[str, Any], key: str, known: list[str]) -> None:
    """Refuse keys that are not known, with a suggestion."""
    for each in values:
        if each not in known:
            raise SettingsError(
                f"`{key}.{each}` is not a setting of tasks-aws.",
                fix=suggest(str(each), known) or f"Known are: {', '.join(sorted(known))}.",
            )


def kind(value: Any) -> str:
    """Return what a value is, as people who write YAML say it."""
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


def text(value: Any, key: str) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str):
        raise SettingsError(
            f"`{key}` is {kind(value)}, not a text: {value!r}.", fix="Put it in quotes."
        )
    if not value.strip():
        raise SettingsError(f"`{key}` is empty.", fix="Give it a value, or remove it.")
    if "\0" in value:
        raise SettingsError(
            f"`{key}` holds a zero byte.", why="No file or program takes one.", fix="Remove it."
        )
    return value


def matching(pattern: str, what: str, fix: str) -> Parser:
    """Return a parser for a text of a form that STS demands; botocore checks lengths only."""

    def parse(value: Any, key: str) -> str:
        found = text(value, key)
        if isinstance(found, Pending):
            return found  # checked when AWS has answered
        if not re.fullmatch(pattern, found, re.ASCII):
            raise SettingsError(f"`{key}` is not {what}: {found!r}.", fix=fix)
        return found

    return parse


def _account_id(value: Any, key: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise SettingsError(
            f"`{key}` is a number: {value}.",
            why="Without quotes YAML reads an account ID as a number, and may drop its zeros.",
            fix='Put it in quotes: "123456789012".',
        )
    parse = matching(r"\d{12}", "an AWS account ID", "Write the 12 digits, in quotes.")
    return str(parse(value, key))


def whole_number(lowest: int, highest: int) -> Parser:
    """Return a parser for a whole number; a variable of the environment holds it as a text."""

    def parse(value: Any, key: str) -> int:
        written = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(_DIGITS, written, re.ASCII):
            raise SettingsError(f"`{key}` is not a whole number: {value!r}.", fix="Write digits.")
        if not lowest <= int(written) <= highest:
            raise SettingsError(
                f"`{key}` is out of range: {written}.", fix=f"Write {lowest} to {highest}."
            )
        return int(written)

    return parse


def seconds(lowest: int, highest: int) -> Parser:
    """Return a parser for a time in seconds: 900, 90m or 2h."""

    def parse(value: Any, key: str) -> int:
        written = str(value).strip()
        match = re.fullmatch(rf"({_DIGITS})([smh]?)", written, re.ASCII)
        if isinstance(value, bool) or not match:
            raise SettingsError(
                f"`{key}` is not a time: {written!r}.", fix="Write seconds, or 90m, or 2h."
            )
        found = int(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]
        if not lowest <= found <= highest:
            raise SettingsError(
                f"`{key}` is out of range: {written}.",
                why=f"It may be {lowest} to {highest} seconds.",
                fix="Choose a time in that range.",
            )
        return found

    return parse


def _one_of(*allowed: str) -> Parser:
    def parse(value: Any, key: str) -> str:
        if value not in allowed:
            raise SettingsError(
                f"`{key}` is {value!r}.", fix=f"Write one of: {', '.join(allowed)}."
            )
        return str(value)

    return parse


def texts(value: Any, key: str) -> tuple[str, ...]:
    """Return texts; a single one need not be in a list."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple):
        raise SettingsError(f"`{key}` is {kind(value)}, not a list.", fix="Write a list of texts.")
    return tuple(text(each, f"{key}[{index}]") for index, each in enumerate(value))


def _tags(value: Any, key: str) -> dict[str, str]:
    tags = mapping(value, key)
    if len(tags) > 50 or len({str(name).lower() for name in tags}) < len(tags):
        raise SettingsError(
            f"`{key}` has {len(tags)} tags, or two that differ only by case.",
            why="STS takes at most 50, whose keys differ by more than case.",
            fix="Remove some.",
        )
    for name, tag in tags.items():
        if not isinstance(tag, str):
            raise SettingsError(f"`{key}.{name}` is {kind(tag)}: {tag!r}.", fix="Quote it.")
        for part, longest, shortest in ((name, 128, 1), (tag, 256, 0)):
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
    arns = texts(value, key)
    parse = matching(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[\x21-\x7e]+",
        "the ARN of a managed policy",
        "Write it as arn:aws:iam::<account or aws>:policy/<name>.",
    )
    if len(arns) > 10:
        raise SettingsError(
            f"`{key}` names {len(arns)} policies.", why="STS takes at most ten.", fix="Remove some."
        )
    return tuple(parse(arn, f"{key}[{index}]") for index, arn in enumerate(arns))


def mappings(value: Any, key: str) -> tuple[Mapping[str, Any], ...]:
    """Return mappings; a single one need not be in a list."""
    if not isinstance(value, list | tuple):
        value = [value]
    return tuple(mapping(each, f"{key}[{index}]") for index, each in enumerate(value))


def truth(value: Any, key: str) -> bool:
    """Return a truth value."""
    words = {"true": True, "1": True, "false": False, "0": False}  # of an INVOKE_AWS_* variable
    found = value if isinstance(value, bool) else words.get(str(value).lower())
    if found is None:
        raise SettingsError(f"`{key}` is {value!r}.", fix="Write true or false.")
    return found


def _keep_fresh(value: Any, key: str) -> Any:
    """Return true, false or `endpoint`."""
    if value == "endpoint":
        return value
    try:
        return truth(value, key)
    except SettingsError as error:
        raise SettingsError(
            f"`{key}` is {value!r}.", fix="Write true, false or endpoint."
        ) from error


# Patterns and limits are those of the STS API (AssumeRole); `\w` is ASCII there.
_SESSION_NAME = matching(
    r"[\w+=,.@-]{2,64}",
    "a role session name",
    "Use 2 to 64 ASCII letters, digits and =,.@_+- without blanks.",
)
BUCKET = matching(
    r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]",
    "the name of an S3 bucket",
    "Use 3 to 63 of a-z 0-9 . and -, such as my-artifacts.",
)
SETTINGS: dict[str, Parser] = {
    "profile": text,
    "role_arn": matching(
        r"arn:aws[a-z-]*:iam::\d{12}:role/[\x21-\x7e]{1,512}",
        "a role ARN",
        "Write it as arn:aws:iam::<12-digit account>:role/<name>.",
    ),
    "region": matching(r"[a-z]{2,}(-[a-z0-9]+)*-\d+", "a region", "Write it like eu-central-1."),
    "account_id": _account_id,
    "duration_seconds": seconds(900, 43200),
    "role_session_name": _SESSION_NAME,
    "mfa_serial": matching(
        r"[\w+=/:,.@-]{9,256}",
        "the serial number of an MFA device",
        "Write the device's ARN: arn:aws:iam::<account>:mfa/<name>.",
    ),
    "mfa_command": text,
    "mfa_session": truth,
    "external_id": matching(
        r"[\w+=,.@:/-]{2,1224}", "an external ID", "Use 2 to 1224 of A-Z a-z 0-9 _+=,.@:/-"
    ),
    "source_identity": matching(
        r"(?!aws:)[\w+=,.@-]{2,64}",
        "a source identity",
        "Use 2 to 64 of A-Z a-z 0-9 _+=,.@- that do not start with `aws:`.",
    ),
    "session_tags": _tags,
    "transitive_tag_keys": texts,
    "policy": _policy,
    "policy_arns": _policy_arns,
    "cache": _one_of("cli", "keyring", "none"),
    "bucket": BUCKET,
    "keep_fresh": _keep_fresh,
    "key_prefix": text,
    "min_ttl_seconds": seconds(0, 43200),
}
