"""A function's whole life on moto's server, so that nothing holds on one emulator only.

moto invokes functions in Docker, so none is invoked here. `pytest --emulator moto` lets other tests
run on it, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml
from mypy_boto3_lambda import LambdaClient

from tests.aws_lambda.describe import CODE, write_source
from tests.local_aws import ACCOUNT, REGION, root_client
from tests.moto_server import RESET, moto_server
from tests.support import Project

BUCKET = "artifacts-on-moto"
ROLE = f"arn:aws:iam::{ACCOUNT}:role"
HELLO: dict[str, Any] = {
    "source": "src",
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Role": f"{ROLE}/hello",
    "MemorySize": 256,
    "Environment": {"Variables": {"STAGE": "test"}},
    "Tags": {"Team": "web"},
    "bucket": BUCKET,
    "layers": ["common"],
    "log_retention_days": 30,
    # moto does not keep the conditions of a permission that makes a URL public.
    "url": {"AuthType": "AWS_IAM", "Cors": {"AllowOrigins": ["https://example.com"]}},
    "permissions": [
        {
            "StatementId": "uploads",
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": "arn:aws:s3:::uploads",
        }
    ],
}
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


@pytest.fixture
def client(project: Project, endpoint: str) -> LambdaClient:
    """moto's Lambda, with roles, a queue and a bucket, and a project that points at it."""
    urlopen(Request(f"{endpoint}{RESET}", method="POST")).close()
    for name in ("hello", "deployer"):
        root_client(endpoint, "iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")
    root_client(endpoint, "sqs").create_queue(QueueName="jobs")
    root_client(endpoint, "s3").create_bucket(Bucket=BUCKET)
    project.profile("dev", aws_access_key_id="test", aws_secret_access_key="test", region=REGION)
    write_source(project)
    write_source(project, "WHICH = 1\n", "common")
    project.environ["AWS_ENDPOINT_URL"] = endpoint
    client: LambdaClient = root_client(endpoint, "lambda")
    return client


def describe(project: Project, **changes: Any) -> None:
    project.settings(
        profile="dev",
        role_arn=f"{ROLE}/deployer",
        account_id=ACCOUNT,
        layers={"common": {"source": "common", "CompatibleRuntimes": ["python3.13"]}},
        functions={"hello": {**HELLO, **changes}},
    )


def assert_unchanged(project: Project) -> None:
    assert "plan      hello  unchanged" in project.run("plan", "--exit-code").err


def test_versions_and_an_alias(project: Project, client: LambdaClient) -> None:
    describe(project, alias="live")
    assert "create    hello  version 1, " in project.run("assume", "deploy").err
    assert_unchanged(project)
    (project.folder / "src" / "large.bin").write_bytes(os.urandom(9 << 20))
    describe(project, alias="live", MemorySize=512, Tags={"Team": "api"})

    result = project.run("deploy")

    assert f"to s3://{BUCKET}/" in result.err
    assert "update    hello  MemorySize, code, alias live, Tags, version 2, " in result.err
    assert_unchanged(project)
    assert client.get_alias(FunctionName="hello", Name="live")["FunctionVersion"] == "2"
    found = json.loads(project.run("status", "--json").out)[0]
    assert (found["State"], found["Version"]) == ("Active", "2")
    assert found["FunctionUrl"].startswith("https://")
    assert project.run("logs").out == ""
    assert "live: 2 -> 1" in project.run("rollback").err
    assert "~ alias live  version 1 -> the new version" in project.run("plan").err
    project.run("deploy")
    for number in (3, 4):
        write_source(project, CODE + f"# {number}\n")
        project.run("deploy")
    assert "deleted versions 1, 2\n" in project.run("prune", "--keep", "1", "--yes").err
    assert "will be deleted" in project.run("destroy", "--yes").err
    assert client.list_functions()["Functions"] == []
    assert "plan      hello  create" in project.run("plan").err


def test_events_without_an_alias(project: Project, client: LambdaClient) -> None:
    # Of an alias, moto says that the mapping belongs to the version.
    describe(project, events=[{"EventSourceArn": QUEUE, "BatchSize": 5}])
    project.run("deploy")
    assert_unchanged(project)
    describe(project, events=[{"EventSourceArn": QUEUE, "BatchSize": 7}])

    project.run("deploy")

    assert_unchanged(project)
    (mapping,) = client.list_event_source_mappings()["EventSourceMappings"]
    assert mapping["BatchSize"] == 7
    describe(project, events=[])
    project.run("deploy", "--prune")
    assert client.list_event_source_mappings()["EventSourceMappings"] == []


def test_what_init_prints_is_what_there_is(project: Project, client: LambdaClient) -> None:
    describe(project)
    project.run("deploy")

    printed = project.run("init", "--function", "hello", "--show-values").out

    described = yaml.safe_load(printed)["aws"]["functions"]["hello"]
    described["source"] = "src"
    settings = yaml.safe_load((project.folder / "invoke.yaml").read_text())
    settings["aws"]["functions"]["hello"] = described
    (project.folder / "invoke.yaml").write_text(yaml.safe_dump(settings))
    assert_unchanged(project)
