"""A session of botocore whose credentials are renewed as long as it is used."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import botocore.credentials
import botocore.session
from invoke.context import Context

from .active import Active, renew
from .obtain import Request
from .sts import botocore_session
from .values import Credentials

_LAST_MINUTE = 60


def session_of(c: Context, now: Active) -> botocore.session.Session:
    """Return a session with these credentials, which renews them as long as it is used.

    It is botocore's: boto3 takes long to import, and a client is made without it.
    """
    renewal = now.kept.keeper.renewed if now.kept else lambda: renew(c, now.request)
    return renewing_session(now.request, now.credentials, renewal)


def renewing_session(
    request: Request, start: Credentials, renew: Callable[[], Credentials]
) -> botocore.session.Session:
    """Return a session that calls `renew` when its credentials end soon.

    Of the profile it has everything else, such as the endpoints.
    botocore's own windows of 15 and 10 minutes would renew a 900-second session at every call.
    """
    session = botocore_session(request.profile, request.config)
    session.set_config_variable("region", request.region)
    session.register_component(
        "credential_provider",
        botocore.credentials.CredentialResolver(
            [_Provider(start, renew, int(start.window(request.settings.min_ttl_seconds)))]
        ),
    )
    return session


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
        return botocore.credentials.RefreshableCredentials.create_from_metadata(
            _metadata(self._start),
            refresh_using=lambda: _metadata(self._renew()),
            method=self.METHOD,
            advisory_timeout=self._window,
            mandatory_timeout=min(self._window, _LAST_MINUTE),
        )


def _metadata(credentials: Credentials) -> dict[str, Any]:
    return {
        "access_key": credentials.access_key_id,
        "secret_key": credentials.secret_access_key,
        "token": credentials.session_token,
        "expiry_time": credentials.expiration and credentials.expiration.isoformat(),
        "account_id": credentials.account_id,
    }
