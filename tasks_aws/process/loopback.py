"""Keep our requests on this machine while an embedded AWS replaces the real one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from ..errors import CredentialsError
from ..text.as_typed import command

# The folder of an embedded AWS, which has the place of the user's own ~/.aws.
LOCAL = "TASKS_AWS_LOCAL"

_ON_THIS_MACHINE = r"https?://(127(\.\d+){3}|\[::1\]|([\w-]+\.)*localhost)(:\d+)?([/?#]|$)"


def is_local() -> bool:
    """Return whether this process works on an embedded AWS."""
    return LOCAL in os.environ


def keep_on_loopback(session: Any) -> None:
    """Let no client of a session send anything elsewhere, if the AWS is embedded."""
    if is_local():
        session.register("before-send", _check_request)


def check_loopback(url: str) -> None:
    """Raise `CredentialsError` for a URL beyond this machine, if the AWS is embedded.

    The host of such a URL is known by its name only: nobody else is asked for its address.
    """
    if is_local() and not re.match(_ON_THIS_MACHINE, url):
        host = re.split(r"[/?#]", url.partition("://")[2])[0].rpartition("@")[2]
        raise CredentialsError(
            f"Nothing was sent to {host}.",
            why="`local` replaces AWS for this command line, and that host is not on this machine.",
            fix="Remove `local` to reach it, or remove the `endpoint_url` in your task.",
        )


def check_kept() -> None:
    """Raise `CredentialsError` if another command line has ended the embedded AWS."""
    if is_local() and not Path(os.environ[LOCAL]).is_dir():
        reset = command("local --reset")
        raise CredentialsError(
            "The emulator that `local` started is no longer running.",
            why=f"`{reset}` on another command line has stopped it.",
            fix="Run this again.",
        )


def _check_request(request: Any, **_: Any) -> None:
    check_kept()
    check_loopback(request.url)
