"""A denial names the action that is missing, also where AWS does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tasks_aws.aws_lambda.clients import Account, Kind
from tasks_aws.aws_lambda.denials import Denial, denial_in
from tasks_aws.aws_lambda.error_messages import translating
from tasks_aws.config.settings import Settings
from tasks_aws.errors import FunctionError
from tests.aws_lambda.describe import account_in
from tests.proxy import Answer, Proxy

XML = {"Content-Type": "text/xml"}
BARE = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
UPLOADED = {"Bucket": "b", "Key": "k"}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An account whose every call is denied, and which explains with the action."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with Proxy("http://127.0.0.1:9") as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        yield (
            server,
            account_in("0" * 12, "us-east-1", explain_denied=lambda action: f" ({action})"),
        )


@pytest.mark.parametrize(
    ("service", "operation", "words", "answer", "action"),
    [
        ("s3", "put_object", {**UPLOADED, "Body": b""}, (403, XML, BARE), "s3:PutObject"),
        ("s3", "create_multipart_upload", UPLOADED, (403, XML, BARE), "s3:PutObject"),
        ("s3", "head_object", UPLOADED, (403, {}, b""), "s3:GetObject"),
        (
            "lambda",
            "invoke",
            {"FunctionName": "hello"},
            (403, {"x-amzn-ErrorType": "AccessDeniedException"}, b'{"Message": "no"}'),
            "lambda:InvokeFunction",
        ),
        (
            "ssm",
            "get_parameter",
            {"Name": "/a"},
            (400, {}, b'{"__type": "AccessDeniedException", "message": "User: arn:aws:iam::0:user/x'
             b' is not authorized to perform: kms:Decrypt on resource: y"}'),
            "kms:Decrypt",
        ),
    ],
)  # fmt: skip
def test_the_action_is_the_one_that_aws_names_or_that_of_the_call(
    account: tuple[Proxy, Account],
    service: str,
    operation: str,
    words: dict[str, Any],
    answer: Answer,
    action: str,
) -> None:
    server, connected = account
    server.replace(".", lambda _: answer, times=9)

    with pytest.raises(ClientError) as caught:
        getattr(connected.client(service, Kind.CALLS), operation)(**words)

    assert denial_in(caught.value.response) == Denial(action, f" ({action})")


@pytest.mark.parametrize("message", ["because no identity-based policy allows it", "explicit deny"])
@pytest.mark.parametrize(
    ("narrowing", "says"),
    [
        ({"read_only": True}, "Run this without `aws.read_only` (--read-only)"),
        ({"policy": {}, "policy_arns": ("arn",)}, "Allow lambda:GetFunction in `aws.policy_arns`"),
        ({"policy": {"Statement": []}}, "Allow lambda:GetFunction in `aws.policy`"),
        ({}, ""),
    ],
)
def test_what_narrows_the_session_comes_first_whichever_policy_the_message_names(
    account: tuple[Proxy, Account], message: str, narrowing: dict[str, Any], says: str
) -> None:
    server, _ = account
    server.refuse(".", 403, "AccessDeniedException", message, times=9)
    narrowed = account_in("0" * 12, "us-east-1", settings=Settings(project=Path(), **narrowing))

    with pytest.raises(FunctionError) as caught, translating("hello", "read"):
        narrowed.client("lambda").get_function(FunctionName="hello")

    first, _, rest = caught.value.fix.rpartition(
        ", which narrows the session. If it is still denied: "
    )
    assert first == says
    assert rest.startswith(("Allow the role that deploys", "Change the policy that AWS names"))


def test_another_error_is_no_denial(account: tuple[Proxy, Account]) -> None:
    server, connected = account
    server.refuse(".", 404, "ResourceNotFoundException", "no", times=9)

    with pytest.raises(ClientError) as caught:
        connected.client("lambda").get_function(FunctionName="hello")

    assert denial_in(caught.value.response) == Denial("that action", "")
