"""The log of a function, once or as it grows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import chain
from typing import Any

from ..ui.output import print_result, say
from .attachments.log_group import on_log_group
from .clients import Account
from .iam_actions import need
from .parameters import Parameters

# Events of several instances arrive out of order: each read goes back so far from the newest.
_LATE_MS = 60_000


@dataclass(slots=True, kw_only=True)
class Log:
    """The log of a function, and how far it has been read."""

    parameters: Parameters
    account: Account
    since: float  # seconds since 1970
    pattern: str | None = None  # CloudWatch Logs' filter pattern
    prefix: str = ""  # of each line
    timestamps: bool = False
    follow: bool = False  # whether it is read more than once
    _newest: int = 0  # milliseconds since 1970
    # Timestamps of events by ID, about in their order: those that a further read finds again.
    _seen: OrderedDict[str, int] = field(default_factory=OrderedDict)
    _pages: Iterator[Mapping[str, Any]] = field(default_factory=lambda: iter(()))
    _said_missing: bool = False

    @property
    def label(self) -> str:
        """Return what messages call the function."""
        return self.account.label(self.parameters.name)

    def start(self) -> None:
        """Read the first page, for `print_new`."""
        logs = self.account.client("logs")
        pages = iter(
            logs.get_paginator("filter_log_events").paginate(
                logGroupName=self.parameters.log_group,
                startTime=max(int(self.since * 1000), self._newest - _LATE_MS),
                **({"filterPattern": self.pattern} if self.pattern else {}),
            )
        )
        self._pages = iter(())
        try:
            self._pages = chain([next(pages)], pages)
        except StopIteration:
            pass
        except logs.exceptions.ResourceNotFoundException:
            if not self._said_missing:
                say("logs", f"{self.label}  no log yet ({self.parameters.log_group})")
            self._said_missing = True

    def print_new(self) -> None:
        """Print the events that are new since the last time, as far as `start` has begun."""
        for page in self._pages:
            for event in page["events"]:
                if not self.follow or self._is_new(event):
                    self._print(event)

    def _is_new(self, event: Mapping[str, Any]) -> bool:
        # MiniStack returns no IDs.
        identity = event.get("eventId") or f"{event['timestamp']} {event['message']}"
        if identity in self._seen:
            return False
        self._seen[identity] = event["timestamp"]
        self._newest = max(self._newest, event["timestamp"])
        while self._seen[next(iter(self._seen))] < self._newest - _LATE_MS:
            self._seen.popitem(last=False)
        return True

    def _print(self, event: Mapping[str, Any]) -> None:
        when = datetime.fromtimestamp(event["timestamp"] / 1000, timezone.utc)
        time_ = when.isoformat(" ", "milliseconds").replace("+00:00", "Z  ")
        for line in event["message"].rstrip().split("\n"):
            print_result(f"{self.prefix}{time_ if self.timestamps else ''}{line}")


ACTIONS = (need("logs:FilterLogEvents", tasks=("logs",), on=on_log_group),)
