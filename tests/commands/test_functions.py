"""Tasks for existing functions: `rollback`, `prune`, and what several functions have in common.

The other tasks are tested beside what they call: `status`, `invoke`, `logs` and `destroy`, in
`tests/aws_lambda`.
"""

from __future__ import annotations

import re
import threading
import time

import pytest

from tests.aws_lambda.conftest import Hello
from tests.aws_lambda.describe import CODE, HELLO, describe, write_source
from tests.proxy import Handler, Proxy, Rule
from tests.support import Project

NAMES = [f"f{number}" for number in range(6)]


def test_rollback_points_the_alias_to_the_version_before_and_says_so(hello: Hello) -> None:
    hello.create(versions=3)

    result = hello.project.run("rollback")

    assert "account   000000000000, us-east-1, as arn:aws:sts::" in result.err
    assert "rollback  hello  live: 3 -> 2" in result.err
    assert hello.alias()["FunctionVersion"] == "2"


def test_lambda_is_connected_while_aws_is_asked_which_account_it_is(
    hello: Hello, proxy: Proxy
) -> None:
    hello.create(versions=2)
    hello.project.run("assume")
    proxy.connections = 0
    found: list[int] = []

    def wait_for_another(handler: Handler) -> bool:
        deadline = time.monotonic() + 20
        while proxy.connections < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        found.append(proxy.connections)
        return False

    proxy.rules.append(Rule("GetCallerIdentity", wait_for_another))
    hello.project.run("assume", "rollback")

    assert found == [2]


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


def test_nothing_is_rolled_back_if_one_function_has_no_alias(
    project: Project, proxy: Proxy
) -> None:
    functions = {"one": {**HELLO, "alias": "live"}, "two": HELLO}
    describe(project, role="everything", aws={"functions": functions})

    result = project.run("rollback", code=1)

    assert "two cannot be rolled back: there is no `alias`." in result.err
    assert proxy.requests == []


def test_rollback_moves_nothing_under_dry(hello: Hello) -> None:
    hello.create(versions=2)

    assert "rollback  hello  would move live: 2 -> 1" in hello.project.run("--dry", "rollback").err
    assert hello.alias()["FunctionVersion"] == "2"


def test_rollback_lists_the_versions_if_the_requested_one_does_not_exist(hello: Hello) -> None:
    hello.create(versions=2)

    result = hello.project.run("rollback", "--to", "7", code=1)

    assert "hello cannot be rolled back from version 2 to version 7." in result.err
    assert "why: There is no version 7." in result.err
    assert "Name another version with --to (1), or deploy again." in result.err
    assert hello.alias()["FunctionVersion"] == "2"


def test_rollback_says_why_it_cannot_go_back_any_further(hello: Hello) -> None:
    hello.create(versions=3)
    hello.project.run("rollback")

    again = hello.project.run("rollback", code=1).err
    same = hello.project.run("rollback", "--to", "2", code=1).err

    assert "why: live was rolled back to version 2. Which one served before that is not" in again
    assert "only a deploy that moves the alias records it" in again
    assert "Name another version with --to (1, 3), or deploy again." in again
    assert "why: live points to it already." in same
    assert hello.alias()["FunctionVersion"] == "2"


def test_rollback_of_the_first_version_says_that_there_is_none_before(hello: Hello) -> None:
    hello.create(versions=1)

    err = hello.project.run("rollback", code=1).err

    assert "why: No earlier version is published." in err
    assert "fix: Deploy another version first." in err


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


@pytest.fixture
def many(project: Project, proxy: Proxy) -> Project:
    """A project with six functions of two versions each."""
    functions = {key: {**HELLO, "alias": "live"} for key in NAMES}
    describe(project, role="everything", aws={"functions": functions})
    for text in (CODE, f"{CODE}# changed\n"):
        write_source(project, text)
        project.run("deploy")
    proxy.requests.clear()
    proxy.busiest = 0
    proxy.delay = 0.5
    return project


