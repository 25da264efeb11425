"""Settings come from options, targets, files and variables, and are checked as a whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.config.load import load
from tasks_aws.config.settings import SETTINGS, Settings
from tasks_aws.errors import SettingsError

FUNCTION = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13"}
ROLE = "arn:aws:iam::123456789012:role/Deployer"
TARGETS = {"prod": {"region": "eu-west-1"}, "dev": {}}


def read(aws: Any, target: str | None = None, **environ: str) -> Settings:
    return load(aws, project=Path("/nowhere"), target=target, environ=environ)


def refusal(aws: Any, target: str | None = None, **environ: str) -> str:
    with pytest.raises(SettingsError) as raised:
        read(aws, target, **environ)
    return str(raised.value)


def test_nothing_needs_to_be_set() -> None:
    settings = read(None)

    assert all(getattr(settings, name) == each.default for name, each in SETTINGS.items())
    assert settings.functions == settings.layers == {}


def test_an_option_counts_more_than_a_target_than_a_file_than_a_variable() -> None:
    aws: dict[str, Any] = {"targets": TARGETS}
    variables = {"INVOKE_AWS_REGION": "us-east-1"}
    assert read(aws, "dev", **variables).region == "us-east-1"

    aws["region"] = "us-west-2"
    assert read(aws, "dev", **variables).region == "us-west-2"
    assert read(aws, "prod", **variables).region == "eu-west-1"

    options = {"region": "ap-south-1"}
    found = load(aws, project=Path(), target="prod", options=options, environ=variables)
    assert found.region == "ap-south-1"


def test_a_variable_of_a_setting_that_is_under_another_key_is_a_mistake() -> None:
    own = {"stack_name": "web", "region": None, "account": {"id": None}}
    theirs = ("STACK_NAME", "REGION", "ACCOUNT_ID", "STAGE")
    variables = {f"INVOKE_AWS_{each}": "x" for each in theirs}

    def read_beside(own: Any, **environ: str) -> Settings:
        return load({}, project=Path(), environ=environ, root="tasks_aws", own=own)

    assert read_beside(own, **variables).account_id is None
    for name in ("PROFILE", "FUNCTIONS_HELLO_TIMEOUT"):
        wrong = {f"INVOKE_AWS_{name}": "x"}
        with pytest.raises(SettingsError, match=f"INVOKE_AWS_{name} sets nothing") as raised:
            read_beside(own, **wrong)
        assert raised.value.fix == f"Call it INVOKE_TASKS_AWS_{name}."
    with pytest.raises(SettingsError, match="ACCOUNT_ID sets nothing"):
        read_beside(None, **variables)
    aws = {"regoin": "x", "targets": TARGETS}
    with pytest.raises(SettingsError, match=r"\AUnknown setting `\w+\.regoin`"):
        load(aws, project=Path(), environ=variables, root="tasks_aws", own=own)


def test_null_is_as_if_it_were_not_there() -> None:
    aws = {"region": "us-west-2", "targets": {"prod": {"region": None}}, "functions": None}

    assert read(aws, "prod").region == "us-west-2"


def test_a_variable_can_turn_off_what_a_file_turns_on() -> None:
    # invoke makes True of any string when the file has a boolean.
    assert read({"mfa_session": True}, INVOKE_AWS_MFA_SESSION="false").mfa_session is False


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ({"duration_seconds": "1"}, "`--duration` must be"),
        ({"role_session_name": "a b"}, "`--session-name` must be"),
        ({"role_arn": "x"}, "`--role-arn` must be"),
    ],
)
def test_a_wrong_option_is_called_as_it_was_typed(options: dict[str, str], label: str) -> None:
    with pytest.raises(SettingsError, match=label):
        load({}, project=Path(), options=options, environ={})


WRONG: list[tuple[Any, str | None, str]] = [
    ([], None, "`aws` must be a mapping, got a list"),
    ({"regoin": "x"}, None, "Unknown setting `aws.regoin`.\n  fix: Did you mean `region`?"),
    ({"xyz": "x"}, None, "fix: Use one of: account_id, bucket, bucket_owner, cache,"),
    ({"targets": {"prod": {"profil": "x"}}}, None, "Unknown setting `aws.targets.prod.profil`"),
    ({"targets": {"prod": {"targets": {}}}}, None, "Unknown setting `aws.targets.prod.targets`"),
    ({"targets": {"prod": 1}}, None, "`aws.targets.prod` must be a mapping, got a number"),
    ({"targets": {"prod": {"region": "x"}}}, "prod", "`aws.targets.prod.region` must be"),
    (
        {"targets": TARGETS},
        "pord",
        "no target `pord` under `aws.targets`.\n  fix: Did you mean `prod`? Use one of: prod, dev.",
    ),
    ({"targets": TARGETS}, "x", "fix: Use one of: prod, dev."),
    ({}, "prod", "fix: Add it to invoke.yaml."),
    ({"transitive_tag_keys": ["a"]}, None, "`aws.transitive_tag_keys` names a, which"),
    ({"min_ttl_seconds": 3600}, None, "must be less than the session's 3600 seconds, got 3600"),
    (
        {"role_arn": ROLE, "account_id": "9" * 12},
        None,
        f"{ROLE} is in account 123456789012, but `aws.account_id` allows only 999999999999.\n"
        "  why: Credentials of another account are never obtained, exported or used.\n"
        "  fix: Correct `aws.role_arn` or `aws.account_id`.",
    ),
    (
        {"role_arn": ROLE, "targets": {"prod": {"account_id": "9" * 12}}},
        "prod",
        "fix: Correct `aws.role_arn` or `aws.targets.prod.account_id`.",
    ),
    ({"functions": {"f": {**FUNCTION, "alias": []}}}, None, "`aws.functions.f.alias` must be"),
    (
        {"functions": {"f": {**FUNCTION, "log_retention_days": []}}},
        None,
        "`aws.functions.f.log_retention_days` must be",
    ),
    ({"policy": "gone.json"}, None, "`aws.policy` must be a mapping or the path of a JSON file"),
    (
        {"functions": {"f": {**FUNCTION, "layers": ["commn"]}}, "layers": {"common": FUNCTION}},
        None,
        "`aws.functions.f.layers` names commn, which is not under `aws.layers`.",
    ),
]


@pytest.mark.parametrize(("aws", "target", "says"), WRONG)
def test_what_is_wrong_is_named_with_its_full_key(aws: Any, target: str | None, says: str) -> None:
    assert says in refusal(aws, target)


def test_a_misspelt_variable_is_refused_and_those_of_sections_are_not() -> None:
    message = refusal({}, INVOKE_AWS_ACOUNT_ID="123456789012")

    assert "Unknown variable INVOKE_AWS_ACOUNT_ID." in message
    assert "Did you mean `INVOKE_AWS_ACCOUNT_ID`?" in message
    assert "Unknown variable INVOKE_AWS_X" in refusal({}, INVOKE_AWS_X="")
    assert "`INVOKE_AWS_REGION` must be an AWS region" in refusal({}, INVOKE_AWS_REGION="x")
    hello = {"source": "src", "MemorySize": 1, "Environment": {"Variables": {"A": "x"}}}
    read(
        {"functions": {"hello": hello}},
        INVOKE_AWS_FUNCTIONS_HELLO_MEMORYSIZE="1",
        INVOKE_AWS_FUNCTIONS_HELLO_ENVIRONMENT_VARIABLES_A="1",
        INVOKE_ECHO="1",
    )
    ignored = refusal({"functions": {"hello": hello}}, INVOKE_AWS_FUNCTIONS_HELLO_MEMORYSIZ="1")
    assert "The variable INVOKE_AWS_FUNCTIONS_HELLO_MEMORYSIZ sets nothing." in ignored
    assert "Did you mean `INVOKE_AWS_FUNCTIONS_HELLO_MEMORYSIZE`?" in ignored
    assert "sets nothing" in refusal({}, INVOKE_AWS_TARGETS="{}")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("FUNCTIONS_HELLO_MEMORYSIZE", None),
        ("FUNCTIONS_OTHER_ROLE", None),
        ("FUNCTIONS_HELO_ROLE", "FUNCTIONS_HELLO_ROLE"),
        ("FUNCTIONS_HELLO_ROLL", "FUNCTIONS_HELLO_ROLE"),
        ("STAGE", None),
        ("ROLE_NAME", None),
        ("DURATION", "DURATION_SECONDS"),
    ],
)
def test_a_variable_is_suggested_only_if_what_differs_is_alike(
    name: str, meant: str | None
) -> None:
    aws = {"functions": {"hello": {**FUNCTION, "Role": ROLE}}}
    message = refusal(aws, **{f"INVOKE_AWS_{name}": "512"})

    assert ("Did you mean" in message) == bool(meant)
    assert meant is None or f"Did you mean `INVOKE_AWS_{meant}`?" in message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])  # Windows has them all
def test_a_policy_may_be_in_a_file(tmp_path: Path, encoding: str) -> None:
    policy = {"Version": "2012-10-17", "Id": "für €"}
    text = json.dumps(policy, ensure_ascii=False)
    (tmp_path / "policy.json").write_text(text, encoding)
    (tmp_path / "deep.json").write_text("[" * 100_000)

    assert load({"policy": "policy.json"}, project=tmp_path, environ={}).policy == policy
    with pytest.raises(SettingsError, match=r"cannot read .*deep\.json"):
        load({"policy": "deep.json"}, project=tmp_path, environ={})


def test_a_setting_applies_to_functions_and_layers_without_their_own() -> None:
    aws = {
        "bucket": "shared",
        "functions": {"a": FUNCTION, "b": {**FUNCTION, "bucket": "own"}},
        "layers": {"c": FUNCTION},
    }
    settings = read(aws)

    assert [each.bucket for each in settings.functions.values()] == ["shared", "own"]
    assert settings.layers["c"].bucket == "shared"


def test_functions_are_found_by_name_each_once() -> None:
    settings = read({"functions": {"hello": FUNCTION, "other": FUNCTION}})

    assert [each.name for each in settings.named(None)] == ["hello", "other"]
    assert [each.name for each in settings.named(["other", "other"])] == ["other"]
    assert [each.name for each in settings.named("hello")] == ["hello"]
    with pytest.raises(SettingsError, match=r"no function `helo` under .*\n.*Did you mean `hello`"):
        settings.named(["helo"])
    with pytest.raises(SettingsError, match="No functions are configured"):
        read({}).named(None)


# invoke puts the variable in the place of the file's value.
@pytest.mark.parametrize("file", [{}, {"profile": ""}])
def test_a_value_of_a_variable_is_called_by_its_name(file: dict[str, Any]) -> None:
    assert refusal(file, INVOKE_AWS_PROFILE="").startswith("`INVOKE_AWS_PROFILE` is empty.")
    assert refusal({"profile": ""}).startswith("`aws.profile` is empty.")
