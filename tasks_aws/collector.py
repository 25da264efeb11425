"""Python's search for cyclic garbage, which short work on many values does without."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector() -> Iterator[None]:
    """Pause the search for a while.

    Among the tuples of a large archive it takes a sixth of the time, and a tenth while botocore
    is imported and reads its models.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
