"""Parameters that CreateFunction does not have are set by calls of their own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks_aws.aws_lambda.attachments import AttachmentUpdate, put_calls
from tasks_aws.aws_lambda.clients import Account
from tests.aws_lambda.attachments.conftest import Deployed, calls, diff, parameters

ALIAS = {"FunctionName": "hello", "Qualifier": "live"}


def planned(
    account: Account, function: dict[str, Any] | None = None, **settings: Any
) -> list[AttachmentUpdate]:
    return diff(put_calls, parameters(**settings), account, function or {})


def test_no_executions_reserved_is_not_the_same_as_none_named(deployed: Deployed) -> None:
    assert deployed.deploy(put_calls, ReservedConcurrentExecutions=0) == [
        "ReservedConcurrentExecutions"
    ]
    answer = deployed.client.get_function(FunctionName=deployed.name)
    assert answer["Concurrency"] == {"ReservedConcurrentExecutions": 0}

    assert deployed.deploy(put_calls, ReservedConcurrentExecutions=3) == [
        "ReservedConcurrentExecutions"
    ]


def test_the_reserved_concurrency_costs_no_read(stubbed: tuple[Account, Stubber]) -> None:
    answer = {"Concurrency": {"ReservedConcurrentExecutions": 3}}

    assert planned(stubbed[0], answer, ReservedConcurrentExecutions=3) == []


@pytest.mark.parametrize("alias", [False, True])
def test_events_that_fail_go_where_the_settings_say(deployed: Deployed, alias: bool) -> None:
    deployed = deployed.behind_alias() if alias else deployed
    queue = "arn:aws:sqs:us-east-1:000000000000:failed"
    deployed.deploy(put_calls, MaximumRetryAttempts=0, MaximumEventAgeInSeconds=60)

    changed = deployed.deploy(
        put_calls,
        MaximumRetryAttempts=0,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue}},
    )

    assert changed == ["DestinationConfig.OnFailure.Destination"]
    found = deployed.client.get_function_event_invoke_config(**deployed.named)
    assert found["MaximumRetryAttempts"] == 0  # which PutFunctionEventInvokeConfig would reset
    assert found["DestinationConfig"]["OnFailure"] == {"Destination": queue}


def test_no_retries_are_not_the_default(stubbed: tuple[Account, Stubber]) -> None:
    account, stubber = stubbed
    stubber.add_client_error("get_function_event_invoke_config", "ResourceNotFoundException")

    updates = planned(account, MaximumRetryAttempts=0)

    assert calls(updates) == ["put_function_event_invoke_config"]


def test_recursion_is_allowed(deployed: Deployed) -> None:
    assert deployed.deploy(put_calls, RecursiveLoop="Terminate") == []
    assert deployed.deploy(put_calls, RecursiveLoop="Allow") == ["RecursiveLoop"]


def test_the_code_signing_of_a_function_is_changed(stubbed: tuple[Account, Stubber]) -> None:
    arn = "arn:aws:lambda:eu-west-1:123456789012:code-signing-config:csc-0123456789abcdef"
    account, stubber = stubbed
    answer = {"FunctionName": "hello", "CodeSigningConfigArn": f"{arn}1"}
    for _ in range(2):
        stubber.add_response("get_function_code_signing_config", answer, {"FunctionName": "hello"})

    assert planned(account, CodeSigningConfigArn=f"{arn}1") == []
    changed = planned(account, CodeSigningConfigArn=f"{arn}2")

    assert calls(changed) == ["put_function_code_signing_config"]


def test_a_runtime_is_held(stubbed: tuple[Account, Stubber]) -> None:
    account, stubber = stubbed
    answer = {"UpdateRuntimeOn": "Auto", "FunctionArn": "arn"}
    stubber.add_response("get_runtime_management_config", answer, {"FunctionName": "hello"})

    (update,) = planned(account, UpdateRuntimeOn="FunctionUpdate", alias="live")

    assert update.changes[0].format_line() == "~ UpdateRuntimeOn  Auto -> FunctionUpdate"
    assert update.after_alias is False
    assert update.calls[0].parameters == {
        "FunctionName": "hello",
        "UpdateRuntimeOn": "FunctionUpdate",
    }


def test_a_runtime_is_released(stubbed: tuple[Account, Stubber]) -> None:
    account, stubber = stubbed
    runtime = "arn:aws:lambda:eu-west-1::runtime:" + 64 * "a"
    answer = {"UpdateRuntimeOn": "Manual", "RuntimeVersionArn": runtime, "FunctionArn": "arn"}
    stubber.add_response("get_runtime_management_config", answer, {"FunctionName": "hello"})

    (update,) = planned(account, UpdateRuntimeOn="none", RuntimeVersionArn="none")

    assert [change.before for change in update.changes] == ["Manual", runtime]
    assert update.calls[0].parameters == {"FunctionName": "hello", "UpdateRuntimeOn": "Auto"}


def test_of_the_parameters_of_one_call_one_goes_and_the_others_stay(deployed: Deployed) -> None:
    queue = "arn:aws:sqs:us-east-1:000000000000:failed"
    destination = {"OnFailure": {"Destination": queue}}
    deployed.deploy(put_calls, MaximumRetryAttempts=0, DestinationConfig=destination)

    assert deployed.deploy(put_calls, MaximumRetryAttempts="none") == ["MaximumRetryAttempts"]

    found = deployed.client.get_function_event_invoke_config(**deployed.named)
    assert found["DestinationConfig"]["OnFailure"] == {"Destination": queue}
    assert found.get("MaximumRetryAttempts", 2) == 2
    assert deployed.deploy(put_calls, DestinationConfig={}) == ["DestinationConfig"]


def test_concurrency_is_provisioned_for_the_alias(deployed: Deployed) -> None:
    deployed = deployed.behind_alias()

    assert deployed.deploy(put_calls, ProvisionedConcurrentExecutions=2) == [
        "ProvisionedConcurrentExecutions"
    ]
    (update,) = deployed.plan(put_calls, ProvisionedConcurrentExecutions=3)

    assert update.changes[0].format_line() == "~ ProvisionedConcurrentExecutions  2 -> 3"
    assert update.after_alias
    assert update.calls[0].parameters["Qualifier"] == "live"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("IN_PROGRESS", []), ("FAILED", ["put_provisioned_concurrency_config"])],
)
def test_concurrency_is_provisioned_again_only_if_that_failed(
    stubbed: tuple[Account, Stubber], status: str, expected: list[str]
) -> None:
    account, stubber = stubbed
    answer = {
        "RequestedProvisionedConcurrentExecutions": 2,
        "AvailableProvisionedConcurrentExecutions": 0,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": status,
        "LastModified": datetime(2026, 1, 1).isoformat(),
    }
    stubber.add_response("get_provisioned_concurrency_config", answer, ALIAS)

    updates = planned(account, ProvisionedConcurrentExecutions=2, alias="live")

    assert calls(updates) == expected
