"""`prune` deletes old versions, and asks before."""

from __future__ import annotations

from tests.aws_lambda.conftest import Hello


def test_old_versions_go_and_those_in_use_stay(hello: Hello) -> None:
    hello.create(versions=5)
    hello.aws.functions().create_alias(
        FunctionName="hello",
        Name="canary",
        FunctionVersion="1",
        RoutingConfig={"AdditionalVersionWeights": {"2": 0.1}},
    )

    result = hello.project.run("prune", "--keep", "2", "--yes")

    assert "deleted versions 3\n" in result.err
    assert hello.versions() == ["1", "2", "4", "5"]


def test_how_many_are_kept_may_stand_in_the_settings(hello: Hello) -> None:
    hello.create(versions=3)
    assert "with 5 kept" in hello.project.run("prune", "--yes").err
    hello.describe(alias="live", keep_versions=1)

    hello.project.run("prune", "--yes")

    assert hello.versions() == ["3"]


def test_it_asks_on_the_terminal(hello: Hello) -> None:
    hello.create(versions=3)
    for answer, left in (("", ["1", "2", "3"]), ("y", ["3"])):
        terminal = hello.project.terminal("prune", "--keep", "1")
        terminal.expect_exact("Delete versions 1, 2 of hello? [y/N] ")
        terminal.sendline(answer)
        hello.project.finish(terminal)

        assert hello.versions() == left


def test_without_a_terminal_it_names_the_option_at_once(hello: Hello) -> None:
    result = hello.project.run("prune", code=1)

    assert result.err.startswith("`prune` asks before it deletes")
    assert "--yes" in result.err


def test_nothing_goes_under_dry(hello: Hello) -> None:
    hello.create(versions=2)

    result = hello.project.run("--dry", "prune", "--keep", "1")

    assert "would delete versions 1 of hello" in result.err
    assert hello.versions() == ["1", "2"]
