"""Tests of this project's own tasks, on an AWS of their own: run `pytest` in this folder."""

import pytest
from invoke.context import Context

from tasks import code
from tasks_aws import deploy

pytest_plugins = ["tasks_aws.testing"]


@pytest.mark.usefixtures("aws_local")
def test_code_prints_the_runtime(aws_context: Context, capsys: pytest.CaptureFixture[str]) -> None:
    deploy(aws_context)

    code(aws_context)

    assert capsys.readouterr().out.startswith("hello python3.13 ")
