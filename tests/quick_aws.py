"""The embedded AWS without its half a second before each new state of a function."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

from tasks_aws.local.emulator import Emulator
from tests import local_aws

SITE = Path(__file__).with_name("in_ministack")


def start_quick_aws() -> Emulator:
    """Start it."""
    with mock.patch.dict(os.environ, {"PYTHONPATH": str(SITE), "MINISTACK_AT_ONCE": "1"}):
        return local_aws.start()
