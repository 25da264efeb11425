"""What `c.run` does otherwise while credentials are renewed in the background."""

from __future__ import annotations

from functools import cache
from typing import Any

from ...ui.prompt import PROMPT_LOCK


class _Yielding:
    """Goes before invoke's class of runners."""

    def read_our_stdin(self, input_: Any) -> Any:
        """Read keys for the child, but none that answers a question of ours."""
        if not PROMPT_LOCK.acquire(blocking=False):
            return None
        try:
            return super().read_our_stdin(input_)  # type: ignore[misc]
        finally:
            PROMPT_LOCK.release()


@cache
def runner_that_yields(runner: type) -> type:
    """Return invoke's class of runners, or the user's own, which leaves our questions to us."""
    if issubclass(runner, _Yielding):
        return runner
    return type(runner.__name__, (_Yielding, runner), {"__module__": runner.__module__})
