"""Every operation of the Lambda API is called, or left out for a reason that the docs give."""

from __future__ import annotations

from docs.lambda_api import NOT_CALLED, lambda_api_rows, unknown_operations
from tasks_aws.sdk.models import service_model


def test_an_operation_that_botocore_brings_is_noticed() -> None:
    assert unknown_operations() == []


def test_what_is_left_out_is_not_called() -> None:
    called = {operation for operation, tasks, _ in lambda_api_rows() if tasks}

    assert called & NOT_CALLED.keys() == set()
    assert {"Invoke", "CreateFunction", "PutFunctionConcurrency"} <= called
    assert len(called) + len(NOT_CALLED) == len(service_model("lambda").operation_names)
