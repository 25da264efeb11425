"""Where the credentials of a command line, or those of a target, lead."""

from __future__ import annotations

from invoke.context import Context

from .api import session_of
from .functions.place import Place
from .identity.state import Active, active, apart
from .settings import Settings


def place(c: Context) -> Place:
    """Return where `assume` leads, obtaining credentials if none ran."""
    return _place(c, active(c))


def place_of(c: Context, settings: Settings) -> Place:
    """Return where other settings lead; the credentials of the command line stay as they are."""
    return _place(c, apart(c, settings))


def _place(c: Context, now: Active) -> Place:
    return Place(
        now.settings,
        account_id=now.credentials.account_id or "",
        region=now.request.region,
        make_session=lambda: session_of(c, now),
    )
