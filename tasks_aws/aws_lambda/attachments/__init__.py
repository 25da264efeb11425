"""What lies around a function: each module reads one thing, and plans the calls for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from ..clients import Account
from ..diff import Step
from ..parameters import Parameters
from . import event_sources as events
from . import log_group, permissions, tags, url
from . import put_calls as own_calls


class Part(Protocol):
    """What each of the modules has."""

    def read(
        self, parameters: Parameters, account: Account, function: Mapping[str, Any] | None
    ) -> Any:
        """Return what AWS has, if the settings name it; `function` is GetFunction's answer."""

    def steps(self, parameters: Parameters, found: Any, *, prune: bool) -> Iterator[Step]:
        """Yield what has to be changed; `found` is what `read` returned, None for nothing."""


PARTS: dict[str, Part] = {
    "log_group": log_group,
    "tags": tags,
    "own_calls": own_calls,
    "url": url,
    "permissions": permissions,
    "events": events,
}


def read(
    parameters: Parameters, account: Account, function: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what AWS has around a function, by the name of the part."""
    return {name: part.read(parameters, account, function) for name, part in PARTS.items()}


def steps(
    parameters: Parameters, found: Mapping[str, Any] | None, *, prune: bool
) -> Iterator[Step]:
    """Yield all that has to be changed around a function."""
    for name, part in PARTS.items():
        yield from part.steps(parameters, found.get(name) if found else None, prune=prune)
