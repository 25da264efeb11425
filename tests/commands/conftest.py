"""The function `hello`, as the tests of `aws_lambda` have it.

`init` is tested in `tests/aws_lambda/test_export.py`, with what it prints; `clients` by the targets
in `test_deployment.py`.
"""

from __future__ import annotations

from tests.aws_lambda.conftest import hello

__all__ = ["hello"]
