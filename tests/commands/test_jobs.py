"""Many functions at once: each has its own outcome, and none hides another's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks_aws.commands.accounts import check_account
from tasks_aws.errors import CredentialsError
from tests import local_aws
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
    """Return result and version from the table at the end, by function and target."""
    table = err[err.index("\nfunction  ") + 1 : err.index("\ntotal     ")]
    header, *lines = (re.split(r"\s{2,}", line) for line in table.splitlines())
    found = [dict(zip(header, line, strict=True)) for line in lines]
    return {
        f"{row['function']}@{row.get('target', '-')}": [row["result"], row.get("version", "-")]
        for row in found
    }


def functions(**each: dict[str, Any]) -> dict[str, Any]:
    return {"functions": {name: {**HELLO, **changes} for name, changes in each.items()}}


def test_all_functions_are_deployed_and_told_of_in_a_table(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project, role="everything", aws=functions(one={}, two={"alias": "live"}, three={}))

    result = project.run("deploy")

    assert names(aws) == ["one", "three", "two"]
    found = rows(result.err)
    assert found == {
        "one@-": ["created", "-"],
        "two@-": ["created", "1"],
        "three@-": ["created", "-"],
    }
    assert "total     3 functions: 3 created, " in result.err
    again = rows(project.run("deploy").err)
    assert [row[0] for row in again.values()] == ["unchanged"] * 3


def test_on_a_terminal_twelve_functions_are_twelve_lines_and_a_table(
    project: Project, aws: EmbeddedAws
) -> None:
    twelve = [f"function-{letter}" for letter in "abcdefghijkl"]
    describe(project, role="everything", aws=functions(**{each: {} for each in twelve}))
    shown = project.finish(project.terminal("assume", "deploy", columns=80))

    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown))
    table = lines.index("function    result   time")
    done = [line for line in lines[:table] if re.fullmatch(r"create    \S+  [\d.]+ m?s", line)]
    assert sorted(line.split()[1] for line in done) == twelve
    assert any(re.fullmatch(r"zip       12 archives  \S+ kB, [\d.]+ m?s", line) for line in lines)
    assert not any(re.fullmatch(r"zip +function.* m?s", line) for line in lines)
    assert [line.split()[:2] for line in lines[table + 1 : table + 13]] == [
        [name, "created"] for name in twelve
    ]
    assert lines[table + 13].startswith("total     12 functions: 12 created, ")


def test_a_plan_of_many_ends_with_how_many_are_to_change(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project, role="everything", aws=functions(one={}, two={}))
    project.run("deploy", "--function", "one")

    result = project.run("plan")

    assert result.err.endswith("total     2 functions: 1 unchanged, 1 to create\n")


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
    assert "\nfunction  " not in project.run("deploy", *words).err  # of many


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
    found = rows(said)
    assert [row[0] for row in found.values()] == ["created", "not started", "not started"]


def test_nothing_is_changed_in_another_account_than_is_allowed() -> None:
    account = account_in("123456789012", "eu-west-1", key="x")
    with Stubber(account.client("sts")) as stubber:
        answer = {"Account": "210987654321", "Arn": "arn:aws:sts::210987654321:x", "UserId": "x"}
        stubber.add_response("get_caller_identity", answer)

        with pytest.raises(CredentialsError, match="account 210987654321, not 123456789012"):
            check_account(account)
