"""How many examples each test tried, for the line at the end of the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.properties import sandbox


@pytest.fixture(autouse=True)
def _count_examples(request: pytest.FixtureRequest) -> Iterator[None]:
    before = sandbox.examples
    yield
    request.node.user_properties.append(("examples", sandbox.examples - before))
