"""Sessions of botocore: of a profile, and with credentials that are renewed while it is used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import botocore.credentials
import botocore.session

from ..process.garbage_collection import paused_collection
from ..process.locking import thread_lock
from ..process.loopback import check_kept, keep_on_loopback
from ..sdk.connections import share_contexts
from ..sdk.models import share_models
from ..version import __version__
from .response_checks import check_responses
from .values import Credentials

_LAST_MINUTE = 60


@paused_collection()
def botocore_session(profile: str | None, config_files: Sequence[str]) -> botocore.session.Session:
    """Return a session of a profile in these files, whichever files the variables name."""
    check_kept()
    session = botocore.session.Session(profile=profile)
    session.user_agent_extra = f"tasks-aws/{__version__}"
    check_responses(session)
    keep_on_loopback(session)
    share_contexts(session)
    share_models(session)
    for name, path in zip(("config_file", "credentials_file"), config_files, strict=True):
        session.set_config_variable(name, path)
    return session


def renew_credentials_of(
    session: botocore.session.Session,
    start: Credentials,
    renew: Callable[[], Credentials],
    *,
    min_ttl_seconds: float,
) -> None:
    """Let a session use these credentials, and call `renew` when they are about to expire.

    botocore's own windows of 15 and 10 minutes would renew a 900-second session at every call.
    """
    provider = _Provider(start, renew, int(start.window(min_ttl_seconds)))
    resolver = botocore.credentials.CredentialResolver([provider])
    session.register_component("credential_provider", resolver)


class _Provider(botocore.credentials.CredentialProvider):
    METHOD = "tasks-aws"

    def __init__(self, start: Credentials, renew: Callable[[], Credentials], window: int) -> None:
        super().__init__()
        self._start, self._renew, self._window = start, renew, window

    def load(self) -> Any:
        if self._start.expiration is None:
            keys = _metadata(self._start)
            return botocore.credentials.Credentials(
                keys["access_key"], keys["secret_key"], keys["token"], method=self.METHOD
            )
        renewed: Any = botocore.credentials.RefreshableCredentials.create_from_metadata(
            _metadata(self._start),
            refresh_using=lambda: _metadata(self._renew()),
            method=self.METHOD,
            advisory_timeout=self._window,
            mandatory_timeout=min(self._window, _LAST_MINUTE),
        )
        renewed._refresh_lock = thread_lock()  # botocore's would stay locked in a fork
        return renewed


def _metadata(credentials: Credentials) -> dict[str, Any]:
    return {
        "access_key": credentials.access_key_id,
        "secret_key": credentials.secret_access_key,
        "token": credentials.session_token,
        "expiry_time": credentials.expiration and credentials.expiration.isoformat(),
        "account_id": credentials.account_id,
    }
