"""`--target`: the tasks for existing functions work on those of several accounts at once."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tasks_aws.aws_lambda.parameters import split_parameters
from tasks_aws.commands.located import LocatedFunction, check_distinct
from tasks_aws.config.functions import Function
from tasks_aws.errors import SettingsError
from tests import local_aws
from tests.aws_lambda.describe import account_in
from tests.commands.conftest import BOTH, OTHER_ACCOUNT, Accounts
from tests.conftest import EmbeddedAws
from tests.proxy import Proxy

UNCHANGED = {"dev": "2", "prod": "2"}


def test_each_task_works_on_all_targets_and_says_which(accounts: Accounts) -> None:
    accounts.create()

    shown = accounts.project.run("status", *BOTH, "invoke", *BOTH, "logs", *BOTH)
    changed = accounts.project.run(
        "rollback", *BOTH, "prune", *BOTH, "--keep", "1", "--yes", "destroy", *BOTH, "--yes"
    )

    header, dev, prod, *_ = shown.out.splitlines()
    assert header.split()[:3] == ["function", "target", "state"]
    assert re.split(r"\s{2,}", dev)[:4] == ["hello", "dev", "Active", "live 2"]
    assert re.split(r"\s{2,}", prod)[:4] == ["hello", "prod", "Active", "live 2"]
    assert re.findall(r'"stage": "(\w+)"', shown.out) == ["dev", "prod"]
    assert re.search(r"^hello \(dev\)   \S", shown.out, re.MULTILINE)
    assert re.search(r"^hello \(prod\)  \S", shown.out, re.MULTILINE)
    for target, account in (("dev", local_aws.ACCOUNT), ("prod", OTHER_ACCOUNT)):
        assert f"account   {account}, us-east-1 ({target}), as arn:aws:" in changed.err
        assert f"rollback  hello ({target})  live: 2 -> 1" in changed.err
        assert f"prune     hello ({target})  no version to delete" in changed.err
        assert f"destroy   hello ({target})  deleted; its log stays in" in changed.err
    assert accounts.functions() == {"dev": [], "prod": []}


def test_functions_of_all_targets_are_worked_on_at_once(accounts: Accounts, proxy: Proxy) -> None:
    accounts.create()
    proxy.delay = 0.5

    accounts.project.run("rollback", *BOTH)

    assert proxy.busiest == len(accounts.clients)
    assert accounts.aliases() == {"dev": "1", "prod": "1"}


def test_a_prompt_and_a_failure_name_the_target(accounts: Accounts) -> None:
    accounts.create()
    terminal = accounts.project.terminal("prune", *BOTH, "--keep", "1", "destroy", *BOTH)
    for target in ("dev", "prod"):
        terminal.expect_exact(f"Delete version 1 of hello ({target})? [y/N] ")
        terminal.sendline("y" if target == "dev" else "n")
    terminal.expect_exact("prune     hello (dev)  deleted version 1")
    for target, answer in (("dev", "prod"), ("prod", "hello")):
        terminal.expect_exact(f"Type hello to delete hello ({target}): ")
        terminal.sendline(answer)

    said = accounts.project.finish(terminal, code=1)

    assert "hello (dev): hello (dev) was not deleted: its name was not typed." in said
    assert "1 of 2 functions failed." in said
    assert accounts.functions() == {"dev": ["hello"], "prod": []}


@pytest.mark.parametrize("words", [["rollback"], ["prune", "--yes"], ["destroy", "--yes"]])
def test_one_function_is_not_changed_twice(accounts: Accounts, words: list[str]) -> None:
    accounts.create()
    accounts.describe(again={"profile": "other", "account_id": OTHER_ACCOUNT})

    result = accounts.project.run(*words, *BOTH, "--target", "again", code=1)

    assert "hello (prod) and hello (again) are the same function: hello" in result.err
    assert accounts.aliases() == UNCHANGED


def located(key: str, region: str = "us-east-1") -> LocatedFunction:
    """Return `hello` in the account of a key, which is not known yet."""
    function = Function(name="hello", key="", parameters={})
    return LocatedFunction(
        parameters=split_parameters(function), account=account_in("", region, key=key)
    )


def test_aws_is_asked_which_account_it_is_where_nobody_knows(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    one, other, again = (located(key) for key in (OTHER_ACCOUNT, "test", OTHER_ACCOUNT))

    check_distinct([one, other])
    check_distinct([one, located(OTHER_ACCOUNT, "eu-west-1")])
    with pytest.raises(SettingsError, match=f"the same function: hello in {OTHER_ACCOUNT}"):
        check_distinct([one, other, again])


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another account": ({"account_id": "123456789012"}, "belong to account 210987654321"),
    "a mistake": ({"functions": {"hello": {"MemorySize": "much"}}}, "MemorySize"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_changes_when_one_target_is_wrong(accounts: Accounts, wrong: str) -> None:
    accounts.create()
    settings, why = WRONG[wrong]
    accounts.describe(prod=settings)

    result = accounts.project.run("rollback", *BOTH, code=1)

    assert why in result.err
    assert accounts.aliases() == UNCHANGED


def test_a_target_that_fails_hides_no_other(accounts: Accounts) -> None:
    accounts.create()
    accounts.clients["dev"].delete_function(FunctionName="hello")

    result = accounts.project.run("rollback", *BOTH, code=1)

    assert "hello (dev): There is no function hello in " in result.err
    assert "rollback  hello (prod)  live: 2 -> 1" in result.err
    assert "1 of 2 functions failed." in result.err
