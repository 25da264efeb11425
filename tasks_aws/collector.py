"""Python's search for cyclic garbage, which short work on many values does without."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collector(*, spare: bool = False) -> Iterator[None]:
    """Pause the search for a while.

    Among the tuples of a large archive it takes a sixth of the time, and a tenth while botocore
    is imported and reads its models. Those stay until the process ends, and to search them once
    more then takes another sixth of a short run: `spare` keeps what is there at the end out of
    every later search. It does so once, for garbage is among it: a process that goes on for long
    would fill up.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if spare and not gc.get_freeze_count():
            gc.freeze()
        if enabled:
            gc.enable()
