"""Where the credentials of a command line, or those of a target, lead."""

from __future__ import annotations

from invoke.context import Context

from ..auth.active import Active, active, apart
from ..auth.boto_session import session_of
from ..aws_lambda.clients import Place
from ..config.load import Settings


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
