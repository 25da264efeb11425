"""Every operation of the Lambda API is called, or left out for a reason that the docs give."""

from __future__ import annotations

import ast
from pathlib import Path

import tasks_aws.aws_lambda
from docs.lambda_api import NOT_CALLED, lambda_api_rows, unknown_operations
from tasks_aws.aws_lambda.attachments import ATTACHMENTS
from tasks_aws.sdk.models import service_model

# Their parameters are the user's own settings.
SETTINGS = {
    "CreateFunction",
    "PublishLayerVersion",
    "UpdateEventSourceMapping",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "UpdateFunctionUrlConfig",
    *(each.operation for each in ATTACHMENTS),
}
# Parameters of other operations that no task needs.
LEFT_OUT = {
    "Marker",  # botocore's paginators set it
    *("StartedAfter", "StartedBefore", "ReverseOrder"),  # durable executions of all times count
    *("CompatibleArchitecture", "CompatibleRuntime"),  # the newest version of a layer counts
}


def called() -> set[str]:
    return {operation for operation, tasks, _ in lambda_api_rows() if tasks}


def test_an_operation_that_botocore_brings_is_noticed() -> None:
    assert unknown_operations() == []


def test_what_is_left_out_is_not_called() -> None:
    assert called() & NOT_CALLED.keys() == set()
    assert {"Invoke", "CreateFunction", "PutFunctionConcurrency"} <= called()
    assert called() | NOT_CALLED.keys() >= {*service_model("lambda").operation_names}


def test_a_parameter_that_botocore_brings_is_noticed() -> None:
    known = LEFT_OUT | {
        str(getattr(node, "arg", getattr(node, "value", "")))
        for path in Path(tasks_aws.aws_lambda.__path__[0]).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.keyword | ast.Constant)
    }
    new = {
        f"{name}.{member}"
        for name in called() - SETTINGS
        if (shape := service_model("lambda").operation_model(name).input_shape)
        for member in shape.members
        if member not in known
    }

    assert new == set()
