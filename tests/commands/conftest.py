"""The function `hello`, as the tests of `aws_lambda` have it."""

from __future__ import annotations

from tests.aws_lambda.conftest import hello

__all__ = ["hello"]
