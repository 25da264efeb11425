"""What holds for all parts: what the settings do not name costs no call and is no change."""

from __future__ import annotations

from botocore.stub import Stubber

from tasks_aws.aws_lambda import attachments as around
from tasks_aws.aws_lambda.clients import Account
from tests.aws_lambda.attachments.conftest import keys, parameters

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hello"

FUNCTION = {
    "Configuration": {"FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:hello"}
}


def test_a_plain_function_costs_no_further_read(stubbed: tuple[Account, Stubber]) -> None:
    account, _ = stubbed  # which answers nothing

    for plain in (parameters(), parameters(alias="live")):
        found = around.read(plain, account, {"Configuration": {"FunctionArn": ARN}})

        assert list(around.steps(plain, found, prune=True)) == []


def test_all_around_a_new_function_is_planned_without_a_read() -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:jobs"
    new = parameters(
        Tags={"Team": "one"},
        CodeSigningConfigArn="arn:aws:lambda:eu-west-1:123456789012:code-signing-config:"
        "csc-0123456789abcdef0",
        ReservedConcurrentExecutions=0,
        log_retention_days=7,
        url={"AuthType": "AWS_IAM"},
        events=({"EventSourceArn": queue},),
    )

    steps = list(around.steps(new, None, prune=True))

    # CreateFunction takes the tags and the code signing.
    assert keys(steps) == [
        "log_retention_days",
        "ReservedConcurrentExecutions",
        "url.AuthType",
        f"events.{queue}",
    ]
    assert [step.after_alias for step in steps] == [False, False, True, True]
