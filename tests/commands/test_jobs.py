"""Many functions at once: each has its own outcome, and none hides another's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.stub import Stubber

from sample_project import local_aws
from tasks_aws.commands.accounts import check_account
from tasks_aws.errors import CredentialsError
from tests.aws_lambda.describe import HELLO, ROLE, account_in, describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Proxy
from tests.support import Project


@pytest.fixture(autouse=True)
def _source(project: Project, aws: EmbeddedAws) -> None:
    write_source(project)


def names(aws: EmbeddedAws, region: str = local_aws.REGION) -> list[str]:
    found = aws.functions(region).list_functions()["Functions"]
    return sorted(function["FunctionName"] for function in found)


def rows(err: str) -> dict[str, list[str]]:
    """Return the table at the end, by function and target."""
    lines = err.split("function  target")[1].splitlines()[1:]
    cells = [re.split(r"\s{2,}", line) for line in lines if not line.startswith(" ")]
    return {f"{row[0]}@{row[1]}": row[2:] for row in cells if len(row) > 2}


def functions(**each: dict[str, Any]) -> dict[str, Any]:
    return {"functions": {name: {**HELLO, **changes} for name, changes in each.items()}}


def test_all_functions_are_deployed_and_told_of_in_a_table(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project, role="everything", aws=functions(one={}, two={"alias": "live"}, three={}))

    result = project.run("deploy")

    assert names(aws) == ["one", "three", "two"]
    found = rows(result.err)
    assert {key: row[:2] for key, row in found.items()} == {
        "one@-": ["created", "-"],
        "two@-": ["created", "1"],
        "three@-": ["created", "-"],
    }
    again = rows(project.run("deploy").err)
    assert [row[0] for row in again.values()] == ["unchanged"] * 3


def test_one_failure_hides_no_other_and_stops_no_other(project: Project, aws: EmbeddedAws) -> None:
    missing = {"Role": f"{ROLE}/not-there"}
    describe(project, role="everything", aws=functions(bad=missing, good={}, worse=missing))

    result = project.run("deploy", code=1)

    assert names(aws) == ["good"]
    assert [row[0] for row in rows(result.err).values()] == ["failed", "created", "failed"]
    assert "bad: Lambda could not create the function bad." in result.err
    assert "worse: Lambda could not create the function worse." in result.err
    assert result.err.rstrip().endswith("2 of 3 functions could not be deployed.")


@pytest.mark.parametrize(
    "name", ["same", f"arn:aws:lambda:{local_aws.REGION}:000000000000:function:same"]
)
def test_one_function_is_not_deployed_twice_at_once(
    project: Project, aws: EmbeddedAws, name: str
) -> None:
    named = functions(one={"FunctionName": "same"}, two={"FunctionName": name})
    describe(project, role="everything", aws=named)
    assert "one and two are the same function: same" in project.run("deploy", code=1).err
    assert names(aws) == []

    words = ["--function", "one", "--function", "one"]
    assert "function  target" not in project.run("deploy", *words).err  # of many


def test_ctrl_c_ends_what_has_begun_and_begins_no_other(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    describe(project, role="everything", aws=functions(one={"alias": "live"}, two={}, three={}))
    proxy.delay = 0.2
    terminal = project.terminal("deploy", "--parallel", "1")
    terminal.expect_exact("account")
    terminal.expect_exact("create    one")

    terminal.sendintr()

    said = project.finish(terminal, code=130)
    assert "waiting for one, so that it is not left half-changed" in said
    assert "Interrupted. Completed changes are listed above." in said
    assert names(aws) == ["one"]
    alias = aws.functions().get_alias(FunctionName="one", Name="live")
    assert alias["FunctionVersion"] == "1"
    found = {row.split()[0]: row.split()[2:4] for row in said.splitlines() if "  -  " in row}
    assert found["one"][0] == "created"
    assert found["two"] == found["three"] == ["not", "started"]


def test_nothing_is_changed_in_another_account_than_is_allowed() -> None:
    account = account_in("123456789012", "eu-west-1", key="x")
    with Stubber(account.client("sts")) as stubber:
        answer = {"Account": "210987654321", "Arn": "arn:aws:sts::210987654321:x", "UserId": "x"}
        stubber.add_response("get_caller_identity", answer)

        with pytest.raises(CredentialsError, match="account 210987654321, not 123456789012"):
            check_account(account)
