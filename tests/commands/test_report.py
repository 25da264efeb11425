"""`--json` prints a list on stdout, whatever happens, and tasks return the same to Python."""

from __future__ import annotations

import json
import signal
import threading
from typing import Any

import pytest

from tests import local_aws
from tests.aws_lambda.conftest import Hello
from tests.aws_lambda.describe import HELLO, ROLE, describe, write_source
from tests.commands.conftest import BOTH, OTHER_ACCOUNT, Accounts
from tests.conftest import EmbeddedAws
from tests.proxy import Handler, Proxy, Rule
from tests.support import Project, Result

VARIABLE = "Environment.Variables.STAGE"


def printed(result: Result) -> dict[str, dict[str, Any]]:
    """Return the list on stdout, by function and target."""
    found = json.loads(result.out)
    return {"@".join(filter(None, [each["function"], each["target"]])): each for each in found}


def changes(found: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {each["path"]: (each["before"], each["after"]) for each in found["changes"]}


def test_a_deploy_is_an_object_for_each_function_and_target(accounts: Accounts) -> None:
    accounts.describe({"url": {"AuthType": "AWS_IAM"}, "smoke": {"expect": {}}})

    first = accounts.project.run("deploy", *BOTH, "--json")
    again = printed(accounts.project.run("deploy", *BOTH, "--json"))

    found = printed(first)
    assert list(found) == list(again) == ["hello@dev", "hello@prod"]
    for target, account in (("dev", local_aws.ACCOUNT), ("prod", OTHER_ACCOUNT)):
        client = accounts.clients[target]
        url = client.get_function_url_config(FunctionName="hello", Qualifier="live")["FunctionUrl"]
        made = found[f"hello@{target}"]
        assert f"url       hello ({target})  {url}\n" in first.err
        assert f"smoke     hello ({target})  version 1 responds as expected\n" in first.err
        assert (made.pop("seconds") > 0, made.pop("changes") != []) == (True, True)
        assert made == {
            "function": "hello",
            "target": target,
            "FunctionName": "hello",
            "account": account,
            "region": local_aws.REGION,
            "result": "created",
            "Version": "1",
            "FunctionUrl": url,
            "layers": [],
            "error": None,
        }
        unchanged = {**made, "result": "unchanged", "changes": [], "seconds": 0}
        assert again[f"hello@{target}"] == unchanged


def test_a_plan_has_its_changes_and_those_of_layers_with_values_masked(
    project: Project, aws: EmbeddedAws
) -> None:
    write_source(project)
    describe(project, role="everything")
    project.run("deploy")
    (project.folder / "common").mkdir()
    (project.folder / "common" / "common.txt").write_text("common")
    layers = {"common": {"source": "common", "requirements": "none"}}
    changed = {
        "MemorySize": 512,
        "Environment": {"Variables": {"STAGE": "changed"}},
        "layers": ["common"],
    }
    functions = {"hello": {**HELLO, **changed}}
    describe(project, role="everything", aws={"functions": functions, "layers": layers})

    plain = project.run("plan", "--json", "--exit-code", code=2)
    shown = printed(project.run("deploy", "--dry-run", "--json", "--show-values"))["hello"]

    found = printed(plain)["hello"]
    assert (found["result"], found["error"], found["Version"]) == ("update", None, None)
    assert changes(found)["MemorySize"] == (256, 512)
    assert changes(found)[VARIABLE] == ("***", "***")
    assert changes(shown)[VARIABLE] == ("test", "changed")
    (layer,) = found["layers"]
    assert (layer["layer"], layer["LayerName"]) == ("common", "common")
    assert layer["LayerVersionArn"] is None
    (before, after) = changes(layer)["layer common"]
    assert (before, "1 file" in after) == (None, True)

    (published,) = printed(project.run("deploy", "--json"))["hello"]["layers"]
    assert published["LayerVersionArn"].endswith(":layer:common:1")
    assert changes(published) == changes(layer)


def test_one_that_fails_has_its_error_and_the_others_are_there(
    project: Project, aws: EmbeddedAws
) -> None:
    write_source(project)
    bad = {**HELLO, "Role": f"{ROLE}/not-there"}
    describe(project, role="everything", aws={"functions": {"bad": bad, "good": HELLO}})

    result = project.run("deploy", "--json", code=1)

    found = printed(result)
    assert {name: each["result"] for name, each in found.items()} == {
        "bad": "failed",
        "good": "created",
    }
    assert found["bad"]["error"].startswith("Lambda could not create the function bad.\n  why: ")
    assert f"bad: {found['bad']['error']}" in result.err
    assert "1 of 2 functions could not be deployed." in result.err


def test_after_ctrl_c_the_list_says_what_was_not_started(project: Project, proxy: Proxy) -> None:
    write_source(project)
    describe(project, role="everything", aws={"functions": {"one": HELLO, "two": HELLO}})
    reached, go_on = threading.Event(), threading.Event()

    def hold(handler: Handler) -> bool:
        reached.set()
        go_on.wait(20)
        return False

    proxy.rules.append(Rule("POST .*/functions$", hold))
    deploying = project.start("deploy", "--json", "--parallel", "1")
    assert reached.wait(40)

    deploying.send_signal(signal.SIGINT)
    assert deploying.stderr
    while not deploying.stderr.readline().startswith("stopping"):
        pass
    go_on.set()
    out, err = deploying.communicate(timeout=60)

    assert deploying.returncode == 130, err
    results = [(each["function"], each["result"]) for each in json.loads(out)]
    assert results == [("one", "created"), ("two", "not started")]


def test_what_cannot_be_planned_is_in_the_list_too(project: Project, proxy: Proxy) -> None:
    write_source(project)
    functions = {"bad": HELLO, "good": HELLO}
    describe(project, role="everything", aws={"functions": functions})
    proxy.refuse("functions/bad", 403, "AccessDeniedException", "no", times=9)

    planned = printed(project.run("plan", "--json", code=1))
    deployed = printed(project.run("deploy", "--json", code=1))

    assert [each["result"] for each in planned.values()] == ["failed", "create"]
    assert [each["result"] for each in deployed.values()] == ["failed", "not started"]
    assert "Lambda could not read the function bad." in planned["bad"]["error"]


def test_the_list_has_the_status_of_what_fails_too(hello: Hello) -> None:
    hello.describe("forbidden")
    hello.create()

    found = printed(hello.project.run("status", "--json", code=1))

    assert (found["hello"]["State"], found["hello"]["error"]) == ("Active", None)
    assert found["forbidden"]["State"] is None
    assert "Lambda could not show forbidden." in found["forbidden"]["error"]


@pytest.mark.parametrize("task", ["deploy", "plan", "status"])
def test_the_list_is_empty_if_a_mistake_comes_first(project: Project, task: str) -> None:
    describe(project, MemorySize="much")

    result = project.run(task, "--json", code=1)

    assert json.loads(result.out) == []
    assert "MemorySize" in result.err


TASKS = """
from dataclasses import FrozenInstanceError
from invoke import task
from tasks_aws import Deployment, DeploymentChange, FunctionStatus, deploy, plan, status

@task
def all_of_them(c):
    (planned,), (deployed,), (shown,) = plan(c), deploy(c), status(c)
    assert isinstance(planned, Deployment) and isinstance(planned.changes[0], DeploymentChange)
    assert isinstance(shown, FunctionStatus)
    print("RESULTS", planned.result, deployed.result, shown.state, planned.differs)
    print("SAME", deployed.function_name == shown.function_name == "hello", "test" in repr(planned))
    try:
        deployed.result = "changed"
    except FrozenInstanceError:
        print("FROZEN")
    (again,) = deploy(c, function="hello")
    print("AGAIN", again.result, again.differs)
"""


def test_tasks_return_frozen_results_to_python(project: Project, aws: EmbeddedAws) -> None:
    write_source(project)
    describe(project)
    project.tasks(TASKS)

    lines = project.run("all-of-them").out.splitlines()

    assert "RESULTS create created Active True" in lines
    assert "SAME True False" in lines
    assert "FROZEN" in lines
    assert "AGAIN unchanged False" in lines
