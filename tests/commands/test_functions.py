"""Tasks for existing functions: `rollback`, `prune`, and what several functions have in common.

The other tasks are tested beside what they call: `status`, `invoke`, `logs` and `destroy`, in
`tests/aws_lambda`.
"""

from __future__ import annotations

import pytest

from tests.aws_lambda.conftest import Hello
from tests.support import Project


def test_rollback_points_the_alias_to_the_version_before_and_says_so(hello: Hello) -> None:
    hello.create(versions=3)

    result = hello.project.run("rollback")

    assert "account   000000000000, us-east-1, as arn:aws:sts::" in result.err
    assert "rollback  hello  live: 3 -> 2" in result.err
    assert hello.alias()["FunctionVersion"] == "2"


def test_rollback_goes_to_the_requested_version_with_all_of_the_traffic(hello: Hello) -> None:
    hello.create(versions=3)
    hello.aws.functions().update_alias(
        FunctionName="hello", Name="live", RoutingConfig={"AdditionalVersionWeights": {"2": 0.5}}
    )

    hello.project.run("rollback", "--to", "1")

    assert hello.alias()["FunctionVersion"] == "1"
    assert not hello.alias().get("RoutingConfig", {}).get("AdditionalVersionWeights")


def test_rollback_ends_a_canary(hello: Hello) -> None:
    hello.create(versions=3)
    hello.aws.functions().update_alias(
        FunctionName="hello",
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"3": 0.1}},
    )

    assert "live: 3 -> 2" in hello.project.run("rollback").err
    assert hello.alias()["FunctionVersion"] == "2"
    assert not hello.alias().get("RoutingConfig", {}).get("AdditionalVersionWeights")


def test_rollback_moves_nothing_under_dry(hello: Hello) -> None:
    hello.create(versions=2)

    assert "rollback  hello  would move live: 2 -> 1" in hello.project.run("--dry", "rollback").err
    assert hello.alias()["FunctionVersion"] == "2"


def test_rollback_lists_the_versions_if_the_requested_one_does_not_exist(hello: Hello) -> None:
    hello.create(versions=2)

    result = hello.project.run("rollback", "--to", "7", code=1)

    assert "hello cannot be rolled back from version 2 to version 7." in result.err
    assert "Published versions: 1, 2." in result.err
    assert hello.alias()["FunctionVersion"] == "2"


@pytest.mark.parametrize("to", ["live", "$LATEST", "0"])
def test_rollback_checks_the_version_before_any_call(project: Project, to: str) -> None:
    assert project.run("rollback", "--to", to, code=1).err.startswith("`--to` must be ")


def test_prune_deletes_old_versions_and_keeps_those_in_use(hello: Hello) -> None:
    hello.create(versions=5)
    hello.aws.functions().create_alias(
        FunctionName="hello",
        Name="canary",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )

    result = hello.project.run("prune", "--keep", "2", "--yes")

    assert "deleted version 3\n" in result.err
    assert hello.versions() == ["1", "2", "4", "5"]


def test_how_many_versions_prune_keeps_may_stand_in_the_settings(hello: Hello) -> None:
    hello.create(versions=3)
    assert "with 5 kept" in hello.project.run("prune", "--yes").err
    hello.describe(alias="live", keep_versions=1)

    hello.project.run("prune", "--yes")

    assert hello.versions() == ["3"]


def test_prune_asks_on_the_terminal(hello: Hello) -> None:
    hello.create(versions=3)
    for answer, left in (("", ["1", "2", "3"]), ("y", ["3"])):
        terminal = hello.project.terminal("prune", "--keep", "1")
        terminal.expect_exact("Delete versions 1, 2 of hello? [y/N] ")
        terminal.sendline(answer)
        hello.project.finish(terminal)

        assert hello.versions() == left


def test_without_a_terminal_prune_names_the_option_at_once(hello: Hello) -> None:
    result = hello.project.run("prune", code=1)

    assert result.err.startswith("`prune` asks before it deletes")
    assert "--yes" in result.err


def test_prune_deletes_nothing_under_dry(hello: Hello) -> None:
    hello.create(versions=2)

    result = hello.project.run("--dry", "prune", "--keep", "1")

    assert "would delete version 1 of hello" in result.err
    assert hello.versions() == ["1", "2"]
