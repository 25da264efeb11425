"""A function has the URL that the settings describe."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber

from tasks_aws.aws_lambda.attachments import url
from tasks_aws.aws_lambda.clients import Account
from tests.aws_lambda.attachments.conftest import Deployed, calls, diff, parameters

CORS = {"AllowOrigins": ["https://a.example", "https://b.example"], "AllowHeaders": ["X-One"]}


@pytest.mark.parametrize("alias", [False, True])
def test_a_url_is_made_and_changed(deployed: Deployed, alias: bool) -> None:
    deployed = deployed.behind_alias() if alias else deployed

    made = deployed.deploy(url, url={"AuthType": "AWS_IAM", "InvokeMode": "RESPONSE_STREAM"})
    changed = deployed.deploy(url, url={"AuthType": "AWS_IAM", "Cors": CORS})

    assert made == ["url.AuthType", "url.InvokeMode"]
    assert changed == ["url.Cors.AllowOrigins", "url.Cors.AllowHeaders"]
    found = deployed.client.get_function_url_config(**deployed.named)
    assert found["Cors"] == CORS
    assert found["InvokeMode"] == "RESPONSE_STREAM"


def test_without_a_setting_a_url_stays(deployed: Deployed) -> None:
    deployed.deploy(url, url={"AuthType": "AWS_IAM"})

    assert deployed.deploy(url) == []
    assert deployed.client.get_function_url_config(**deployed.named)["AuthType"] == "AWS_IAM"


SAME: list[dict[str, Any]] = [
    {"AllowHeaders": ["X-One", "Content-Type"], "AllowMethods": ["GET", "POST"]},
    {
        **{"AllowHeaders": ["content-type", "x-one"], "AllowMethods": ["POST", "GET"]},
        "AllowCredentials": False,
    },
]


@pytest.mark.parametrize("cors", SAME)
@pytest.mark.parametrize("mode", [{}, {"InvokeMode": "BUFFERED"}])
def test_what_aws_writes_in_another_way_is_the_same(
    stubbed: tuple[Account, Stubber], cors: dict[str, Any], mode: dict[str, str]
) -> None:
    account, stubber = stubbed
    answer = {
        "FunctionUrl": "https://0123456789abcdef0123456789abcdef.lambda-url.eu-west-1.on.aws/",
        "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:hello",
        "AuthType": "NONE",
        "Cors": {"AllowHeaders": ["content-type", "x-one"], "AllowMethods": ["GET", "POST"]},
        "CreationTime": "2026-01-01T00:00:00Z",
        "LastModifiedTime": "2026-01-01T00:00:00Z",
        "InvokeMode": "BUFFERED",
    }
    stubber.add_response("get_function_url_config", answer, {"FunctionName": "hello"})
    asked = parameters(url={"AuthType": "NONE", "Cors": cors, **mode})

    assert diff(url, asked, account, {}, prune=True) == []


@pytest.mark.parametrize("kept", [{}, {"AllowOrigins": ["https://example.com"]}])
def test_a_part_that_leaves_the_settings_goes_only_with_prune(
    deployed: Deployed, kept: dict[str, Any]
) -> None:
    cors = {"Cors": kept} if kept else {}
    before = {**kept, "AllowMethods": ["GET"], "AllowCredentials": True}
    deployed.deploy(url, url={"AuthType": "AWS_IAM", "Cors": before})

    assert deployed.deploy(url, url={"AuthType": "AWS_IAM", **cors}) == []
    gone = deployed.deploy(url, prune=True, url={"AuthType": "AWS_IAM", **cors})

    assert gone == ["url.Cors.AllowCredentials", "url.Cors.AllowMethods"]
    found = deployed.client.get_function_url_config(**deployed.named)
    assert (found.get("Cors") or {}) == kept


def test_an_empty_part_goes_at_once(deployed: Deployed) -> None:
    deployed.deploy(url, url={"AuthType": "AWS_IAM", "Cors": CORS})

    assert deployed.deploy(url, url={"AuthType": "AWS_IAM", "Cors": {}}) == ["url.Cors"]

    found = deployed.client.get_function_url_config(**deployed.named)
    assert not found.get("Cors")
    assert deployed.deploy(url, prune=True, url={"AuthType": "AWS_IAM", "Cors": {}}) == []


def test_an_update_sends_what_differs_as_a_whole(deployed: Deployed) -> None:
    deployed.deploy(url, url={"AuthType": "AWS_IAM", "Cors": CORS})

    (update,) = deployed.plan(url, url={"AuthType": "AWS_IAM", "Cors": {**CORS, "MaxAge": 5}})

    assert calls([update]) == ["update_function_url_config"]
    assert update.calls[0].parameters == {
        "FunctionName": deployed.name,
        "Cors": {**CORS, "MaxAge": 5},  # UpdateFunctionUrlConfig replaces it
    }
