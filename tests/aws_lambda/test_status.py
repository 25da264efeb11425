"""`status` tells what callers of a function get."""

from __future__ import annotations

import json

from tests.aws_lambda.conftest import Hello


def test_it_tells_the_state_and_what_is_behind_the_alias(hello: Hello) -> None:
    hello.create(versions=2)
    hello.aws.functions().update_alias(
        FunctionName="hello", Name="live", RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}}
    )
    url = hello.aws.functions().create_function_url_config(
        FunctionName="hello", Qualifier="live", AuthType="AWS_IAM"
    )["FunctionUrl"]
    served = hello.aws.functions().get_function(FunctionName="hello", Qualifier="live")

    result = hello.project.run("status")
    (found,) = json.loads(hello.project.run("status", "--json").out)

    header, row = result.out.splitlines()
    assert header.index("url") == row.index(url)
    assert row.startswith("hello     Active  live 2, 10% 1")
    assert found == {
        "function": "hello",
        "target": None,
        "FunctionName": "hello",
        "account": "000000000000",
        "region": "us-east-1",
        "State": "Active",
        "LastUpdateStatus": "Successful",
        "Reason": None,
        "Alias": "live",
        "Version": "2",
        "AdditionalVersionWeights": {"1": 0.1},
        "CodeSha256": served["Configuration"]["CodeSha256"],
        "CodeSize": served["Configuration"]["CodeSize"],
        "LastModified": served["Configuration"]["LastModified"],
        "FunctionUrl": url,
        "error": None,
    }


def test_without_an_alias_callers_get_the_latest(hello: Hello) -> None:
    hello.describe(alias=None)
    hello.create()

    assert "hello     Active  $LATEST" in hello.project.run("status").out


def test_an_alias_that_does_not_exist_is_said(hello: Hello) -> None:
    hello.create()

    assert "hello     Active  no alias live, $LATEST" in hello.project.run("status").out


def test_what_is_not_deployed_is_said(hello: Hello) -> None:
    assert "hello     not deployed" in hello.project.run("status").out
    (found,) = json.loads(hello.project.run("status", "--json").out)
    assert found["State"] is None


def test_one_that_fails_hides_no_other(hello: Hello) -> None:
    hello.describe("forbidden")
    hello.create()

    result = hello.project.run("status", code=1)

    assert "hello     Active" in result.out
    assert "forbidden: Lambda could not show forbidden." in result.err
    assert "1 of 2 functions failed." in result.err
