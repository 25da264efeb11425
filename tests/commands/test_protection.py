"""A protected target: what is hard to undo there is confirmed, once for each target."""

from __future__ import annotations

from typing import Any

import pytest

from tests import local_aws
from tests.aws_lambda.conftest import Hello
from tests.aws_lambda.describe import HELLO, describe, write_source
from tests.conftest import REGION, EmbeddedAws
from tests.proxy import Proxy
from tests.support import Project

ACCOUNT = "000000000000"
RISKY = [("destroy",), ("prune", "--keep", "1"), ("deploy", "--force"), ("deploy", "--prune")]


@pytest.fixture
def protected(hello: Hello, proxy: Proxy) -> Hello:
    """The function `hello` with two versions, one too many, and a URL that no setting names."""
    hello.create(versions=2)
    hello.aws.functions().create_function_url_config(
        FunctionName="hello", Qualifier="live", AuthType="AWS_IAM"
    )
    describe(
        hello.project,
        role="everything",
        aws={"targets": {"prod": {"protected": True, "region": local_aws.REGION}, "dev": {}}},
        alias="live",
    )
    return hello


def with_target(words: tuple[str, ...]) -> tuple[str, ...]:
    return ("assume", "--target", "prod", *words)


def changes(proxy: Proxy) -> list[str]:
    """Return the requests to Lambda that change something."""
    return [each for each in proxy.lambda_requests() if not each.startswith("GET")]


@pytest.mark.parametrize("words", RISKY)
def test_without_a_terminal_it_is_an_error_that_names_yes(
    protected: Hello, proxy: Proxy, words: tuple[str, ...]
) -> None:
    result = protected.project.run(*with_target(words), code=1)

    assert "there is no terminal" in result.err
    assert "Pass --yes if you are sure." in result.err
    assert proxy.lambda_requests() == []


def test_it_is_an_error_before_credentials_are_obtained(protected: Hello, proxy: Proxy) -> None:
    result = protected.project.run("deploy", "--force", "--target", "prod", code=1)

    assert result.err.startswith("`deploy --force` has to be confirmed, and there is no terminal.")
    assert "`aws.targets.prod.protected` is set." in result.err
    assert proxy.requests == []


@pytest.mark.parametrize("words", RISKY)
def test_another_word_than_the_name_of_the_target_changes_nothing(
    protected: Hello, proxy: Proxy, words: tuple[str, ...]
) -> None:
    terminal = protected.project.terminal(*with_target(words))
    if "--prune" in words:
        terminal.expect_exact("Remove all of this? [y/N] ")
        terminal.sendline("y")
    terminal.expect_exact("Type prod to confirm ")
    terminal.sendline("yes")

    assert "Nothing was changed: prod was not typed." in protected.project.finish(terminal, code=1)
    assert changes(proxy) == []


def test_the_name_of_the_target_is_typed_once_for_all_functions(
    project: Project, aws: EmbeddedAws
) -> None:
    write_source(project)
    targets: dict[str, Any] = {
        "here": {"region": local_aws.REGION, "protected": True},
        "there": {"region": REGION, "protected": True},
        "free": {"region": "eu-west-1"},
    }
    describe(
        project, role="everything", aws={"functions": {"a": HELLO, "b": HELLO}, "targets": targets}
    )
    words = ["deploy", *(word for name in targets for word in ("--target", name))]
    project.run(*words)

    terminal = project.terminal(*words, "--force")
    for name in ("here", "there"):
        terminal.expect_exact(f"Type {name} to confirm deploy --force: ")
        terminal.sendline(name)
    printed = project.finish(terminal)

    assert "Type " not in printed
    assert printed.count("  updated  ") == 6


def test_destroy_then_asks_for_the_name_of_each_function(protected: Hello) -> None:
    terminal = protected.project.terminal(*with_target(("destroy",)))
    for name in ("prod", "hello"):
        terminal.expect(f"Type {name} to .*: ")
        terminal.sendline(name)
    protected.project.finish(terminal)

    assert not protected.exists()


def test_at_the_root_the_account_id_is_typed_unless_a_target_is_selected(protected: Hello) -> None:
    targets: dict[str, Any] = {"dev": {"protected": False}, "prod": {}}
    describe(
        protected.project,
        role="everything",
        aws={"protected": True, "targets": targets},
        alias="live",
    )

    protected.project.run("deploy", "--force", "--target", "dev")
    for words, name in ((["--force"], ACCOUNT), (["--force", "--target", "prod"], "prod")):
        terminal = protected.project.terminal("deploy", *words)
        terminal.expect_exact(f"Type {name} to confirm deploy --force: ")
        terminal.sendline(name)
        protected.project.finish(terminal)


@pytest.mark.parametrize("words", [RISKY[0], RISKY[2]])
def test_yes_confirms(protected: Hello, proxy: Proxy, words: tuple[str, ...]) -> None:
    protected.project.run(*with_target(words), "--yes")

    assert changes(proxy)


@pytest.mark.parametrize("words", [RISKY[1], RISKY[3]])
def test_what_changes_nothing_is_not_confirmed(
    protected: Hello, proxy: Proxy, words: tuple[str, ...]
) -> None:
    protected.project.run("--dry", *with_target(words))
    if "deploy" in words:
        protected.project.run(*with_target(words), "--dry-run")

    assert changes(proxy) == []


def test_a_plain_deploy_is_not_confirmed(protected: Hello, proxy: Proxy) -> None:
    protected.project.run(*with_target(("deploy",)))

    assert changes(proxy)


def test_settings_show_the_protection_and_where_it_comes_from(protected: Hello) -> None:
    shown = protected.project.run("settings", "--target", "prod").out

    (line,) = [each.split() for each in shown.splitlines() if each.startswith("protected")]
    assert line[1:] == ["target", "prod,", "invoke.yaml", "true"]
    assert protected.project.run("settings", "--check").code == 0
