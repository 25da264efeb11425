"""Schedules of EventBridge Scheduler, deployed with the function that they invoke."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.aws_lambda.describe import HELLO as HELLO_SETTINGS
from tests.aws_lambda.describe import ROLE, describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Proxy
from tests.support import Project

TARGET = {"RoleArn": f"{ROLE}/scheduler", "Input": '{"hour": 2}'}
NIGHTLY: dict[str, Any] = {
    "Name": "nightly",
    "ScheduleExpression": "cron(0 2 * * ? *)",
    "ScheduleExpressionTimezone": "Europe/Berlin",
    "StartDate": "2030-01-31T12:00:00Z",
    "Target": TARGET,
}
HELLO = "arn:aws:lambda:us-east-1:000000000000:function:hello"


@pytest.fixture(autouse=True)
def _source(project: Project) -> None:
    write_source(project)


def deploy(project: Project, *words: str, **settings: Any) -> str:
    describe(project, role="everything", **settings)
    return project.run("deploy", *words).err


def schedules(aws: EmbeddedAws) -> dict[str, Any]:
    client = aws.client("scheduler")
    return {
        each["Name"]: client.get_schedule(Name=each["Name"])
        for each in client.list_schedules()["Schedules"]
    }


def test_a_schedule_is_created_updated_and_deleted(project: Project, aws: EmbeddedAws) -> None:
    deploy(project, schedules=[NIGHTLY])
    unchanged = deploy(project, schedules=[NIGHTLY])
    created = schedules(aws)["nightly"]
    changed = {**NIGHTLY, "State": "DISABLED", "Target": {**TARGET, "Input": "{}"}}
    changed.pop("ScheduleExpressionTimezone")
    describe(project, role="everything", schedules=[changed])
    planned = project.run("plan").err
    project.run("deploy")
    updated = schedules(aws)["nightly"]
    removed = deploy(project, schedules="none")

    assert created["Target"] == {**TARGET, "Arn": HELLO}
    assert created["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert "hello  unchanged" in unchanged
    assert '~ schedules.nightly.Target.Input  {"hour": 2} -> {}' in planned
    assert "~ schedules.nightly.State  ENABLED -> DISABLED" in planned
    assert updated["Target"] == {**TARGET, "Input": "{}", "Arn": HELLO}
    assert updated["ScheduleExpressionTimezone"] == "Europe/Berlin"  # not reset
    assert updated["State"] == "DISABLED"
    assert "- schedules.nightly" in removed or schedules(aws) == {}
    assert schedules(aws) == {}
    assert "hello  unchanged" in deploy(project, schedules="none")


def test_a_schedule_whose_making_is_not_answered_is_not_made_twice(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    proxy.reset("POST /schedules", reached=True)

    assert "create    hello" in deploy(project, schedules=[NIGHTLY])

    assert sorted(schedules(aws)) == ["nightly"]
    assert len([line for line in proxy.requests if line.startswith("POST /schedules")]) == 2


@pytest.fixture
def hangs_up() -> Iterator[tuple[str, list[object]]]:
    """A server that closes each connection at once: its URL, and who connected."""
    connected: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, peer = server.accept()
                    connected.append(peer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}", connected
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.usefixtures("aws")
def test_a_service_that_no_setting_needs_is_tried_once(
    project: Project, hangs_up: tuple[str, list[object]]
) -> None:
    deploy(project)
    project.environ["AWS_ENDPOINT_URL_SCHEDULER"], connected = hangs_up

    planned = project.run("plan")

    assert "hello  unchanged" in planned.err
    assert (
        "cannot check for resources that no setting names: schedules (no connection)" in planned.err
    )
    assert len(connected) == 1


def test_a_schedule_follows_the_function_to_its_alias(project: Project, aws: EmbeddedAws) -> None:
    deploy(project, schedules=[NIGHTLY])

    deploy(project, schedules=[NIGHTLY], alias="live")
    assert schedules(aws)["nightly"]["Target"]["Arn"] == f"{HELLO}:live"

    deploy(project, schedules=[NIGHTLY])
    assert schedules(aws)["nightly"]["Target"]["Arn"] == HELLO


def test_a_schedule_in_no_setting_is_mentioned_and_pruned(
    project: Project, aws: EmbeddedAws
) -> None:
    deploy(project, schedules=[NIGHTLY, {**NIGHTLY, "Name": "other"}])
    describe(project, role="everything", schedules=[NIGHTLY])

    planned = project.run("plan").err
    assert sorted(schedules(aws)) == ["nightly", "other"]
    project.run("deploy", "--prune", "--yes")

    assert "not in the settings: 1 schedule (removed by --prune)" in planned
    assert sorted(schedules(aws)) == ["nightly"]


def test_a_part_that_leaves_the_settings_is_mentioned_and_pruned(
    project: Project, aws: EmbeddedAws
) -> None:
    deploy(project, schedules=[{**NIGHTLY, "State": "DISABLED"}])
    rest = {key: each for key, each in NIGHTLY.items() if key != "StartDate"}
    rest["Target"] = {"RoleArn": TARGET["RoleArn"]}
    describe(project, role="everything", schedules=[rest])

    planned = project.run("plan", "--exit-code").err
    project.run("deploy", "--prune")

    named = [f"schedules.nightly.{each}" for each in ("State", "StartDate", "Target.Input")]
    assert f"not in the settings: {', '.join(named)} (removed by --prune)" in planned
    found = schedules(aws)["nightly"]
    assert found["State"] == "ENABLED"
    assert "StartDate" not in found
    assert found["Target"] == {"RoleArn": TARGET["RoleArn"], "Arn": HELLO}
    assert project.run("plan", "--prune").err.splitlines()[-1] == "plan      hello  unchanged"


def test_a_schedule_of_another_function_is_not_taken(project: Project, aws: EmbeddedAws) -> None:
    aws.client("scheduler").create_schedule(
        Name="nightly",
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": f"{HELLO}-two", "RoleArn": TARGET["RoleArn"]},
    )
    deploy(project)
    describe(project, role="everything", schedules=[NIGHTLY])

    refused = project.run("deploy", code=1).err

    assert "The schedule nightly exists, and does not invoke hello." in refused
    assert schedules(aws)["nightly"]["Target"]["Arn"] == f"{HELLO}-two"


def test_a_schedule_goes_with_its_function(project: Project, aws: EmbeddedAws) -> None:
    deploy(project, schedules=[NIGHTLY])

    destroyed = project.run("destroy", "--yes").err

    assert "- schedule  default/nightly" in destroyed
    assert schedules(aws) == {}


def test_init_prints_schedules_as_they_are_deployed(project: Project, aws: EmbeddedAws) -> None:
    deploy(project, schedules=[NIGHTLY])

    printed = project.run("init").out

    assert "schedules:" in printed
    assert "Name: nightly" in printed
    assert "Arn: arn:aws:lambda" not in printed


def test_what_the_settings_do_not_name_of_a_schedule_stays(
    project: Project, aws: EmbeddedAws
) -> None:
    retries = {"MaximumRetryAttempts": 9, "MaximumEventAgeInSeconds": 600}
    deploy(project, schedules=[{**NIGHTLY, "Target": {**TARGET, "RetryPolicy": retries}}])

    fewer = {**TARGET, "RetryPolicy": {"MaximumRetryAttempts": 0}}
    deploy(project, schedules=[{**NIGHTLY, "Target": fewer}])

    found = schedules(aws)["nightly"]["Target"]["RetryPolicy"]
    assert found == {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 600}


def test_schedules_of_other_targets_stay_as_they_are(project: Project, aws: EmbeddedAws) -> None:
    def settings(**dev: Any) -> None:
        hello = {**HELLO_SETTINGS, "schedules": [{**NIGHTLY, "Name": "prod"}], "alias": "prod"}
        describe(
            project,
            role="everything",
            aws={
                "functions": {"hello": hello},
                "targets": {"dev": {"functions": {"hello": {"alias": "dev", **dev}}}},
            },
        )

    settings(schedules=[{**NIGHTLY, "Name": "dev"}])
    project.run("deploy")
    project.run("deploy", "--target", "dev")
    pruned = project.run("deploy", "--target", "dev", "--prune", "--yes").err
    settings(schedules="none")
    project.run("deploy", "--target", "dev")
    assert "schedules.prod" not in pruned
    assert sorted(schedules(aws)) == ["prod"]

    settings(schedules=[{**NIGHTLY, "Name": "prod"}])
    taken = project.run("deploy", "--target", "dev", code=1).err

    assert "The schedule prod exists, and does not invoke hello:dev." in taken
    assert schedules(aws)["prod"]["Target"]["Arn"] == f"{HELLO}:prod"


def test_schedules_of_an_alias_go_with_it(project: Project, aws: EmbeddedAws) -> None:
    deploy(project, schedules=[NIGHTLY], alias="live")

    deploy(project, alias="none")

    assert schedules(aws) == {}


def test_schedules_are_listed_once_for_all_functions(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    functions = {
        name: {**HELLO_SETTINGS, "schedules": [{**NIGHTLY, "Name": name}]} for name in "abc"
    }
    describe(project, role="everything", aws={"functions": functions})
    project.run("deploy")
    proxy.requests.clear()

    project.run("plan")

    assert [line for line in proxy.requests if line.startswith("GET /schedules")].count(
        "GET /schedules"
    ) == 1


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ({"Target": {**TARGET, "Arn": HELLO}}, "schedules[0].Target.Arn` cannot be set"),
        ({"Target": {}}, "schedules[0].Target.RoleArn` is missing."),
        ({"Stat": "ENABLED"}, "schedules[0].Stat` is not a parameter of CreateSchedule. Did you"),
        ({"Name": "a b"}, "schedules[0].Name` must match"),
        ({"ClientToken": "x"}, "schedules[0].ClientToken` cannot be set"),
        ({"StartDate": "soon"}, "schedules[0].StartDate` must be a timestamp"),
        ({"ScheduleExpression": "cron(0 2 * * *)"}, "is 'cron(0 2 * * *)', and must be such as"),
        ({"ScheduleExpression": "every hour"}, "schedules[0].ScheduleExpression` is 'every hour'"),
    ],
)
def test_mistakes_are_told_before_any_call(
    project: Project, schedule: dict[str, Any], problem: str
) -> None:
    project.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"  # nobody answers
    describe(project, schedules=[{**NIGHTLY, **schedule}, {**NIGHTLY, "Name": "n"}])

    assert problem in project.run("deploy", code=1).err


def test_two_schedules_of_one_name_are_a_mistake(project: Project) -> None:
    describe(project, schedules=[NIGHTLY, NIGHTLY])

    assert "contains nightly of group default more than once" in project.run("deploy", code=1).err
