"""While there is an embedded AWS in place of the real one, nothing of ours is sent elsewhere."""

from __future__ import annotations

import ipaddress
import os
from typing import Any
from urllib.parse import urlsplit

from ..errors import CredentialsError

# The folder of an embedded AWS, which has the place of the user's own ~/.aws.
LOCAL = "TASKS_AWS_LOCAL"


def is_local() -> bool:
    """Return whether this process works on an embedded AWS."""
    return LOCAL in os.environ


def keep_on_loopback(session: Any) -> None:
    """Let no client of a session send anything elsewhere, if the AWS is embedded."""
    if is_local():
        session.register("before-send", _check_request)


def check_loopback(url: str) -> None:
    """Raise `CredentialsError` for a URL beyond this machine, if the AWS is embedded."""
    host = urlsplit(url).hostname or ""
    if is_local() and not _is_loopback(host):
        raise CredentialsError(
            f"Nothing was sent to {host}.",
            why="`local` replaces AWS for this command line, and that host is not on this machine.",
            fix="Remove `local` to reach it, or remove the `endpoint_url` in your task.",
        )


def _check_request(request: Any, **_: Any) -> None:
    check_loopback(request.url)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
