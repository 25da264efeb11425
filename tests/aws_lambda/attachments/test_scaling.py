"""A function on Lambda Managed Instances: what callers get is $LATEST.PUBLISHED, and it scales."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest

from tests.aws_lambda.describe import ROLE, describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Handler, Proxy, Rule
from tests.support import Project

PROVIDER = "arn:aws:lambda:us-east-1:000000000000:capacity-provider:ours"
MANAGED = {
    "CapacityProviderConfig": {
        "LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": PROVIDER}
    }
}
SCALING = {"MinExecutionEnvironments": 3, "MaxExecutionEnvironments": 9}


@dataclass
class ManagedInstances:
    """What Lambda has of them, and MiniStack has not."""

    aws: EmbeddedAws
    published: Any = None  # the configuration of $LATEST.PUBLISHED
    scaling: Any = None
    reason: str = ""  # why a version fails to start
    invoked: list[str] = field(default_factory=list)

    def publish(self, handler: Handler) -> bool:
        assert json.loads(handler.body)["PublishTo"] == "LATEST_PUBLISHED"
        found: Any = self.aws.functions().get_function(FunctionName="hello")["Configuration"]
        self.published = {
            key: value for key, value in found.items() if key not in ("ResponseMetadata",)
        } | {"Version": "$LATEST.PUBLISHED"}
        if self.reason:
            self.published |= {"State": "Failed", "StateReason": self.reason}
        return self._answer(handler, 201, self.published)

    def get(self, handler: Handler) -> bool:
        if self.published is None:
            return self._missing(handler)
        return self._answer(handler, 200, {"Configuration": self.published, "Code": {}})

    def scale(self, handler: Handler) -> bool:
        assert "Qualifier=$LATEST.PUBLISHED" in unquote(handler.path)
        if handler.command == "PUT":
            self.scaling = json.loads(handler.body)["FunctionScalingConfig"]
            return self._answer(handler, 202, {"FunctionState": "Active"})
        if self.scaling is None:
            return self._missing(handler)
        return self._answer(handler, 200, {"RequestedFunctionScalingConfig": self.scaling})

    def invoke(self, handler: Handler) -> bool:
        self.invoked.append(unquote(handler.path))
        return self._answer(handler, 200, "hello")

    def _missing(self, handler: Handler) -> bool:
        kind = {"x-amzn-ErrorType": "ResourceNotFoundException"}
        handler.send(404, kind, b'{"Message": "There is none."}')
        return True

    def _answer(self, handler: Handler, status: int, value: object) -> bool:
        handler.send(status, {"Content-Type": "application/json"}, json.dumps(value).encode())
        return True


@pytest.fixture
def instances(project: Project, aws: EmbeddedAws, proxy: Proxy) -> ManagedInstances:
    write_source(project)
    made = ManagedInstances(aws)
    for pattern, happen in (
        ("POST .*/functions/hello/versions", made.publish),
        ("GET .*/functions/hello.Qualifier=", made.get),
        (".*/functions/hello/function-scaling-config", made.scale),
        ("POST .*/functions/hello/invocations", made.invoke),
    ):
        proxy.rules.append(Rule(pattern, happen, float("inf")))
    return made


def test_each_deploy_publishes_what_callers_get_and_scales_it(
    project: Project, instances: ManagedInstances
) -> None:
    describe(project, role="everything", smoke={}, FunctionScalingConfig=SCALING, **MANAGED)
    created = project.run("deploy").err
    unchanged = project.run("plan").err
    describe(
        project,
        role="everything",
        smoke={},
        MemorySize=512,
        FunctionScalingConfig={"MaxExecutionEnvironments": 5},
        **MANAGED,
    )
    planned = project.run("plan").err
    project.run("deploy")

    assert "version $LATEST.PUBLISHED" in created
    assert "hello  unchanged" in unchanged
    assert "~ $LATEST.PUBLISHED  version $LATEST.PUBLISHED -> the new version" in planned
    assert "~ FunctionScalingConfig.MaxExecutionEnvironments  9 -> 5" in planned
    assert instances.published["MemorySize"] == 512
    assert instances.scaling == {"MinExecutionEnvironments": 3, "MaxExecutionEnvironments": 5}
    assert len(instances.invoked) == 2
    assert all("Qualifier=$LATEST.PUBLISHED" in each for each in instances.invoked)


@pytest.mark.parametrize("fails", ["to start", "its smoke test"])
def test_what_fails_is_not_said_to_be_kept_from_callers_by_an_alias(
    project: Project, instances: ManagedInstances, fails: str
) -> None:
    describe(project, role="everything", smoke={"expect": "other"}, **MANAGED)
    instances.reason = "No capacity." if fails == "to start" else ""

    said = project.run("deploy", code=1).err

    expected = instances.reason or "It is already live: without `alias`"
    assert "hello, version $LATEST.PUBLISHED" in said
    assert expected in said
    assert "alias was not moved" not in said


def test_what_was_not_published_is_published_by_the_next_deploy(
    project: Project, instances: ManagedInstances, proxy: Proxy
) -> None:
    describe(project, role="everything", **MANAGED)
    proxy.refuse("POST .*/functions/hello/versions", 400, "ValidationException", "Not now.")
    proxy.rules.insert(0, proxy.rules.pop())
    project.run("deploy", code=1)
    assert instances.published is None

    assert "+ $LATEST.PUBLISHED  the new version" in project.run("plan").err
    project.run("deploy")

    assert instances.published


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"FunctionScalingConfig": SCALING}, "requires `CapacityProviderConfig`"),
        ({**MANAGED, "FunctionScalingConfig": SCALING, "alias": "live"}, "cannot be set with"),
        ({**MANAGED, "FunctionScalingConfig": "none"}, "cannot be none"),
        ({**MANAGED, "FunctionScalingConfig": {"Min": 1}}, "FunctionScalingConfig.Min` is not"),
        ({**MANAGED, "PublishTo": "LATEST_PUBLISHED"}, "`aws.functions.hello.PublishTo` cannot"),
    ],
)
def test_what_lambda_would_not_do_is_told_before_any_call(
    project: Project, settings: dict[str, Any], problem: str
) -> None:
    write_source(project)
    hello = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13"}
    hello["Role"] = f"{ROLE}/hello"
    project.settings(region="us-east-1", functions={"hello": {**hello, **settings}})
    project.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"  # nobody answers

    assert problem in project.run("deploy", code=1).err
