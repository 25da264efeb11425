"""Package a folder in a process of its own; print how long it took and what memory it needed.

    python -m tests.benchmarks.package_once PROJECT FOLDER

The modules are loaded before the clock starts, as they are when a task of invoke runs.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from math import nan
from pathlib import Path

import rich.console  # noqa: F401

from tasks_aws.config.function_parsers import Source
from tasks_aws.config.functions import Function
from tasks_aws.packaging.build import package
from tasks_aws.packaging.workspace import Workspace
from tests.benchmarks.trees import no_command


def _peak() -> float:
    # In MiB. Not ru_maxrss, which begins with that of the process that started this one.
    status = Path("/proc/self/status")
    found = re.search(r"VmHWM:\s*(\d+) kB", status.read_text() if status.exists() else "")
    return int(found[1]) / 1024 if found else nan


def main(project: str, folder: str) -> None:
    """Package it as a function without dependencies of its own."""
    function = Function(
        name="bench",
        key="aws.functions.bench",
        source=(Source(path=folder),),
        requirements="none",
        parameters={},
    )
    workspace = Workspace(project=Path(project), environ=os.environ, run=no_command)
    own, start = _peak(), time.perf_counter()
    package(function, workspace)
    seconds = time.perf_counter() - start
    print(json.dumps({"ms": seconds * 1000, "peak": _peak() - own}))


if __name__ == "__main__":
    main(*sys.argv[1:])
