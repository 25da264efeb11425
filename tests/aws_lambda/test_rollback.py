"""`rollback` points the alias back."""

from __future__ import annotations

import pytest

from tests.aws_lambda.conftest import Hello
from tests.support import Project


def test_the_alias_goes_back_to_the_version_before_and_says_so(hello: Hello) -> None:
    hello.create(versions=3)

    result = hello.project.run("rollback")

    assert "account   000000000000, us-east-1, as arn:aws:sts::" in result.err
    assert "rollback  hello  live: version 3 -> 2" in result.err
    assert hello.alias()["FunctionVersion"] == "2"


def test_it_goes_to_the_version_that_is_asked_for_with_all_of_the_traffic(hello: Hello) -> None:
    hello.create(versions=3)
    hello.aws.functions().update_alias(
        FunctionName="hello", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )

    hello.project.run("rollback", "--to", "1")

    assert hello.alias()["FunctionVersion"] == "1"
    assert not hello.alias().get("RoutingConfig", {}).get("AdditionalVersionWeights")


def test_a_canary_is_taken_back(hello: Hello) -> None:
    hello.create(versions=3)
    hello.aws.functions().update_alias(
        FunctionName="hello",
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"3": 0.1}},
    )

    assert "live: version 3 -> 2" in hello.project.run("rollback").err
    assert hello.alias()["FunctionVersion"] == "2"
    assert not hello.alias().get("RoutingConfig", {}).get("AdditionalVersionWeights")


def test_nothing_moves_under_dry(hello: Hello) -> None:
    hello.create(versions=2)

    assert "live: version 2 -> 1, if this" in hello.project.run("--dry", "rollback").err
    assert hello.alias()["FunctionVersion"] == "2"


def test_a_version_that_is_not_there_is_told(hello: Hello) -> None:
    hello.create(versions=2)

    result = hello.project.run("rollback", "--to", "7", code=1)

    assert "Published are: 1, 2." in result.err
    assert hello.alias()["FunctionVersion"] == "2"


@pytest.mark.parametrize("to", ["live", "$LATEST", "0"])
def test_what_is_no_version_is_told_before_any_call(project: Project, to: str) -> None:
    assert project.run("rollback", "--to", to, code=1).err.startswith("`--to` must be ")
