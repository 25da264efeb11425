"""A new version gets a share of the traffic first, and loses it if it has errors."""

from __future__ import annotations

import time
from datetime import datetime, timezone

import pytest
from mypy_boto3_lambda import LambdaClient

from tests.aws_lambda.describe import describe, write_source
from tests.aws_lambda.test_versions import alias, change, weights
from tests.conftest import EmbeddedAws
from tests.local_aws import REGION
from tests.support import Project


@pytest.fixture
def client(project: Project, aws: EmbeddedAws) -> LambdaClient:
    """A client, once a first version is deployed and the code has changed since."""
    write_source(project)
    describe(project, role="everything", alias="live")
    project.run("deploy")
    change(project)
    return aws.functions()


def wait_for_weight(client: LambdaClient, name: str = "live", version: str = "2") -> None:
    deadline = time.monotonic() + 30
    while not weights(client, name):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert weights(client, name) == {version: 0.1}


def assert_points_to(client: LambdaClient, version: str, name: str = "live") -> None:
    assert alias(client, name)["FunctionVersion"] == version
    assert not weights(client, name)


def test_it_gets_all_of_the_traffic_when_it_has_no_errors(
    project: Project, client: LambdaClient
) -> None:
    describe(project, role="everything", alias="live", canary="10% for 2s")

    result = project.run("deploy")

    assert "canary    hello  version 2 gets 10 % of live for 2.0 s" in result.err
    assert "canary    hello  version 2 had no errors; no invocation counted so far" in result.err
    assert_points_to(client, "2")


def test_its_last_line_says_how_many_invocations_were_without_errors(
    project: Project, aws: EmbeddedAws, client: LambdaClient
) -> None:
    describe(project, role="everything", alias="counted", canary="10% for 5s")
    project.run("deploy")
    change(project, "# changed again\n")
    process = project.start("deploy")
    wait_for_weight(client, "counted", "3")
    dimensions = {"FunctionName": "hello", "Resource": "hello:counted", "ExecutedVersion": "3"}
    aws.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "Invocations",
                "Value": 42,
                "Dimensions": [{"Name": key, "Value": each} for key, each in dimensions.items()],
            }
        ],
    )

    assert "had no errors; 42 invocations counted so far" in process.communicate()[1]


@pytest.mark.parametrize(
    ("count", "words", "function"),
    [
        (3, "It had 3 errors.", "hello"),
        (1, "It had 1 error.", f"arn:aws:lambda:{REGION}:000000000000:function:hello"),
    ],
)
def test_it_is_stopped_when_it_has_errors(
    project: Project, aws: EmbeddedAws, client: LambdaClient, count: int, words: str, function: str
) -> None:
    name = f"counted-{count}"  # an alias of its own: what MiniStack has counted stays
    describe(project, role="everything", alias=name)
    project.run("deploy")
    change(project, "# changed again\n")
    canary = "10% for 20s"
    describe(project, role="everything", alias=name, canary=canary, FunctionName=function)
    process = project.start("deploy")
    wait_for_weight(client, name, "3")
    dimensions = {"FunctionName": "hello", "Resource": f"hello:{name}", "ExecutedVersion": "3"}
    aws.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[
            {
                "MetricName": "Errors",
                "Dimensions": [{"Name": key, "Value": dimensions[key]} for key in dimensions],
                "Timestamp": datetime.now(timezone.utc),
                "Value": count,
            }
        ],
    )

    _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert f"The canary of {function}, version 3, was stopped." in err
    assert words in err
    assert f"{name} points to version 2 only" in err
    assert_points_to(client, "2", name)


def test_a_terminal_shows_its_share_its_time_and_its_errors(
    project: Project, client: LambdaClient
) -> None:
    describe(project, role="everything", alias="live", canary="10% for 3s")

    terminal = project.terminal("deploy", columns=80)

    for left in ("3 s", "2 s", "1 s"):
        terminal.expect(f"update    hello  canary: version 2 gets 10 %, {left} left, no errors")
    project.finish(terminal)
    assert_points_to(client, "2")


def test_it_is_stopped_on_ctrl_c(project: Project, client: LambdaClient) -> None:
    describe(project, role="everything", alias="live", canary="10% for 20s")
    terminal = project.terminal("deploy")
    terminal.expect_exact("gets 10 % of live")
    wait_for_weight(client)

    terminal.sendintr()

    assert "The deploy was interrupted." in project.finish(terminal, code=130)
    assert_points_to(client, "1")
