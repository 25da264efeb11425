"""Each parser takes what its words and its schema say, and says what is wrong with the rest."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import pytest

from tasks_aws.config.functions import FUNCTION_KEYS
from tasks_aws.config.parsers import Parser, duration_parser, integer_parser, kind
from tasks_aws.config.references import Unresolved
from tasks_aws.config.settings import SETTINGS
from tasks_aws.errors import SettingsError
from tasks_aws.secret import Secret

ARN = "arn:aws:iam::123456789012:role/Deployer"
PARSERS: dict[str, Parser[Any]] = {
    **{name: each.parse for name, each in FUNCTION_KEYS.items()},
    **{name: each.parse for name, each in SETTINGS.items()},
}
STRING = "must be a string, got a number."
STRINGS = "must be a list of strings, got a number"

# Of each setting: values that it takes, and values that it refuses, with what it says.
EXAMPLES: dict[str, tuple[list[Any], list[tuple[Any, str]]]] = {
    "profile": (
        ["dev", "ü"],
        [(1, STRING), ("", "is empty"), (" ", "is empty"), ("a\0", "contains a NUL byte")],
    ),
    "role_arn": ([ARN, "arn:aws-cn:iam::123456789012:role/a/b"], [
        ("arn:aws:iam::12345:role/x", "must be a role ARN, got 'arn:aws:iam::12345:role/x'"),
        (ARN + "\n", "must be a role ARN"),
    ]),
    "region": (["eu-central-1", "us-gov-west-1"], [("moon", "must be an AWS region, got 'moon'")]),
    "account_id": (["012345678901"], [
        (123456789012, "must be a string, got a number."),
        (1402433619, "must be a string, got a number"),
        ("1234", "must be an AWS account ID, got '1234'"),
        (True, "must be a string, got a boolean"),
    ]),
    "duration_seconds": ([900, "900", "90m", "2h"], [
        (50000, "must be a duration from 15m to 12h, got 50000"),
        ("14m", "from 15m to 12h, got '14m'"),
        ("1d", "from 15m to 12h, got '1d'"),
        ("soon", "must be a duration from 15m to 12h, got 'soon'"),
        (True, "got True"),
        ("²", "got '²'"),
    ]),
    "role_session_name": (["alice", "a@b"], [("a b", "must be a role session name"), ("ü", "got")]),
    "mfa_serial": (["arn:aws:iam::123456789012:mfa/a", "GAHT12345678"], [("x", "serial number")]),
    "mfa_command": (["ykman oath"], [(1, STRING)]),
    "mfa_session": ([True, False], [("yes", "must be true or false, got 'yes'")]),
    "external_id": (["a:b/c"], [("a", "must be an external ID, got 'a'"), (1, STRING)]),
    "source_identity": (["alice"], [("aws:alice", "must be a source identity, got 'aws:alice'")]),
    "session_tags": ([{}, {"Team": "wéb", "b": ""}], [
        ([], "must be a mapping, got a list"),
        ({1: "a"}, "The keys of `k` must be strings, got 1, a number."),
        ({"a": 1}, "`k.a` must be a string, got a number."),
        ({"a": "b;"}, "`k.a` has a value that STS does not allow: 'b;'"),
        ({"": "b"}, "has a key that STS does not allow: ''"),
        ({"a": "b", "A": "b"}, "has keys that differ only in case"),
        ({str(number): "" for number in range(51)}, "has 51 tags, but STS allows at most 50"),
    ]),
    "transitive_tag_keys": (["Team", ["Team", "b"], []], [(1, STRINGS), ([1], "`k[0]` must be")]),
    "policy": ([{"Version": "2012-10-17"}], [
        ({}, "is empty"),
        ([], "must be a mapping, got a list"),
        ({"Version": date(2012, 10, 17)}, "contains a value that JSON cannot represent"),
        ({"Version": "x" * 2048}, "has 2062 characters, but STS allows at most 2048"),
    ]),
    "policy_arns": (["arn:aws:iam::aws:policy/A", ["arn:aws:iam::123456789012:policy/B"]], [
        ([ARN], "`k[0]` must be the ARN of a managed policy"),
        (["arn:aws:iam::aws:policy/A"] * 11, "has 11 policies, but STS allows at most 10"),
    ]),
    "sign_in": (["code", "never"], [("page", "must be one of browser, code, never; got 'page'")]),
    "cache": (["cli", "none"], [("disk", "must be one of cli, keyring, none; got 'disk'")]),
    "min_ttl_seconds": ([0, "5m"], [(-1, "must be a duration from 0s to 12h, got -1")]),
    "protected": ([True, False], [("prod", "must be true or false, got 'prod'")]),
    "read_only": ([True], [("x", "must be true or false, got 'x'")]),
    "keep_fresh": ([True, "endpoint"], [("x", "must be true, false or endpoint, got 'x'")]),
    "bucket_owner": (["123456789012"], [(1, "must be a string, got a number"), ("1", "k")]),
    "bucket": (["my-bucket.x"], [("My", "must be the name of an S3 bucket"), (1, STRING)]),
    "key_prefix": (["a/b"], [(1, STRING)]),
    "requests_per_second": ([{}, {"other": 5}, {"get": 10_000}], [
        ({"put": 5}, "Unknown setting `k.put`"),
        ({"other": 0}, "`k.other` must be an integer from 1 to 10000, got 0"),
        (15, "must be a mapping, got a number"),
    ]),
    "local": ([{}, {"values": {"ssm:/name": "x", "cfn:stack.Output": ""}}], [
        (1, "must be a mapping"),
        ({"value": {}}, "Unknown setting `k.value`"),
        ({"values": {"ssm:/name": 1}}, "`k.values.ssm:/name` must be a string, got a number"),
        ({"values": {"env:NAME": "x"}}, "`k.values` names 'env:NAME', which does not refer to"),
    ]),
    "source": (["src", {"lib": "python"}, ["src", {"lib": "python"}]], [
        (1, STRING),
        ({"lib": "/opt"}, "`k.lib` must be a folder inside the archive, got '/opt'"),
        ({"lib": "a/../b"}, "must be a folder inside the archive"),
        ([1], STRING),
    ]),
    "requirements": (["none"], [(1, STRING)]),
    "allow_sdist": (["a", ["a"]], [(1, STRINGS), ({}, "got a mapping")]),
    "build": (["make"], [([""], "`k[0]` is empty")]),
    "groups": (["a", ["a"]], [(1, STRINGS), ({}, "got a mapping")]),
    "extras": (["a", ["a"]], [(1, STRINGS), ({}, "got a mapping")]),
    "installer": (["uv", "pip"], [("poetry", "must be one of uv, pip")]),
    "check_imports": ([True, False], [("maybe", "must be true or false"), (2, "got 2")]),
    "bytecode": ([True], [("maybe", "must be true or false"), (2, "got 2")]),
    "archive": (["a.zip"], [([], "must be a string, got a list")]),
    "include": (["*.pem"], [(1, STRINGS)]),
    "exclude": (["*.md"], [(1, STRINGS)]),
    "alias": (["live", "v1"], [
        ("1", "must be the name of an alias, got '1'"),
        ("a b", "got"),
        ("None", "got 'None'"),
    ]),
    "smoke": ([{"payload": {"a": [1]}, "expect": None}, {}], [
        ("x", "must be a mapping, got a string"),
        ({"payloda": 1}, "Unknown setting `k.payloda`"),
        ({"payload": date(2026, 1, 1)}, "contains a value that JSON cannot represent"),
        ({"payload": [float("nan")]}, "JSON cannot represent.\n  why: Out of range float"),
        ({"expect": float("inf")}, "contains a value that JSON cannot represent"),
    ]),
    "canary": (["10% for 5m", "5 % for 1h", "05% for 9"], [
        ("10%", "must be a share and a duration, got '10%'"),
        ("100% for 5m", "must be a share and a duration"),
        ("0% for 5m", "must be a share and a duration"),
        (10, "got 10"),
    ]),
    "keep_versions": ([1, 10_000], [
        (0, "must be an integer from 1 to 10000, got 0"),
        ("x", "must be an integer from 1 to 10000, got 'x'"),
    ]),
    "events": ([{"BatchSize": 5}, [{}]], [(["x"], "`k[0]` must be a mapping, got a string")]),
    "url": ([{"AuthType": "NONE"}], [("NONE", "must be a mapping, got a string")]),
    "permissions": ([[{"Action": "x"}]], [(1, "`k[0]` must be a mapping, got a number")]),
    "schedules": ([{"Name": "x"}], [(1, "`k[0]` must be a mapping, got a number")]),
    "log_retention_days": ([30, 3653], [(2, "must be one of 1, 3, 5, 7,"), (True, "got True")]),
    "layers": (["common", ["common", "arn:x"]], [(1, STRINGS)]),
}  # fmt: skip
# Refusals that a schema cannot express.
NOT_IN_A_SCHEMA = [
    *("is empty", "NUL", "differ only", "that STS does not", "at most 2048", "cannot represent"),
    *("inside the archive", "The keys of", "'14m'", "'1d'"),
]


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Return whether a value fits a JSON Schema, of which this knows what ours have."""
    types: dict[str, Any] = {
        "string": str,
        "boolean": bool,
        "object": Mapping,
        "array": list,
        "integer": int,
    }
    known = {"type", "enum", "pattern", "minLength", "minimum", "maximum", "maxItems", "items"}
    known |= {"properties", "propertyNames", "additionalProperties", "maxProperties"}
    assert schema.keys() <= known
    named = schema.get("type", [])
    named = [named] if isinstance(named, str) else named
    checks = [not named or any(isinstance(value, types[each]) for each in named)]
    checks.append(not (isinstance(value, bool) and named and "boolean" not in named))
    if "enum" in schema:
        checks.append(any(value == each and type(value) is type(each) for each in schema["enum"]))
    if isinstance(value, str):
        # JavaScript has no `\Z`, and its `$` matches at the end alone.
        pattern = schema.get("pattern", "").replace("$", r"\Z")
        checks.append(bool(re.search(pattern, value, re.ASCII)))
        checks.append(len(value) >= schema.get("minLength", 0))
    elif isinstance(value, int):
        checks.append(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    elif isinstance(value, list):
        checks.append(len(value) <= schema.get("maxItems", len(value)))
        checks += [fits(each, schema.get("items", {})) for each in value]
    elif isinstance(value, Mapping):
        checks.append(len(value) <= schema.get("maxProperties", len(value)))
        checks += [fits(name, schema.get("propertyNames", {})) for name in value]
        others = schema.get("additionalProperties", True)
        for name, each in value.items():
            inner = schema.get("properties", {}).get(name, others)
            checks.append(inner if isinstance(inner, bool) else fits(each, inner))
    return all(checks)


def test_there_are_examples_of_every_setting() -> None:
    assert EXAMPLES.keys() == PARSERS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_takes_what_its_schema_allows(name: str) -> None:
    parse, (good, _) = PARSERS[name], EXAMPLES[name]
    json.dumps(parse.schema)
    for value in good:
        parse(value, "k")
        assert fits(value, parse.schema), value


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_refuses_the_rest_and_names_the_setting(name: str) -> None:
    parse, (_, bad) = PARSERS[name], EXAMPLES[name]
    for value, says in bad:
        with pytest.raises(SettingsError) as raised:
            parse(value, "k")
        message = str(raised.value)
        assert says in message
        assert "`k" in message
        if not any(each in message for each in NOT_IN_A_SCHEMA):
            assert not fits(value, parse.schema), value


def test_values_are_returned_in_their_final_form() -> None:
    assert PARSERS["duration_seconds"]("90m", "k") == 5400
    assert PARSERS["mfa_session"]("0", "k") is False
    assert PARSERS["keep_fresh"]("True", "k") is True
    assert PARSERS["keep_fresh"]("endpoint", "k") is True
    assert PARSERS["layers"]("common", "k") == ("common",)
    assert PARSERS["log_retention_days"]("30", "k") == 30
    assert integer_parser(1, 9)(" 7 ", "k") == 7
    assert integer_parser(1)("1" * 19, "k") > 10**18
    with pytest.raises(SettingsError, match="must be an integer of at least 1, got 0"):
        integer_parser(1)(0, "k")


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "1.0", "\uff11", "1_0", "", "0x1"])
def test_a_number_has_ascii_digits_only_and_few_of_them(number: str) -> None:
    for parse in (integer_parser(0, 10**30), duration_parser(0, 10**30)):
        with pytest.raises(SettingsError, match="must be"):
            parse(number, "k")


