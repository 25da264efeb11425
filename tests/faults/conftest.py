"""Fixtures: invoke without its start, and the embedded AWS without its pauses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sample_project import local_aws
from tests.conftest import EmbeddedAws, make_role_for_everything
from tests.faults.scenarios import BUCKET
from tests.quick_aws import start_quick_aws
from tests.warm import Warm


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process that has everything imported."""
    with Warm() as server:
        yield server


@pytest.fixture(scope="session")
def quick_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """MiniStack, with a queue and a bucket."""
    server = start_quick_aws(tmp_path_factory.mktemp("quick-aws"))
    try:
        found = EmbeddedAws(server.endpoint, *local_aws.seed(server.endpoint))
        make_role_for_everything(found)
        found.client("sqs").create_queue(QueueName="jobs")
        found.client("s3").create_bucket(Bucket=BUCKET)
        yield found
    finally:
        server.stop()
