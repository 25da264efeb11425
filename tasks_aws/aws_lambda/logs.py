"""The log of a function, once or as it grows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..ui.output import print_result, say
from .clients import Account
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
    _newest: int = 0  # milliseconds since 1970
    _seen: dict[str, int] = field(default_factory=dict)  # timestamps of recent events by ID
    _said_missing: bool = False

    def print_new(self) -> None:
        """Print the events that are new; say so once if the log group does not exist yet."""
        logs = self.account.client("logs")
        try:
            for event in self._read_new(logs):
                self._print(event)
        except logs.exceptions.ResourceNotFoundException:
            if not self._said_missing:
                say("logs", f"{self.parameters.name}  no log yet ({self.parameters.log_group})")
            self._said_missing = True

    def _read_new(self, logs: Any) -> Iterator[dict[str, Any]]:
        start = max(int(self.since * 1000), self._newest - _LATE_MS)
        self._seen = {event: when for event, when in self._seen.items() if when >= start}
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=self.parameters.log_group,
            startTime=start,
            **({"filterPattern": self.pattern} if self.pattern else {}),
        )
        for page in pages:
            for event in page["events"]:
                # MiniStack returns no IDs.
                identity = event.get("eventId") or f"{event['timestamp']} {event['message']}"
                if identity not in self._seen:
                    self._seen[identity] = event["timestamp"]
                    self._newest = max(self._newest, event["timestamp"])
                    yield event

    def _print(self, event: dict[str, Any]) -> None:
        when = datetime.fromtimestamp(event["timestamp"] / 1000, timezone.utc)
        time_ = when.isoformat(" ", "milliseconds").replace("+00:00", "Z  ")
        for line in event["message"].rstrip().splitlines() or [""]:
            print_result(f"{self.prefix}{time_ if self.timestamps else ''}{line}")
