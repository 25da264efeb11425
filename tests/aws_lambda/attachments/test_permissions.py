"""The policy of a function has the statements that the settings name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks_aws.aws_lambda.attachments import permissions
from tasks_aws.aws_lambda.clients import Account
from tests.aws_lambda.attachments.conftest import Deployed, calls, diff, keys, parameters

BUCKET = {
    "StatementId": "bucket",
    "Action": "lambda:InvokeFunction",
    "Principal": "s3.amazonaws.com",
    "SourceArn": "arn:aws:s3:::pictures",
    "SourceAccount": "123456789012",
}
ACCOUNT = {"StatementId": "account", "Action": "lambda:InvokeFunction", "Principal": "123456789012"}
PUBLIC = ["FunctionURLAllowPublicAccess", "FunctionURLInvokeAllowPublicAccess"]


def statements(deployed: Deployed) -> dict[str, dict[str, Any]]:
    policy = json.loads(deployed.client.get_policy(**deployed.named)["Policy"])
    return {each["Sid"]: each for each in policy["Statement"]}


@pytest.mark.parametrize("alias", [False, True])
def test_statements_are_added_and_changed(deployed: Deployed, alias: bool) -> None:
    deployed = deployed.behind_alias() if alias else deployed
    organization = {
        "StatementId": "organization",
        "Action": "lambda:InvokeFunction",
        "Principal": "*",
        "PrincipalOrgID": "o-0123456789",
    }
    deployed.deploy(permissions, permissions=(BUCKET, ACCOUNT, organization))

    other = {**BUCKET, "SourceArn": "arn:aws:s3:::films"}
    changed = deployed.deploy(permissions, permissions=(other, ACCOUNT, organization))

    assert changed == ["permissions.bucket.SourceArn"]
    assert statements(deployed)["bucket"]["Condition"]["ArnLike"] == {
        "AWS:SourceArn": "arn:aws:s3:::films"
    }


def test_a_condition_that_the_settings_no_longer_have_goes(deployed: Deployed) -> None:
    deployed.deploy(permissions, permissions=(BUCKET,))

    open_to_all = {key: value for key, value in BUCKET.items() if key != "SourceAccount"}
    changed = deployed.deploy(permissions, permissions=(open_to_all,))

    assert changed == ["permissions.bucket.SourceAccount"]


@pytest.mark.parametrize("wanted", [None, (BUCKET,)])
def test_a_statement_that_the_settings_do_not_name_stays(
    deployed: Deployed, wanted: tuple[dict[str, str], ...] | None
) -> None:
    deployed.client.add_permission(FunctionName=deployed.name, **ACCOUNT)

    deployed.deploy(permissions, permissions=wanted)
    assert "account" in statements(deployed)

    assert deployed.deploy(permissions, prune=True, permissions=wanted) == ["permissions.account"]


def test_a_public_url_has_both_permissions(deployed: Deployed) -> None:
    deployed = deployed.behind_alias()

    deployed.deploy(permissions, url={"AuthType": "NONE"})

    found = statements(deployed)
    assert list(found) == PUBLIC
    assert found[PUBLIC[0]]["Action"] == "lambda:InvokeFunctionUrl"
    assert found[PUBLIC[0]]["Condition"] == {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    assert found[PUBLIC[1]]["Action"] == "lambda:InvokeFunction"
    assert found[PUBLIC[1]]["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}


def test_a_url_with_authentication_is_not_public(deployed: Deployed) -> None:
    assert deployed.deploy(permissions, url={"AuthType": "AWS_IAM"}) == []


def answered(stubbed: tuple[Account, Stubber], *policy: dict[str, Any]) -> Account:
    account, stubber = stubbed
    base = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:hello",
    }
    document = {
        "Version": "2012-10-17",
        "Id": "default",
        "Statement": [{**base, **each} for each in policy],
    }
    answer = {"Policy": json.dumps(document), "RevisionId": "r1"}
    stubber.add_response("get_policy", answer, {"FunctionName": "hello"})
    return account


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        {"Principal": "123456789012"},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
    ),
    (
        {"Principal": "arn:aws-cn:iam::123456789012:root"},
        {"Principal": {"AWS": "arn:aws-cn:iam::123456789012:root"}},
    ),
    (
        {"Principal": "arn:aws:iam::123456789012:role/caller"},
        {"Principal": {"AWS": "arn:aws:iam::123456789012:role/caller"}},
    ),
    ({"Principal": "*"}, {"Principal": {"AWS": "*"}}),
    (
        {"Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": "1" * 12},
        {
            "Principal": {"Service": "s3.amazonaws.com"},
            "Condition": {
                "StringEquals": {"aws:SourceAccount": "1" * 12},
                "StringLike": {"aws:SourceArn": "arn:aws:s3:::b"},
            },
        },
    ),
    (
        {"Principal": "alexa-connectedhome.amazon.com", "EventSourceToken": "skill"},
        {
            "Principal": {"Service": "alexa-connectedhome.amazon.com"},
            "Condition": {"StringEquals": {"lambda:EventSourceToken": "skill"}},
        },
    ),
    (
        {"Principal": "*", "InvokedViaFunctionUrl": True},
        {"Principal": "*", "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}},
    ),
]
DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"Principal": "*"}, {"Principal": "*", "Effect": "Deny"}),
    ({"Principal": "*"}, {"Principal": {"AWS": ["*", "123456789012"]}}),
    (
        {"Principal": "*"},
        {"Principal": "*", "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.1"}}},
    ),
    (  # a role that was deleted and made again: AWS tells the ID of the one before
        {"Principal": "arn:aws:iam::123456789012:role/caller"},
        {"Principal": {"AWS": "AROA0123456789ABCDEFG"}},
    ),
]


@pytest.mark.parametrize(("wanted", "statement"), SAME)
def test_what_aws_writes_in_another_way_is_the_same(
    stubbed: tuple[Account, Stubber], wanted: dict[str, Any], statement: dict[str, Any]
) -> None:
    account = answered(stubbed, {"Sid": "one", **statement})
    one = {"StatementId": "one", "Action": "lambda:InvokeFunction", **wanted}
    asked = parameters(permissions=(one,))

    assert diff(permissions, asked, account, {}, prune=True) == []


@pytest.mark.parametrize(("wanted", "statement"), DIFFERENT)
def test_what_add_permission_would_not_have_written_is_replaced(
    stubbed: tuple[Account, Stubber], wanted: dict[str, Any], statement: dict[str, Any]
) -> None:
    account = answered(stubbed, {"Sid": "one", **statement})
    one = {"StatementId": "one", "Action": "lambda:InvokeFunction", **wanted}
    asked = parameters(permissions=(one,))

    updates = diff(permissions, asked, account, {}, prune=True)

    assert calls(updates) == ["remove_permission", "add_permission"]


def test_a_function_without_a_policy_gets_one(stubbed: tuple[Account, Stubber]) -> None:
    account, stubber = stubbed
    stubber.add_client_error("get_policy", "ResourceNotFoundException")
    asked = parameters(permissions=(ACCOUNT,))

    updates = diff(permissions, asked, account, {})

    assert keys(updates) == ["permissions.account.Action", "permissions.account.Principal"]
    assert calls(updates) == ["add_permission"]
