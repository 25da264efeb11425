"""One account and region that functions are deployed to, and its clients."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.config import Config
from botocore.exceptions import EndpointConnectionError
from urllib3.exceptions import HTTPError

from ..config.settings import Settings
from ..process.garbage_collection import paused_collection
from ..process.threads import PARALLEL, DaemonPool
from ..sdk.connections import open_connection
from .denials import note_denials
from .pacing import pacer_for
from .parameters import bare_name

if TYPE_CHECKING:
    import botocore.session

# How often a throttled or failed request is repeated, unless the user's AWS configuration says.
_RETRIES = 10


_T = TypeVar("_T")


class Kind(Enum):
    """What a client is for: it decides on timeouts, and whether a request may be repeated."""

    CALLS = Config(connect_timeout=15, read_timeout=60)
    # botocore sends the whole request body within the connect timeout: 50 MB may take long.
    UPLOAD = Config(connect_timeout=600, read_timeout=120)
    # A function may run for 15 minutes, and must not run again because its response was lost.
    INVOKE = Config(connect_timeout=15, read_timeout=960, tcp_keepalive=True)


class Account:
    """One account and region, and its clients, which many threads may use at once."""

    def __init__(
        self,
        settings: Settings,
        *,
        account_id: str,
        region: str,
        make_session: Callable[[], botocore.session.Session],
        explain_denied: Callable[[str], str] = lambda action: "",
    ) -> None:
        self.settings = settings
        self.account_id = account_id
        self.region = region
        self._make_session = make_session  # called when the first client is needed: it takes long
        self._explain_denied = explain_denied  # says what needs an action
        self._session: botocore.session.Session | None = None
        self._clients: dict[tuple[str, Kind], Any] = {}
        self._lock = threading.Lock()  # sessions, unlike clients, are not thread-safe
        self._pool = DaemonPool()
        self._connecting: dict[str, Callable[[Account], None]] = {}
        self._answers: dict[Callable[[Account], Any], Future[Any]] = {}

    def __str__(self) -> str:
        return self.label(f"{self.account_id}, {self.region}")

    def label(self, name: str) -> str:
        """Return what messages call a function or layer here: its name, and the target's."""
        target = self.settings.target
        return f"{name} ({target})" if target else name

    def function_arn(self, name: str, alias: str | None) -> str:
        """Return the ARN of a function here, or of an alias of it; the name may be an ARN."""
        partition = self.session.get_partition_for_region(self.region)
        place = f"arn:{partition}:lambda:{self.region}:{self.account_id}"
        arn = f"{place}:function:{bare_name(name)}"
        return f"{arn}:{alias}" if alias else arn

    @property
    def session(self) -> botocore.session.Session:
        """Return the session that the clients belong to."""
        with self._lock:
            self._session = self._session or self._make_session()
            return self._session

    @contextmanager
    def at_once(self, *calls: Callable[[], Any]) -> Iterator[list[Future[Any]]]:
        """Start calls; those that have not begun when the block ends are not made.

        The calls must not use `at_once` themselves: all threads could wait for one that has none.
        """
        futures = [self._pool.submit(call) for call in calls]
        try:
            yield futures
        finally:
            for each in futures:
                each.cancel()

    def share_quotas(self, processes: int) -> None:
        """Keep to a part of Lambda's quotas, as so many processes do, for as long as this one runs.

        However small the part is, a request gets its turn.
        """
        quotas = self.settings.requests_per_second
        part = {kind: quota / processes for kind, quota in quotas.items()}
        pacer_for(self.account_id, self.region, part)

    def make_ready(self) -> None:
        """Make the client of Lambda, and connect it, meanwhile; what fails, fails again later."""
        threading.Thread(target=self._connect, daemon=True).start()

    def _connect(self) -> None:
        with suppress(Exception):
            open_connection(self.client("lambda"))

    def require_connection(self, service: str) -> None:
        """Raise one of botocore's `UNREACHABLE` if there is no connection to a service.

        It is tried once for all functions.
        """
        with self._lock:
            connect = self._connecting.setdefault(service, partial(_require_connection, service))
        self.once(connect)

    def once(self, call: Callable[[Account], _T]) -> _T:
        """Return the answer of a call, which is made once for all functions."""
        with self._lock:
            first = call not in self._answers
            answer: Future[_T] = self._answers.setdefault(call, Future())
        if first:
            try:
                answer.set_result(call(self))
            except BaseException as error:
                answer.set_exception(error)
        return answer.result()

    def client(self, service: str, kind: Kind = Kind.CALLS) -> Any:
        """Return botocore's client of a service."""
        session = self.session
        with self._lock:
            if (service, kind) not in self._clients:
                with paused_collection():
                    client = _client(session, service, kind, self.region)
                if service == "lambda":
                    quotas = self.settings.requests_per_second
                    pacer_for(self.account_id, self.region, quotas).register(client)
                note_denials(client, self.settings, self._explain_denied)
                self._clients[service, kind] = client
            return self._clients[service, kind]


def _require_connection(service: str, account: Account) -> None:
    client = account.client(service)
    try:
        open_connection(client)
    except Exception as error:
        if isinstance(error, (HTTPError, OSError)):  # what else is raised says nothing: see there
            url = client.meta.endpoint_url
            raise EndpointConnectionError(endpoint_url=url, error=error) from error


def _client(session: botocore.session.Session, service: str, kind: Kind, region: str) -> Any:
    # Functions and the requests that are made at once for them have threads of their own.
    config = kind.value.merge(Config(max_pool_connections=2 * PARALLEL))
    if kind is Kind.INVOKE:
        config = config.merge(Config(retries={"total_max_attempts": 1}))
    elif session.get_config_variable("max_attempts") is None:
        config = config.merge(Config(retries={"mode": "standard", "max_attempts": _RETRIES}))
    create: Any = session.create_client
    return create(service, region_name=region or None, config=config)
