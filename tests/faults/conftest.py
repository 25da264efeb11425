"""Fixtures: the embedded AWS without its pauses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from unittest import mock

import pytest

from tests import taint
from tests.conftest import EmbeddedAws, populate
from tests.faults.scenarios import BUCKET
from tests.quick_aws import start_quick_aws


@pytest.fixture(scope="session")
def quick_aws() -> Iterator[EmbeddedAws]:
    """MiniStack, with a queue and a bucket."""
    with mock.patch.dict(os.environ, taint.recording()):
        server = start_quick_aws()
    try:
        found = populate(server.url)
        found.client("sqs").create_queue(QueueName="jobs")
        found.client("s3").create_bucket(Bucket=BUCKET)
        yield found
    finally:
        server.stop()
