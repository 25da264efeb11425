"""Where functions are deployed: an account and a region, seen with one role's credentials."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.config import Config

if TYPE_CHECKING:
    import boto3

# How many functions are worked on at once; each needs a connection at the most.
PARALLEL = 16

# botocore sends a whole request body under the connect timeout: 50 MB on a slow line is long.
_CONFIG = Config(
    connect_timeout=600,
    read_timeout=900,
    max_pool_connections=PARALLEL,
    retries={"mode": "standard", "max_attempts": 10},
)


class Place:
    """An account and a region; its clients may be used by many threads at once."""

    def __init__(
        self, session: boto3.Session, *, account_id: str, region: str, target: str | None = None
    ) -> None:
        self.account_id = account_id
        self.region = region
        self.target = target
        self._session = session
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()  # sessions, unlike clients, are not for many threads

    def __str__(self) -> str:
        name = f" ({self.target})" if self.target else ""
        return f"account {self.account_id}, {self.region}{name}"

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(service, config=_CONFIG)  # type: ignore[call-overload]
            return self._clients[service]
