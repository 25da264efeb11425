"""Python's search for cyclic garbage, which short work on many values does without."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Pause the search for a while, and spare it what is there at the end.

    Among the tuples of a large archive it takes a sixth of the time, and a tenth while botocore
    is imported and reads its models. Those stay until the process ends; to search them once more
    then takes another sixth of a short run.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
