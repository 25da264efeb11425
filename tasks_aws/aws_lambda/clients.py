"""Where functions are deployed: an account and a region, seen with one role's credentials."""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from ..config.load import Settings
from .parameters import data_loader

if TYPE_CHECKING:
    import botocore.session

# How many functions are worked on at once; each needs a connection at the most.
PARALLEL = 16

# For throttles and what passes of AWS's own problems, unless the user's AWS configuration says.
_TRIES = 10


class Kind(Enum):
    """What a client is for: how long it waits, and whether it may make a request again."""

    CALLS = Config(connect_timeout=15, read_timeout=60)
    # botocore sends a whole request body under the connect timeout: 50 MB on a slow line is long.
    UPLOAD = Config(connect_timeout=600, read_timeout=120)
    # A function may run for 15 minutes, and must not run again because its answer was lost.
    INVOKE = Config(connect_timeout=15, read_timeout=960, tcp_keepalive=True)


class Account:
    """An account and a region; its clients may be used by many threads at once."""

    def __init__(
        self,
        settings: Settings,
        *,
        account_id: str,
        region: str,
        make_session: Callable[[], botocore.session.Session],
    ) -> None:
        self.settings = settings
        self.account_id = account_id
        self.region = region
        self._make_session = make_session  # which takes a while, and may not be needed
        self._session: botocore.session.Session | None = None
        self._clients: dict[tuple[str, Kind], Any] = {}
        self._lock = threading.Lock()  # sessions, unlike clients, are not for many threads

    def __str__(self) -> str:
        target = self.settings.target
        return f"{self.account_id}, {self.region}" + (f" ({target})" if target else "")

    def client(self, service: str, kind: Kind = Kind.CALLS) -> Any:
        """Return the client of a service, botocore's own."""
        with self._lock:
            self._session = self._session or self._make_session()
            if (service, kind) not in self._clients:
                self._clients[service, kind] = _client(self._session, service, kind, self.region)
            return self._clients[service, kind]


def _client(session: botocore.session.Session, service: str, kind: Kind, region: str) -> Any:
    config = kind.value.merge(Config(max_pool_connections=PARALLEL))
    if kind is Kind.INVOKE:
        config = config.merge(Config(retries={"total_max_attempts": 1}))
    elif session.get_config_variable("max_attempts") is None:
        config = config.merge(Config(retries={"mode": "standard", "max_attempts": _TRIES}))
    session.register_component("data_loader", data_loader())
    create: Any = session.create_client
    return create(service, region_name=region or None, config=config)
