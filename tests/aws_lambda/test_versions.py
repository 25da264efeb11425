"""Versions, the alias, smoke tests and canaries, on the embedded AWS."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_lambda import LambdaClient

from tests.aws_lambda.describe import CODE, describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Handler, Proxy, Rule
from tests.support import Project, nosy_repository

SMOKE = {"payload": {"a": 1}, "expect": {"event": {"a": 1}}}
FAILING = "def handler(event, context):\n    raise ValueError('no')\n"


@pytest.fixture(autouse=True)
def _source(project: Project, aws: EmbeddedAws) -> None:
    write_source(project)
    describe(project, role="everything", alias="live")


@pytest.fixture
def client(aws: EmbeddedAws) -> LambdaClient:
    return aws.functions()


def alias(client: LambdaClient, name: str = "live") -> dict[str, Any]:
    return dict(client.get_alias(FunctionName="hello", Name=name))


def weights(client: LambdaClient, name: str = "live") -> dict[str, float]:
    found: dict[str, Any] = alias(client, name).get("RoutingConfig") or {}
    return dict(found.get("AdditionalVersionWeights") or {})


def versions(client: LambdaClient) -> list[str]:
    return [
        each["Version"]
        for each in client.list_versions_by_function(FunctionName="hello")["Versions"]
        if each["Version"] != "$LATEST"
    ]


def change(project: Project, text: str = "# changed\n") -> None:
    write_source(project, CODE + text)


def test_a_version_is_published_with_the_commit_and_the_alias_has_it(
    project: Project, client: LambdaClient
) -> None:
    def git(*words: str) -> str:
        names = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", *names, *words]
        return subprocess.run(
            command, cwd=project.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")

    result = project.run("deploy")

    assert "create    hello  version 1, " in result.err
    assert alias(client)["FunctionVersion"] == "1"
    found = client.get_function(FunctionName="hello", Qualifier="1")["Configuration"]
    assert found["Description"] == git("rev-parse", "HEAD")


def test_git_is_asked_for_the_commit_without_the_session(
    project: Project, client: LambdaClient, tmp_path: Path
) -> None:
    nosy_repository(project.folder, tmp_path / "seen")

    project.run("assume", "deploy", environ={"KEPT": "1"})

    seen = (tmp_path / "seen").read_text()
    assert "KEPT=1\n" in seen
    assert "AWS_SESSION_TOKEN" not in seen


def test_what_is_unchanged_gets_no_new_version(project: Project, client: LambdaClient) -> None:
    project.run("deploy")
    before = alias(client)["RevisionId"]

    assert "hello  unchanged" in project.run("deploy").err
    assert (alias(client)["RevisionId"], versions(client)) == (before, ["1"])


def test_configuration_alone_is_a_new_version_too(project: Project, client: LambdaClient) -> None:
    project.run("deploy")
    describe(project, role="everything", alias="live", MemorySize=512)

    assert "update    hello  MemorySize, alias live, version 2, " in project.run("deploy").err
    found = client.get_function(FunctionName="hello", Qualifier="live")["Configuration"]
    assert (found["Version"], found["MemorySize"]) == ("2", 512)


def test_a_smoke_test_that_fails_keeps_the_version_of_before(
    project: Project, client: LambdaClient
) -> None:
    describe(project, role="everything", alias="live", smoke=SMOKE)
    assert "smoke     hello  version 1 responds as expected" in project.run("deploy").err
    write_source(project, FAILING)

    result = project.run("deploy", "--json", code=1)

    (printed,) = json.loads(result.out)
    assert (printed["result"], printed["Version"]) == ("failed", "1")
    assert "hello, version 2, failed its smoke test: Unhandled." in result.err
    assert '"errorMessage": "no"' in result.err
    assert "The alias was not moved" in result.err
    assert alias(client)["FunctionVersion"] == "1"
    change(project)
    project.run("deploy")
    assert alias(client)["FunctionVersion"] == "3"


@pytest.mark.parametrize(
    ("expect", "passes"),
    [
        ({"stage": "test"}, True),
        ({"stage": "prod"}, False),
        ({"missing": None}, False),
        ({"event": {"list": [1, {"x": 2}]}}, True),
        ({"event": {"list": [1]}}, False),
    ],
)
def test_an_answer_has_to_contain_what_is_expected(
    project: Project, expect: dict[str, Any], passes: bool
) -> None:
    payload = {"list": [1, {"x": 2, "y": 3}]}
    smoke = {"payload": payload, "expect": expect}
    describe(project, role="everything", alias="live", smoke=smoke)

    result = project.run("deploy", code=0 if passes else 1)

    assert ("failed its smoke test" in result.err) is not passes


def test_without_an_alias_a_smoke_test_says_that_the_code_serves_already(project: Project) -> None:
    write_source(project, FAILING)
    describe(project, role="everything", smoke=SMOKE)

    assert "It is already live" in project.run("deploy", code=1).err


def test_a_smoke_test_that_fails_at_first_creates_no_alias(
    project: Project, client: LambdaClient
) -> None:
    write_source(project, FAILING)
    describe(project, role="everything", alias="live", smoke=SMOKE)

    result = project.run("deploy", code=1)

    assert "The alias live was not created: nothing serves there yet." in result.err
    assert client.list_aliases(FunctionName="hello")["Aliases"] == []


def test_weights_that_others_left_are_cleared(project: Project, client: LambdaClient) -> None:
    project.run("deploy")
    change(project)
    project.run("deploy")
    client.update_alias(
        FunctionName="hello",
        Name="live",
        FunctionVersion="2",
        RoutingConfig={"AdditionalVersionWeights": {"1": 0.3}},
    )
    change(project, "# again\n")

    project.run("deploy")

    assert alias(client)["FunctionVersion"] == "3"
    assert not weights(client)


def test_weights_are_cleared_even_if_nothing_else_has_changed(
    project: Project, client: LambdaClient
) -> None:
    project.run("deploy")
    change(project)
    project.run("deploy")
    routing: Any = {"AdditionalVersionWeights": {"1": 0.3}}
    client.update_alias(
        FunctionName="hello", Name="live", FunctionVersion="2", RoutingConfig=routing
    )

    assert "- alias live: weight of version 1  0.3" in project.run("plan").err
    project.run("deploy")

    assert (alias(client)["FunctionVersion"], weights(client)) == ("2", {})
    assert "unchanged" in project.run("plan", "--exit-code").err


def test_a_description_is_no_difference_from_a_version_that_the_commit_describes(
    project: Project, client: LambdaClient
) -> None:
    describe(project, role="everything", alias="live", Description="says hello")
    words = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for rest in (["init", "-q"], ["add", "src"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*words, *rest], cwd=project.folder, check=True)
    project.run("deploy")

    assert "unchanged" in project.run("plan", "--exit-code").err


def test_what_does_not_exist_is_not_rolled_back(project: Project, client: LambdaClient) -> None:
    write_source(project)
    describe(project, role="everything", alias="live")
    missing = project.run("rollback", code=1).err
    describe(project, role="everything")
    project.run("deploy")
    describe(project, role="everything", alias="live")

    assert "There is no function hello in 000000000000, us-east-1." in missing
    assert "hello has no alias live to roll back." in project.run("rollback", code=1).err


def test_a_second_rollback_does_not_guess(project: Project, client: LambdaClient) -> None:
    describe(project, role="everything", alias="live", smoke=SMOKE)
    project.run("deploy")
    write_source(project, FAILING)
    project.run("deploy", code=1)
    change(project)
    project.run("deploy")
    change(project, "# again\n")
    project.run("deploy")

    assert "live: 4 -> 3" in project.run("rollback").err
    assert "Name another version with --to" in project.run("rollback", code=1).err
    assert "live: 3 -> 1" in project.run("rollback", "--to", "1").err


def test_a_new_alias_has_no_version_to_go_back_to(project: Project, client: LambdaClient) -> None:
    project.run("deploy")
    change(project)
    project.run("deploy")
    describe(project, role="everything", alias="blue")
    project.run("deploy")

    refused = project.run("rollback", code=1).err

    assert "blue has pointed to no other version." in refused
    assert "Name another version with --to (1)" in refused


def test_an_alias_that_pointed_to_latest_has_no_version_to_go_back_to(
    project: Project, client: LambdaClient
) -> None:
    project.run("deploy")
    client.update_alias(FunctionName="hello", Name="live", FunctionVersion="$LATEST")
    change(project)
    project.run("deploy")

    refused = project.run("rollback", code=1).err

    assert "live pointed to $LATEST before, which has changed since." in refused
    assert "Name another version with --to (1)" in refused


@pytest.mark.parametrize("words", [(), ("--to", "1")])
def test_a_rollback_gives_all_traffic_back_to_the_version_that_has_most_of_it(
    project: Project, client: LambdaClient, words: tuple[str, ...]
) -> None:
    project.run("deploy")
    change(project)
    project.run("deploy")
    routing: Any = {"AdditionalVersionWeights": {"2": 0.1}}
    client.update_alias(
        FunctionName="hello", Name="live", FunctionVersion="1", RoutingConfig=routing
    )

    assert "live: 2 -> 1" in project.run("rollback", *words).err
    assert (alias(client)["FunctionVersion"], weights(client)) == ("1", {})


def test_where_nothing_is_recorded_the_version_published_before_is_named_as_such(
    project: Project, client: LambdaClient
) -> None:
    project.run("deploy")
    change(project)
    project.run("deploy")
    client.update_alias(FunctionName="hello", Name="live", Description="of another tool")

    said = project.run("rollback").err

    assert "live: 2 -> 1, published before it: live records no other" in said


def test_the_version_that_was_rolled_back_is_not_pruned(
    project: Project, client: LambdaClient
) -> None:
    project.run("deploy")
    for text in ("# 2\n", "# 3\n"):
        change(project, text)
        project.run("deploy")
    project.run("rollback", "--to", "1")
    project.run("rollback", "--to", "2")
    project.run("prune", "--keep", "1", "--yes")

    assert versions(client) == ["1", "2", "3"]


def test_an_alias_that_was_moved_by_hand_is_moved_back(
    project: Project, client: LambdaClient
) -> None:
    project.run("deploy")
    change(project)
    project.run("deploy")
    client.update_alias(FunctionName="hello", Name="live", FunctionVersion="1")

    result = project.run("plan")
    assert "plan      hello  update alias live" in result.err
    assert "~ alias live  version 1 -> the new version" in result.err
    project.run("deploy")
    assert alias(client)["FunctionVersion"] == "2"


def test_old_versions_go_but_for_those_that_an_alias_uses(
    project: Project, client: LambdaClient
) -> None:
    describe(project, role="everything", alias="live", keep_versions=1)
    project.run("deploy")
    client.create_alias(FunctionName="hello", Name="pinned", FunctionVersion="1")
    for text in ("# 2\n", "# 3\n", "# 4\n"):
        change(project, text)
        result = project.run("deploy")

    # 1 is pinned, and 3 is what a rollback goes back to.
    assert versions(client) == ["1", "3", "4"]
    assert "prune     hello  deleted version 2" in result.err


REFUSALS = [
    (403, "AccessDeniedException", "not authorized to perform: lambda:DeleteFunction"),
    (400, "InvalidParameterValueException", "… because it is a replicated function."),
]


@pytest.mark.parametrize(("status", "code", "message"), REFUSALS)
def test_a_version_that_cannot_be_deleted_is_a_warning_after_a_deploy(
    project: Project, client: LambdaClient, proxy: Proxy, status: int, code: str, message: str
) -> None:
    describe(project, role="everything", alias="live", keep_versions=1)
    for text in ("# 1\n", "# 2\n", "# 3\n"):
        change(project, text)
        project.run("deploy")
    proxy.refuse(r"^DELETE .*Qualifier=2$", status, code, message)
    change(project, "# 4\n")

    result = project.run("deploy")

    assert "warning   Lambda could not delete old versions of hello. " in result.err
    assert message in result.err
    assert alias(client)["FunctionVersion"] == "4"


def test_prune_deletes_what_it_can_and_fails(
    project: Project, client: LambdaClient, proxy: Proxy
) -> None:
    for text in ("# 1\n", "# 2\n", "# 3\n", "# 4\n"):
        change(project, text)
        project.run("deploy")
    proxy.refuse(r"^DELETE .*Qualifier=1$", *REFUSALS[1])

    result = project.run("prune", "--keep", "1", "--yes", code=1)

    assert "prune     hello  deleted version 2\n" in result.err
    assert "replicated function" in result.err
    assert versions(client) == ["1", "3", "4"]


def fail(now: Any) -> None:
    now["Configuration"].update(State="Failed", StateReason="no snapshot")


def test_a_version_that_failed_is_deleted_so_that_the_next_deploy_has_another(
    project: Project, client: LambdaClient, proxy: Proxy
) -> None:
    proxy.edit(r"^GET .*Qualifier=1$", fail)

    result = project.run("deploy", code=1)

    assert "Lambda could not start hello, version 1." in result.err
    assert "no snapshot" in result.err
    assert "The alias was not moved." in result.err
    assert versions(client) == []
    project.run("deploy")
    assert alias(client)["FunctionVersion"] == "2"


def test_a_version_that_failed_in_an_earlier_deploy_is_replaced_at_once(
    project: Project, client: LambdaClient, proxy: Proxy
) -> None:
    proxy.edit(r"^GET .*Qualifier=1$", fail)
    proxy.edit(r"^POST .*/versions$", lambda now: now.update(State="Failed"))

    project.run("deploy")

    assert versions(client) == ["2"]
    assert alias(client)["FunctionVersion"] == "2"


def test_versions_with_running_durable_executions_are_kept(
    project: Project, client: LambdaClient, proxy: Proxy
) -> None:
    def are_durable(answer: Any) -> None:
        for each in answer["Versions"]:
            each["DurableConfig"] = {"ExecutionTimeout": 60}

    def list_running(handler: Handler) -> bool:
        running = [{"Status": "RUNNING"}] if "Qualifier=1&" in handler.path else []
        assert "Statuses=RUNNING" in handler.path
        handler.send(200, {}, json.dumps({"DurableExecutions": running}).encode())
        return True

    proxy.edit("GET .*/functions/hello/versions", are_durable, times=float("inf"))
    proxy.rules.append(Rule("GET .*/durable-executions", list_running, float("inf")))
    for number in range(4):
        change(project, f"# {number}\n")
        project.run("deploy")

    pruned = project.run("prune", "--keep", "1", "--yes").err

    assert "version 1 kept: durable executions are running" in pruned
    assert "deleted version 2" in pruned
    assert versions(client) == ["1", "3", "4"]
