"""What functions run with, and schedules invoke them with: what the services need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from moto.iam.aws_managed_policies import aws_managed_policies_data

from tasks_aws.aws_lambda.execution_roles import ExecutionRole, list_execution_roles
from tasks_aws.aws_lambda.lookups import fill_in_locally
from tasks_aws.config.load import load
from tests.aws_lambda.describe import HELLO

ACCOUNT, PLACE = "0" * 12, "eu-west-1:000000000000"
SOURCES = {
    f"arn:aws:sqs:{PLACE}:jobs": "AWSLambdaSQSQueueExecutionRole",
    f"arn:aws:kinesis:{PLACE}:stream/s": "AWSLambdaKinesisExecutionRole",
    f"arn:aws:dynamodb:{PLACE}:table/t/stream/2026": "AWSLambdaDynamoDBExecutionRole",
    f"arn:aws:kafka:{PLACE}:cluster/c/1": "AWSLambdaMSKExecutionRole",
}
VPC = {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}


def roles(**functions: dict[str, Any]) -> list[ExecutionRole]:
    settings = load(
        {"functions": {name: {**HELLO, **each} for name, each in functions.items()}},
        project=Path(),
        environ={},
    )
    filled = [
        fill_in_locally(each, account_id=ACCOUNT, region="eu-west-1")
        for each in settings.functions.values()
    ]
    return list_execution_roles(filled, ACCOUNT, "eu-west-1")


@pytest.mark.parametrize(
    ("settings", "policy"),
    [
        ({}, "AWSLambdaBasicExecutionRole"),
        (VPC, "AWSLambdaVPCAccessExecutionRole"),
        ({"TracingConfig": {"Mode": "Active"}}, "AWSXRayDaemonWriteAccess"),
        ({"DurableConfig": {"ExecutionTimeout": 9}}, "AWSLambdaBasicDurableExecutionRolePolicy"),
        (
            {"FileSystemConfigs": [{"Arn": "arn:…", "LocalMountPath": "/mnt/a"}]},
            "AmazonElasticFileSystemClientReadWriteAccess",
        ),
        *(({"events": [{"EventSourceArn": arn}]}, policy) for arn, policy in SOURCES.items()),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_setting_needs_a_policy_of_aws(settings: dict[str, Any], policy: str) -> None:
    known = {
        f"{each['Path'].removeprefix('/')}{name}"
        for name, each in json.loads(aws_managed_policies_data).items()
    }

    [role] = roles(hello=settings)

    assert policy in {each.rpartition("/")[2] for each in role.managed}
    assert len(role.managed) == (2 if settings else 1)
    assert role.managed <= known
    assert role.unknown == []


def test_functions_share_a_role_with_what_all_of_them_need() -> None:
    path = {"Role": f"arn:aws:iam::{ACCOUNT}:role/service-role/shared"}

    [role] = roles(one=path, two={**path, **VPC})

    assert (role.name, role.path, role.functions) == ("shared", "/service-role/", ["one", "two"])
    assert len(role.managed) == 2


def test_what_has_failed_may_be_sent_where_the_settings_say() -> None:
    queue, topic = f"arn:aws:sqs:{PLACE}:failed", f"arn:aws:sns:{PLACE}:failed"
    on_failure = {"OnFailure": {"Destination": "arn:aws:s3:::failed"}}
    event = {"EventSourceArn": f"arn:aws:kinesis:{PLACE}:stream/s", "DestinationConfig": on_failure}
    bus = {"OnSuccess": {"Destination": f"arn:aws:events:{PLACE}:event-bus/b"}}
    settings = {
        "DeadLetterConfig": {"TargetArn": queue},
        "DestinationConfig": {"OnFailure": {"Destination": topic}, **bus},
        "events": [event],
    }

    [role] = roles(hello=settings)

    assert role.sending == {
        "sqs:SendMessage": {queue},
        "sns:Publish": {topic},
        "events:PutEvents": {f"arn:aws:events:{PLACE}:event-bus/b"},
        "s3:PutObject": {"arn:aws:s3:::failed/*"},
        "s3:ListBucket": {"arn:aws:s3:::failed"},
    }


def test_what_no_policy_of_aws_is_for_is_named() -> None:
    broker = {"EventSourceArn": f"arn:aws:mq:{PLACE}:broker:b:b-1"}

    [role] = roles(hello={"events": [broker], "DeadLetterConfig": {"TargetArn": "${cfn:a.B}"}})

    assert role.unknown == [
        "aws.functions.hello.events.0",
        "aws.functions.hello, which sends to …",
    ]


@pytest.mark.parametrize("role", ["${cfn:a.Role}", "arn:aws:iam::111111111111:role/theirs"])
def test_a_role_elsewhere_is_nobody_elses_to_create(role: str) -> None:
    assert roles(hello={"Role": role}) == []


def scheduled(role: str, **target: Any) -> dict[str, Any]:
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    return {
        "Name": "nightly",
        "ScheduleExpression": "rate(1 day)",
        "Target": {"RoleArn": arn, **target},
    }


def test_the_role_of_schedules_may_invoke_the_function_or_its_alias() -> None:
    failed = f"arn:aws:sqs:{PLACE}:failed"
    later = {**scheduled("scheduler", DeadLetterConfig={"Arn": failed}), "Name": "later"}

    _, role = roles(
        one={"schedules": [scheduled("scheduler"), later]},
        two={"alias": "live", "schedules": [scheduled("scheduler")]},
    )

    assert (role.name, role.functions, role.managed, role.sending) == ("scheduler", [], set(), {})
    assert [*role.schedules.values()] == ["one", "one", "two"]
    function = f"arn:aws:lambda:{PLACE}:function"
    assert role.invoking == {
        "lambda:InvokeFunction": {f"{function}:one", f"{function}:two:live"},
        "sqs:SendMessage": {failed},
    }


def test_what_a_schedule_invokes_and_only_aws_can_tell_is_named() -> None:
    settings = {"FunctionName": "${ssm:/name}", "schedules": [scheduled("scheduler")]}

    _, role = roles(hello=settings)

    assert role.invoking == {}
    assert role.unknown == [f"aws.functions.hello.schedules, for arn:aws:lambda:{PLACE}:function:…"]
