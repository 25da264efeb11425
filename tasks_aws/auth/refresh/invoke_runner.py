"""What `c.run` does otherwise while credentials are renewed in the background."""

from __future__ import annotations

from functools import cache
from typing import Any

from ...ui.prompt import PROMPT_LOCK
from ..environment import UNCHANGED


class _Considerate:
    """Goes before invoke's class of runners."""

    def read_our_stdin(self, input_: Any) -> Any:
        """Read keys for the child, but none that answers a question of ours."""
        if not PROMPT_LOCK.acquire(blocking=False):
            return None
        try:
            return super().read_our_stdin(input_)  # type: ignore[misc]
        finally:
            PROMPT_LOCK.release()

    def generate_env(self, env: dict[str, Any], replace_env: bool) -> Any:
        """Return the child's environment, and not one with the user's variables in it."""
        with UNCHANGED:
            return super().generate_env(env, replace_env)  # type: ignore[misc]


@cache
def considerate(runner: type) -> type:
    """Return invoke's class of runners, or the user's own, changed for this."""
    if issubclass(runner, _Considerate):
        return runner
    return type(runner.__name__, (_Considerate, runner), {"__module__": runner.__module__})
