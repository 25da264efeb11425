"""Credentials of one role, renewed on request when they are about to expire."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace
from datetime import datetime, timedelta, timezone

from ...errors import TasksAwsError
from ...process.locking import in_forks, thread_lock
from ...ui.output import format_duration, warn
from ..values import Credentials

_GRACE = 60  # seconds before the expiry in which a signed request may arrive too late
_ROUNDING = 1  # seconds: expiries have whole ones
_PATIENCE = 0.5  # seconds to wait for a renewal; SDKs wait one or two for an endpoint
_PAUSE = 10  # seconds between renewals that fail
_UNKNOWN = timedelta(minutes=15)  # after which credentials without an expiry are requested again


class Renewer:
    """Hands out credentials to any number of threads; one renewal at a time serves them all.

    While a renewal waits for an MFA code, or has failed, the old credentials are handed out as long
    as they are valid, so that work that ends in time succeeds. In their last minute (of a short
    session, the last tenth) they are not: the caller gets the renewal's error now, not an error
    of AWS later.
    """

    def __init__(
        self, start: Credentials, renew: Callable[[], Credentials], *, min_ttl_seconds: float
    ) -> None:
        self._current, self._renew, self._min_ttl = start, renew, min_ttl_seconds
        self._lock = thread_lock()
        self._renewal: Future[Credentials] | None = None
        self._again = 0.0  # when a renewal that failed may be tried again
        in_forks(self._forget_renewal)

    def renewed(self) -> Credentials:
        """Return credentials valid for at least `min_ttl_seconds`, or raise the renewal's error."""
        with self._lock:
            current, renewal = self._current, self._renewal_if_due()
        return renewal.result() if renewal else current

    def usable(self) -> Credentials:
        """Return credentials to use until their `expiration`, which is a little early.

        An SDK that uses them up to the last second is in time, too. Raises the renewal's error
        once the old ones are no longer valid.
        """
        with self._lock:
            current, renewal = self._current, self._renewal_if_due()
        good = current.seconds_left() > self._grace(current) + _ROUNDING
        if renewal:
            try:
                current = renewal.result(_PATIENCE if good else None)
            except (FutureTimeoutError, TasksAwsError):
                if not good:
                    raise
        end = current.expiration
        early = (
            end - timedelta(seconds=self._grace(current))
            if end
            else datetime.now(timezone.utc) + _UNKNOWN
        )
        return replace(current, expiration=early)

    def _grace(self, credentials: Credentials) -> float:
        return min(_GRACE, credentials.window(self._min_ttl) / 5)

    def _renewal_if_due(self) -> Future[Credentials] | None:
        if not self._current.ends_soon(self._min_ttl):
            return None
        failed = self._renewal is not None and self._renewal.done()
        if self._renewal is None or (failed and time.monotonic() > self._again):
            self._renewal = Future()
            threading.Thread(
                target=self._run, args=(self._renewal, not failed), daemon=True
            ).start()
        return self._renewal

    def _forget_renewal(self) -> None:
        self._renewal = None  # the thread that would end it is not in this process

    def _run(self, renewal: Future[Credentials], first: bool) -> None:
        try:
            credentials = self._renew()
        except BaseException as error:  # passed on to the threads that wait
            if first:
                left = self._current.seconds_left()
                ends = f"expire in {format_duration(left)}" if left > 0 else "have expired"
                problem = str(error) if isinstance(error, TasksAwsError) else type(error).__name__
                warn(f"The credentials {ends} and could not be renewed: {problem}")
            self._again = time.monotonic() + min(_PAUSE, self._grace(self._current))
            renewal.set_exception(error)
        else:
            with self._lock:
                self._current, self._renewal = credentials, None
            renewal.set_result(credentials)
