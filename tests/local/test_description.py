from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.config.load import load
from tasks_aws.local.description import Description, Place, Resource, describe
from tests.local.conftest import ACCOUNT, DEPLOYER, FUNCTION, SETTINGS

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
HERE, THERE = Place(ACCOUNT, "eu-central-1"), Place("2" * 12, "us-east-1")


def description(*targets: str, region: str | None = None, **aws: Any) -> Description:
    names = targets or (None,)
    variants = [load(aws, project=Path(), target=each, environ={}) for each in names]
    return describe(variants, default_region=region)


def with_function(**keys: Any) -> Description:
    return description(**SETTINGS, functions={"hello": {**FUNCTION, **keys}})


def test_a_user_may_do_nothing_but_assume_the_role() -> None:
    (user,) = description(**SETTINGS).users

    assert user.arn == "arn:aws:iam::000000000000:user/dev"
    (policy,) = user.policies
    assert policy["Statement"] == [
        {"Effect": "Allow", "Action": ["sts:AssumeRole"], "Resource": [DEPLOYER]}
    ]


def test_a_user_without_a_role_may_do_what_policy_prints() -> None:
    (user,) = description(region="eu-west-1", functions={"hello": FUNCTION}).users

    assert (user.profile, user.place) == (None, Place("000000000000", "eu-west-1"))
    actions = [each for one in user.policies[0]["Statement"] for each in one["Action"]]
    assert "lambda:CreateFunction" in actions
    assert not any(each.startswith("sts:") for each in actions)


def test_a_role_trusts_the_users_of_all_targets_that_have_it() -> None:
    found = description(
        "one",
        "two",
        **{**SETTINGS, "external_id": "acme", "session_tags": {"Team": "one"}},
        targets={"one": {}, "two": {"profile": "other", "region": "us-east-1"}},
        functions={"hello": FUNCTION},
    )

    (deployer,) = [each for each in found.roles if each.arn == DEPLOYER]
    principals = [each["Principal"]["AWS"] for each in deployer.trust["Statement"]]
    assert principals == [f"arn:aws:iam::000000000000:user/{name}" for name in ("dev", "other")]
    for each in deployer.trust["Statement"]:
        assert each["Action"] == ["sts:AssumeRole", "sts:TagSession"]
        assert each["Condition"] == {"StringEquals": {"sts:ExternalId": "acme"}}
    resources = str(deployer.policies)
    assert "lambda:eu-central-1" in resources
    assert "lambda:us-east-1" in resources


@pytest.mark.parametrize(
    ("keys", "resource"),
    [
        ({"bucket": "artifacts"}, Resource("s3", HERE, "artifacts")),
        (
            {"events": {"EventSourceArn": "arn:aws:sqs:eu-central-1:${account_id}:jobs"}},
            Resource("sqs", HERE, "jobs"),
        ),
        (
            {"DeadLetterConfig": {"TargetArn": "arn:aws:sns:us-east-1:222222222222:dead"}},
            Resource("sns", Place("2" * 12, "us-east-1"), "dead"),
        ),
        (
            {"layers": ["arn:aws:lambda:eu-central-1:017000801446:layer:tools:3"]},
            Resource("lambda", Place("017000801446", "eu-central-1"), "layer:tools:3"),
        ),
        (
            {"KMSKeyArn": f"arn:aws:kms:eu-central-1:{ACCOUNT}:alias/ours"},
            Resource("kms", HERE, "alias/ours"),
        ),
    ],
    ids=lambda each: getattr(each, "service", ""),
)
def test_what_settings_name_by_its_arn_exists(keys: dict[str, Any], resource: Resource) -> None:
    assert resource in with_function(**keys).resources


def test_execution_roles_are_trusted_to_who_uses_them() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
    target = {"RoleArn": arn}
    found = with_function(
        schedules={"Name": "x", "ScheduleExpression": "rate(1 day)", "Target": target}
    )

    trusted = {each.arn: str(each.trust["Statement"][0]["Principal"]) for each in found.roles}
    assert "lambda.amazonaws.com" in trusted[f"arn:aws:iam::{ACCOUNT}:role/hello"]
    assert "scheduler.amazonaws.com" in trusted[arn]


def test_functions_for_node_do_not_run_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    assert with_function(Runtime="nodejs22.x").limits == [
        "functions of nodejs22.x do not run: Node.js is not on PATH"
    ]
    (tmp_path / "node").touch(mode=0o755)
    assert with_function(Runtime="nodejs22.x").limits == []


def test_references_have_the_values_of_the_settings_or_placeholders() -> None:
    values = {"secret:api#one": "1", "ssm:/queue": "arn:aws:sqs:eu-central-1:111111111111:jobs"}
    variables = {"ONE": "${secret:api#one}", "TWO": "${secret:api#two}"}
    found = description(
        **SETTINGS,
        local={"values": values},
        functions={
            "hello": {
                **FUNCTION,
                "Environment": {"Variables": variables},
                "events": {"EventSourceArn": "${ssm:/queue}"},
            }
        },
    )

    stored = {each.name: dict(each.values) for each in found.stored}
    assert stored["api"] == {"one": "1", "two": "placeholder-of-secret:api#two"}
    assert found.placeholders == ["secret:api#two"]
    assert Resource("sqs", Place("1" * 12, "eu-central-1"), "jobs") in found.resources
    assert "placeholder" not in repr(found.stored)


@pytest.mark.parametrize(
    ("reference", "kind", "place", "name"),
    [
        (f"ssm:arn:aws:ssm:eu-central-1:{ACCOUNT}:parameter/a/b:3", "ssm", HERE, "/a/b"),
        ("ssm:arn:aws:ssm:us-east-1:222222222222:parameter/c", "ssm", THERE, "/c"),
        (
            f"secret:arn:aws:secretsmanager:eu-central-1:{ACCOUNT}:secret:db-AbCdEf#password",
            *("secret", HERE, "db-AbCdEf"),
        ),
    ],
)
def test_what_a_reference_names_by_its_arn_is_stored_there(
    reference: str, kind: str, place: Place, name: str
) -> None:
    values = {reference: "the-value"}
    found = description(
        **SETTINGS,
        local={"values": values},
        functions={"hello": {**FUNCTION, "Description": f"${{{reference}}}"}},
    )

    (stored,) = found.stored
    assert (stored.kind, stored.place, stored.name) == (kind, place, name)
    assert [*stored.values.values()] == ["the-value"]
    elsewhere = f"${{{reference}}} is in another account or region, and cannot be read"
    assert (elsewhere in str(found.limits)) == (place != HERE)


@pytest.mark.parametrize(
    ("keys", "limit"),
    [
        ({"VpcConfig": {"SubnetIds": ["subnet-1"]}}, "functions are in no VPC"),
        ({"Runtime": "java21"}, "functions of java21 do not run"),
        (
            {"Runtime": "python3.9"},
            f"functions of python3.9 run in Python {RUNNING}, which runs invoke",
        ),
        (
            {"layers": ["arn:aws:lambda:eu-central-1:017000801446:layer:tools:1"]},
            "layers of others are empty",
        ),
        ({}, None),
    ],
)
def test_what_the_emulator_does_not_do_is_a_limit(keys: dict[str, Any], limit: str | None) -> None:
    found = with_function(**{"Runtime": f"python{RUNNING}", **keys})

    assert list(found.limits) == ([limit] if limit else [])


def test_functions_for_another_node_run_in_the_one_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v22.1.0\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert with_function(Runtime="nodejs22.x").limits == []
    assert with_function(Runtime="nodejs20.x").limits == [
        "functions of nodejs20.x run in Node.js 22, which is on PATH"
    ]
