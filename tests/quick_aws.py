"""The embedded AWS without its half a second before each new state of a function."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

from sample_project import local_aws
from tests.taint import TAINT

# Imported by MiniStack's process before anything else.
_AT_ONCE = """
import importlib.abc, sys

class Patience(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "ministack.services.lambda_svc":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        execute = spec.loader.exec_module
        def exec_module(module):
            execute(module)
            module._LAMBDA_STATE_TRANSITION_DELAY = 0
        spec.loader.exec_module = exec_module
        return spec

import importlib.util
sys.meta_path.insert(0, Patience())
"""


def start_quick_aws(root: Path) -> local_aws.LocalAws:
    """Start it; a folder in `root` has what its process needs."""
    site = root / "site"
    site.mkdir()
    recorder = Path(__file__).with_name("recorder") / "sitecustomize.py"
    (site / "sitecustomize.py").write_text(_AT_ONCE + recorder.read_text())
    ledger = {"SECRETS_LEDGER": str(TAINT.ledger)} if TAINT.ledger else {}
    with mock.patch.dict(os.environ, {"PYTHONPATH": str(site), **ledger}):
        return local_aws.start()
