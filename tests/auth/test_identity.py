"""Our cache keys are those of botocore, and so of the AWS CLI."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.credentials import AssumeRoleCredentialFetcher

from tasks_aws.auth.identity import StsSession, cache_key


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"SerialNumber": "arn:aws:iam::111111111111:mfa/alice", "DurationSeconds": 900},
        {"RoleSessionName": "given", "ExternalId": "x"},
        {"Policy": '{"b": 1, "a": 2}', "Tags": [{"Key": "k", "Value": "v"}]},
    ],
)
def test_a_role_has_the_cache_key_of_the_aws_cli(arguments: dict[str, Any]) -> None:
    arn = "arn:aws:iam::123456789012:role/%literal%"
    unused: Any = None
    theirs: Any = AssumeRoleCredentialFetcher(unused, unused, arn, extra_args=arguments)
    ours = StsSession(
        operation="AssumeRole",
        source=unused,
        arguments={"RoleArn": arn, **arguments},
        session_name="invented",
    )

    assert cache_key(ours) == theirs._cache_key
