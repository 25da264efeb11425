"""What `c.run` does differently while credentials are renewed in the background."""

from __future__ import annotations

from functools import cache
from typing import Any

from ...ui.prompt import PROMPT_LOCK


class _LeavesPromptsAlone:
    """Mixed into invoke's runner class."""

    def read_our_stdin(self, input_: Any) -> Any:
        """Read input for the child, except while one of our prompts is open."""
        if not PROMPT_LOCK.acquire(blocking=False):
            return None
        try:
            return super().read_our_stdin(input_)  # type: ignore[misc]
        finally:
            PROMPT_LOCK.release()


@cache
def without_prompt_input(runner: type) -> type:
    """Return a runner class, invoke's or the user's, that does not read answers to our prompts."""
    if issubclass(runner, _LeavesPromptsAlone):
        return runner
    return type(runner.__name__, (_LeavesPromptsAlone, runner), {"__module__": runner.__module__})
