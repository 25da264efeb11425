"""The roles of functions and schedules: what the services need to be allowed for the settings.

Sources: "Defining Lambda function permissions with an execution role" and the pages about each
event source and destination, Lambda developer guide; AWS managed policy reference; "Setting up
Amazon EventBridge Scheduler" and "Configuring a dead-letter queue", EventBridge Scheduler user
guide. What a function's own code calls, no setting says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..config.functions import Function
from .iam_actions import UNKNOWN, get_setting
from .parameters import split_parameters

_BASIC = "service-role/AWSLambdaBasicExecutionRole"
# AWS's managed policies, by the setting that needs one. Each of the first three is for logs, too.
_MANAGED = {
    "VpcConfig.SubnetIds": "service-role/AWSLambdaVPCAccessExecutionRole",
    "DurableConfig": "service-role/AWSLambdaBasicDurableExecutionRolePolicy",
    "FileSystemConfigs": "AmazonElasticFileSystemClientReadWriteAccess",
}
_TRACING = "AWSXRayDaemonWriteAccess"
_OF_SOURCES = {
    "sqs": "service-role/AWSLambdaSQSQueueExecutionRole",
    "kinesis": "service-role/AWSLambdaKinesisExecutionRole",
    "dynamodb": "service-role/AWSLambdaDynamoDBExecutionRole",
    "kafka": "service-role/AWSLambdaMSKExecutionRole",
}
_SENDING = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "lambda": "lambda:InvokeFunction",
    "events": "events:PutEvents",
    "s3": "s3:PutObject",
}


@dataclass(slots=True)
class ExecutionRole:
    """A role that functions or their schedules name, and what it has to be allowed."""

    name: str
    path: str
    functions: list[str] = field(default_factory=list)  # that run with it
    schedules: dict[str, str] = field(default_factory=dict)  # settings: the function it invokes
    managed: set[str] = field(default_factory=set)  # policies of AWS
    sending: dict[str, set[str]] = field(default_factory=dict)  # ARNs, by the action of Lambda
    invoking: dict[str, set[str]] = field(default_factory=dict)  # and by that of the scheduler
    unknown: list[str] = field(default_factory=list)  # settings whose needs are in no policy here


def list_execution_roles(
    functions: Iterable[Function], account: str, region: str
) -> list[ExecutionRole]:
    """Return the roles of an account that functions and their schedules name.

    Those that are references which only AWS can resolve are left out.
    """
    roles: dict[str, ExecutionRole] = {}

    def find(arn: Any) -> ExecutionRole | None:
        pattern = rf"arn:[\w-]+:iam::{account}:role(/(?:[^{UNKNOWN}]+/)?)([^/{UNKNOWN}]+)"
        match = re.fullmatch(pattern, str(arn))
        return match and roles.setdefault(match[0], ExecutionRole(name=match[2], path=match[1]))

    for function in functions:
        if role := find(function.parameters.get("Role")):
            role.functions.append(function.name)
            _add_managed(role, function)
            _add_destinations(role, function)
        for key, schedule in configured_schedules(function):
            arn = str(_mapping(schedule.get("Target")).get("RoleArn"))
            if role := find(arn):
                role.schedules[key] = function.name
                place = f"{arn.split(':')[1]}:lambda:{region}:{account}"
                _add_schedule(role, function, schedule, f"arn:{place}:function")
    return [*roles.values()]


def configured_schedules(function: Function) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the schedules of a function with the keys of their settings."""
    for number, schedule in enumerate(function.schedules or ()):
        yield f"{function.key}.schedules[{number}]", schedule


def _add_schedule(
    role: ExecutionRole, function: Function, schedule: Mapping[str, Any], functions: str
) -> None:
    """Add what a schedule needs; `functions` is what the ARNs of functions begin with."""
    name = split_parameters(function).bare_name
    arns = {"lambda:InvokeFunction": ":".join(filter(None, [functions, name, function.alias]))}
    failed = _mapping(_mapping(schedule.get("Target")).get("DeadLetterConfig")).get("Arn")
    if failed:
        arns["sqs:SendMessage"] = str(failed)
    for action, arn in arns.items():
        if UNKNOWN in arn:
            role.unknown.append(f"{function.key}.schedules, for {arn.replace(UNKNOWN, '…')}")
        else:
            role.invoking.setdefault(action, set()).add(arn)


def _add_managed(role: ExecutionRole, function: Function) -> None:
    role.managed.add(_BASIC)
    for setting, policy in _MANAGED.items():
        if get_setting(function, setting):
            role.managed.add(policy)
    if get_setting(function, "TracingConfig.Mode") == "Active":
        role.managed.add(_TRACING)
    for number, event in enumerate(function.events or ()):
        source = str(event.get("EventSourceArn") or "")
        policy = _OF_SOURCES.get(_service(source), "")
        if policy:
            role.managed.add(policy)
        else:
            role.unknown.append(f"{function.key}.events.{number}")


def _add_destinations(role: ExecutionRole, function: Function) -> None:
    for arn in _list_destinations(function):
        action = _SENDING.get(_service(arn))
        if action is None or UNKNOWN in arn:
            role.unknown.append(f"{function.key}, which sends to {arn.replace(UNKNOWN, '…')}")
            continue
        resources = role.sending.setdefault(action, set())
        resources.add(f"{arn}/*" if action == "s3:PutObject" else arn)
        if action == "s3:PutObject":  # "Retaining records of failed invocations"
            role.sending.setdefault("s3:ListBucket", set()).add(arn)


def _list_destinations(function: Function) -> Iterator[str]:
    """Yield where Lambda sends what has failed, or the results of asynchronous invocations."""
    dead_letters = get_setting(function, "DeadLetterConfig.TargetArn")
    if dead_letters:
        yield str(dead_letters)
    for each in (function.parameters, *(function.events or ())):
        for destination in (_mapping(_mapping(each).get("DestinationConfig"))).values():
            if arn := _mapping(destination).get("Destination"):
                yield str(arn)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _service(arn: str) -> str:
    """Return the service that an ARN is of; an empty string for what is none.

    >>> _service("arn:aws:sqs:eu-west-1:123456789012:jobs"), _service("self-managed")
    ('sqs', '')
    """
    parts = arn.split(":")
    return parts[2] if len(parts) > 5 and parts[0] == "arn" else ""
