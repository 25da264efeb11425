"""Lambda's quotas for control API requests: requests wait here rather than be refused there.

The quotas are per account and region and cannot be raised. Whoever sends more gets "Rate
exceeded", and so does everybody else in the account, such as its other deploys.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import inf
from typing import Any

from ..process.locking import thread_lock

_SHARE = 0.95  # of a quota: the rest is for others in the account
_BURST_SECONDS = 0.5  # after a pause, the requests of so many seconds are sent at once
_SLOWEST = 0.1  # of our share, while Lambda refuses requests
_RECOVERY_SECONDS = 10  # from there back to our share

# Operations with a quota of their own: "Lambda quotas", Lambda Developer Guide. Invocations have
# none here: they are limited by the concurrency.
_KINDS = {"GetFunction": "get", "GetPolicy": "policy"}
_INVOCATIONS = ("Invoke", "InvokeAsync", "InvokeWithResponseStream")


class Pace:
    """Spreads the requests of many threads over time.

    It becomes slower when Lambda refuses a request, because others use the same quota, and
    recovers after a while.
    """

    def __init__(self, requests_per_second: float) -> None:
        self._full = self._rate = requests_per_second * _SHARE
        self._next = 0.0  # when the next request may be sent, if no burst was allowed
        self._recovered, self._slowed = 0.0, -inf
        self._lock = thread_lock()

    def limit(self, requests_per_second: float) -> None:
        """Never send more than this."""
        with self._lock:
            self._full = min(self._full, requests_per_second * _SHARE)
            self._rate = min(self._full, self._rate)

    def wait(self) -> None:
        """Return when one more request may be sent."""
        time.sleep(self._reserve(time.monotonic()))

    def slow_down(self) -> None:
        """Send fewer requests for a while; refusals within one second count as one."""
        with self._lock:
            now = time.monotonic()
            self._recover(now)
            self._next = max(self._next, now + _BURST_SECONDS)  # no burst
            if now - self._slowed > 1:
                self._rate = max(self._rate / 2, self._full * _SLOWEST)
                self._slowed = now

    def _reserve(self, now: float) -> float:
        """Take the next turn, and return the seconds until then."""
        with self._lock:
            self._recover(now)
            self._next = max(self._next, now) + 1 / self._rate
            return max(0.0, self._next - max(_BURST_SECONDS, 1 / self._rate) - now)

    def _recover(self, now: float) -> None:
        gained = self._full * (now - self._recovered) / _RECOVERY_SECONDS
        self._rate, self._recovered = min(self._full, self._rate + gained), now


class Pacer:
    """The paces of one account and region: one for each of Lambda's quotas."""

    def __init__(self) -> None:
        self._paces: dict[str, Pace] = {}

    def limit(self, requests_per_second: Mapping[str, float]) -> None:
        """Keep to these quotas, and to lower ones that were given before."""
        for kind, quota in requests_per_second.items():
            if kind in self._paces:
                self._paces[kind].limit(quota)
            else:
                self._paces[kind] = Pace(quota)

    def register(self, client: Any) -> None:
        """Let every request of a client of Lambda wait for its turn, repeated ones as well."""
        # First of all: a request is signed when it is sent, not before it waits.
        client.meta.events.register_first("request-created.lambda", self._wait)
        client.meta.events.register("response-received.lambda", self._note_refusal)

    def _wait(self, operation_name: str, **event: object) -> None:
        if operation_name not in _INVOCATIONS:
            self._paces[_KINDS.get(operation_name, "other")].wait()

    def _note_refusal(
        self, event_name: str, parsed_response: Mapping[str, Any] | None, **event: object
    ) -> None:
        operation = event_name.rpartition(".")[2]
        code = (parsed_response or {}).get("Error", {}).get("Code")
        if code == "TooManyRequestsException" and operation not in _INVOCATIONS:
            self._paces[_KINDS.get(operation, "other")].slow_down()


_PACERS: dict[tuple[str, str], Pacer] = {}
_LOCK = thread_lock()


def pacer_for(account_id: str, region: str, requests_per_second: Mapping[str, float]) -> Pacer:
    """Return the pacer that all clients of an account and region share in this process."""
    with _LOCK:
        pacer = _PACERS.setdefault((account_id, region), Pacer())
        pacer.limit(requests_per_second)
        return pacer
