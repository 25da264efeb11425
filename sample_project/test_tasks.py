"""Tests of this project's own tasks, on an AWS of their own: run `pytest` in this folder."""

from tasks import code, deploy

pytest_plugins = ["tasks_aws.testing"]


def test_code_prints_the_runtime(aws_local, aws_context, capsys):
    deploy(aws_context)

    code(aws_context)

    assert capsys.readouterr().out.startswith("hello python3.13 ")
