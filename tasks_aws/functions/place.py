"""Where functions are deployed: an account and a region, seen with one role's credentials."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from ..settings import Settings

if TYPE_CHECKING:
    import boto3

# How many functions are worked on at once; each needs a connection at the most.
PARALLEL = 16

# For throttles and what passes of AWS's own problems, unless the user's AWS configuration says.
_TRIES = 10


class Place:
    """An account and a region; its clients may be used by many threads at once."""

    def __init__(
        self,
        settings: Settings,
        *,
        account_id: str,
        region: str,
        make_session: Callable[[], boto3.Session],
    ) -> None:
        self.settings = settings
        self.account_id = account_id
        self.region = region
        self._make_session = make_session  # boto3 takes long to import, and may not be needed
        self._session: boto3.Session | None = None
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()  # sessions, unlike clients, are not for many threads

    def __str__(self) -> str:
        target = self.settings.target
        return f"{self.account_id}, {self.region}" + (f" ({target})" if target else "")

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        with self._lock:
            self._session = self._session or self._make_session()
            if service not in self._clients:
                self._clients[service] = _client(self._session, service)
            return self._clients[service]


def _client(session: Any, service: str) -> Any:
    # botocore sends a whole request body under the connect timeout: 50 MB on a slow line is long.
    config = Config(connect_timeout=600, read_timeout=900, max_pool_connections=PARALLEL)
    if session._session.get_config_variable("max_attempts") is None:
        config = config.merge(Config(retries={"mode": "standard", "max_attempts": _TRIES}))
    return session.client(service, config=config)
