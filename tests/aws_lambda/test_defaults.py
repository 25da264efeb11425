"""What takes a parameter away is what Lambda would do without it."""

from __future__ import annotations

import pytest

from tasks_aws.aws_lambda.defaults import REMOVABLE, default_configuration
from tasks_aws.aws_lambda.parameters import input_shape
from tasks_aws.aws_lambda.validation import find_problems


@pytest.mark.parametrize("name", ["hello", "arn:aws:lambda:eu-west-1:123456789012:function:hello"])
def test_the_log_group_has_the_name_of_the_function(name: str) -> None:
    found = default_configuration(name)

    assert found["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/hello"}
    assert found.keys() == REMOVABLE


def test_lambda_takes_every_default() -> None:
    shape = input_shape("UpdateFunctionConfiguration")

    problems = [*find_problems(shape, default_configuration("hello"), "hello", partial=True)]

    assert problems == []
