"""A plan has what differs, and nothing that AWS only writes in another way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from tasks_aws.errors import FunctionError
from tasks_aws.function_settings import Function
from tasks_aws.functions import apply as applying
from tasks_aws.functions.apply import apply
from tasks_aws.functions.model import Parameters, parameters_of
from tasks_aws.functions.plan import plan
from tasks_aws.packaging.archive import Archive

ROLE = "arn:aws:iam::123456789012:role/hello"
BASE = {"Handler": "app.handler", "Runtime": "python3.13", "Role": ROLE}
LAYER = "arn:aws:lambda:eu-west-1:123456789012:layer:one:1"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    path = tmp_path / "hello.zip"
    path.write_bytes(b"zip")
    return Archive(path=path, size=3, unzipped=3, files=1, code_sha256="same", digest="")


@pytest.fixture
def client() -> Any:
    return boto3.client(
        "lambda", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )


def parameters(**changes: Any) -> Parameters:
    return parameters_of(Function(name="hello", source=(), parameters={**BASE, **changes}))


def answer(**current: Any) -> dict[str, Any]:
    """Return what GetFunction answers for a function that is settled."""
    state = {"State": "Active", "LastUpdateStatus": "Successful", "RevisionId": "r1"}
    configuration = {**BASE, "FunctionName": "hello", "CodeSha256": "same", **state, **current}
    return {"Configuration": configuration, "Code": {}}


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"Layers": [LAYER]}, {"Layers": [{"Arn": LAYER, "CodeSize": 1}]}),
    ({"Layers": []}, {}),
    (
        {"VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}},
        {
            "VpcConfig": {
                "SubnetIds": ["subnet-2", "subnet-1"],
                "SecurityGroupIds": ["sg-1"],
                "VpcId": "vpc-1",
            }
        },
    ),
    ({"VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []}}, {}),
    ({"Environment": {"Variables": {}}}, {}),
    (
        {"Environment": {"Variables": {"STAGE": "1"}}},
        {"Environment": {"Variables": {"STAGE": "1"}}},
    ),
    (
        {"SnapStart": {"ApplyOn": "None"}},
        {"SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"}},
    ),
    ({"Architectures": ["x86_64"]}, {"Architectures": ["x86_64"]}),
    ({"KMSKeyArn": ""}, {}),
    ({"DeadLetterConfig": {"TargetArn": ""}}, {}),
]
DIFFERENT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"MemorySize": 256}, {"MemorySize": 128}),
    ({"Layers": [LAYER]}, {}),
    ({"Layers": []}, {"Layers": [{"Arn": LAYER}]}),
    ({"VpcConfig": {"SubnetIds": []}}, {"VpcConfig": {"SubnetIds": ["subnet-1"]}}),
    ({"Environment": {"Variables": {}}}, {"Environment": {"Variables": {"STAGE": "1"}}}),
    ({"Environment": {"Variables": {"STAGE": "1"}}}, {}),
    ({"TracingConfig": {"Mode": "Active"}}, {"TracingConfig": {"Mode": "PassThrough"}}),
]


@pytest.mark.parametrize(("wanted", "current"), SAME)
def test_what_is_the_same_is_no_change(
    client: Any, archive: Archive, wanted: dict[str, Any], current: dict[str, Any]
) -> None:
    with Stubber(client) as stub:
        stub.add_response("get_function", answer(**current), {"FunctionName": "hello"})
        found = plan(parameters(**wanted), archive, client)

    assert found.nothing
    assert str(found) == "unchanged"


@pytest.mark.parametrize(("wanted", "current"), DIFFERENT)
def test_what_differs_is_the_only_change(
    client: Any, archive: Archive, wanted: dict[str, Any], current: dict[str, Any]
) -> None:
    with Stubber(client) as stub:
        stub.add_response("get_function", answer(**current))
        found = plan(parameters(**wanted), archive, client)

    assert found.configuration == wanted
    assert not found.code


def test_another_architecture_is_a_change_of_the_code(client: Any, archive: Archive) -> None:
    with Stubber(client) as stub:
        stub.add_response("get_function", answer(Architectures=["x86_64"]))
        found = plan(parameters(Architectures=["arm64"]), archive, client)

    assert str(found) == "update code"


def test_an_image_is_compared_by_its_uri(client: Any) -> None:
    uri = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello:1"
    image = Function(name="hello", source=(), parameters={"Role": ROLE, "Code": {"ImageUri": uri}})
    with Stubber(client) as stub:
        for current in (uri, f"{uri}2"):
            stub.add_response("get_function", {**answer(), "Code": {"ImageUri": current}})
        same, other = (plan(parameters_of(image), None, client) for _ in range(2))

    assert same.nothing
    assert str(other) == "update code"


def test_another_deploy_is_waited_for(
    client: Any, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with Stubber(client) as stub:
        stub.add_response("get_function", answer(MemorySize=128))
        planned = plan(parameters(MemorySize=256), archive, client)
        stub.add_response("get_function", answer(MemorySize=128))
        stub.add_client_error("update_function_configuration", "ResourceConflictException", "busy")
        stub.add_response(
            "update_function_configuration",
            {},
            {"FunctionName": "hello", "RevisionId": "r1", "MemorySize": 256},
        )
        stub.add_response("get_function", answer(MemorySize=256))
        apply(planned, client)
        stub.assert_no_pending_responses()


def test_a_change_by_somebody_else_is_not_overwritten(client: Any, archive: Archive) -> None:
    with Stubber(client) as stub:
        stub.add_response("get_function", answer(CodeSha256="other"))
        planned = plan(parameters(), archive, client)
        stub.add_response("get_function", answer(CodeSha256="other"))
        stub.add_client_error("update_function_code", "PreconditionFailedException", "RevisionId")

        with pytest.raises(FunctionError, match="changed since it was read"):
            apply(planned, client)


def test_an_update_that_fails_says_why(
    client: Any, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(applying._POLL, "Delay", 0)
    failed = {
        "LastUpdateStatus": "Failed",
        "LastUpdateStatusReason": "The subnet has no free address.",
        "LastUpdateStatusReasonCode": "SubnetOutOfIPAddresses",
    }
    with Stubber(client) as stub:
        stub.add_response("get_function", answer(CodeSha256="other"))
        planned = plan(parameters(), archive, client)
        stub.add_response("get_function", answer(CodeSha256="other"))
        stub.add_response("update_function_code", {})
        stub.add_response("get_function", answer(LastUpdateStatus="InProgress"))
        stub.add_response("get_function", answer(**failed))

        with pytest.raises(FunctionError, match="SubnetOutOfIPAddresses: The subnet has no free"):
            apply(planned, client)


def test_a_role_that_is_too_new_is_waited_for(
    client: Any, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    message = "The role defined for the function cannot be assumed by Lambda."
    with Stubber(client) as stub:
        stub.add_client_error("get_function", "ResourceNotFoundException", "no")
        planned = plan(parameters(), archive, client)
        stub.add_client_error("create_function", "InvalidParameterValueException", message)
        stub.add_response("create_function", {})
        stub.add_response("get_function", answer())
        apply(planned, client)
        stub.assert_no_pending_responses()