def test_a_duration_has_a_unit_and_its_range_is_said_in_the_same_words() -> None:
    parse = duration_parser(60, 30 * 24 * 3600)

    assert [parse(each, "k") for each in (90, "90", "90s", "2m", "2h", "1d")] == [
        *(90, 90, 90, 120, 7200, 86400)
    ]
    with pytest.raises(SettingsError) as too_long:
        parse("31d", "k")
    with pytest.raises(SettingsError) as malformed:
        parse("1w", "k")

    assert too_long.value.what == "`k` must be a duration from 1m to 30d, got '31d'."
    assert too_long.value.fix == "Write a value from 1m to 30d."
    assert malformed.value.fix.startswith("Write seconds, or a number with a unit (s, m, h or d)")


def test_what_aws_has_yet_to_resolve_is_not_checked() -> None:
    pending = Unresolved("artifacts-${account_id}")

    assert PARSERS["bucket"](pending, "k") is pending


def test_a_secret_is_not_shown() -> None:
    with pytest.raises(SettingsError, match=r"got '\*\*\*'"):
        PARSERS["role_arn"](Secret("hunter2"), "k")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (True, "a boolean"),
        (1, "a number"),
        (1.5, "a number"),
        ("x", "a string"),
        (Secret("x"), "a string"),
        (date(2026, 1, 1), "a date"),
        (datetime(2026, 1, 1), "a date"),
        ((), "a list"),
        ({}, "a mapping"),
        ({1}, "a value of type set"),
        (b"", "a value of type bytes"),
    ],
)
def test_values_are_called_what_yaml_calls_them(value: Any, name: str) -> None:
    assert kind(value) == name