def told(err: str, event: str) -> list[str]:
    """Return the functions that lines of an event are about, in order."""
    return re.findall(rf"^{event} +(\w+)  ", err, re.MULTILINE)


def test_many_are_rolled_back_at_once_with_three_calls_each(many: Project, proxy: Proxy) -> None:
    result = many.run("rollback")

    assert told(result.err, "rollback") == NAMES
    functions = "/2015-03-31/functions"
    assert sorted(proxy.lambda_requests()) == sorted(
        call
        for name in NAMES
        for call in (
            f"GET {functions}/{name}/aliases/live",
            f"GET {functions}/{name}?Qualifier=1",
            f"PUT {functions}/{name}/aliases/live",
        )
    )
    assert proxy.busiest == len(NAMES)


def test_of_many_one_that_fails_hides_no_other_and_all_are_in_order(
    many: Project, proxy: Proxy
) -> None:
    proxy.refuse("functions/f1/", 403, "AccessDeniedException", "no", times=9)

    invoked = many.run("invoke", "--payload", '"x"', code=1)
    pruned = many.run("prune", "--keep", "1", "--yes", code=1)

    assert invoked.out.count("stage") == len(NAMES) - 1
    assert re.findall(r"^invoke +(\w+)$", invoked.err, re.MULTILINE) == [
        name for name in NAMES if name != "f1"
    ]
    assert proxy.busiest >= len(NAMES)
    for result in (invoked, pruned):
        assert "f1: Lambda could not " in result.err
        assert "1 of 6 functions failed." in result.err
    assert told(pruned.err, "prune") == [name for name in NAMES if name != "f1"]


@pytest.mark.parametrize(
    ("words", "request_", "told_of"),
    [
        (("rollback",), "PUT .*/functions/f5/", r"rollback +(\w+)  live: 2 -> 1"),
        (("destroy", "--yes"), "DELETE .*/functions/f5$", r"(\w+)  deleted; its log"),
    ],
)
def test_after_ctrl_c_what_has_begun_is_waited_for_and_shown(
    many: Project, proxy: Proxy, words: tuple[str, ...], request_: str, told_of: str
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def hold(handler: Handler) -> bool:
        reached.set()
        go_on.wait(20)
        return False

    proxy.rules.append(Rule(request_, hold))
    terminal = many.terminal(*words)
    assert reached.wait(40)

    terminal.sendintr()
    terminal.expect(r"stopping  waiting for .*f5.*, so that \w+ \w+ not left half-changed")
    go_on.set()

    before = str(terminal.before)
    assert re.findall(told_of, before + many.finish(terminal, code=130)) == NAMES


def test_a_failure_is_shown_after_ctrl_c_too(many: Project, proxy: Proxy) -> None:
    reached = threading.Event()

    def fail(handler: Handler) -> bool:
        reached.set()
        time.sleep(2)
        handler.send(403, {"x-amzn-ErrorType": "AccessDeniedException"}, b'{"Message": "no"}')
        return True

    proxy.rules.append(Rule("PUT .*/functions/f1/", fail))
    terminal = many.terminal("rollback")
    assert reached.wait(40)

    terminal.sendintr()

    assert "f1: Lambda could not roll back f1" in many.finish(terminal, code=1)


def test_destroy_asks_about_all_in_order_before_anything_is_deleted(
    many: Project, proxy: Proxy
) -> None:
    terminal = many.terminal("destroy")
    for name in NAMES:
        terminal.expect_exact(f"Type {name} to delete it: ")
        assert not [line for line in proxy.requests if line.startswith("DELETE")]
        terminal.sendline("no" if name == "f2" else name)

    said = many.finish(terminal, code=1)

    assert "f2 was not deleted: its name was not typed." in said
    deleted = {line.rpartition("/")[2] for line in proxy.requests if line.startswith("DELETE")}
    assert deleted == {*NAMES} - {"f2"}
    assert sum("event-source-mappings" in line for line in proxy.requests) == 1
    assert re.findall(r"(\w+)  deleted; its log", said) == [each for each in NAMES if each != "f2"]
