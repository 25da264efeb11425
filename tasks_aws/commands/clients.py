"""Where the credentials of a command line, or those of a target, lead."""

from __future__ import annotations

from invoke.context import Context

from ..auth.active import Active, active, obtain_for, session_of
from ..auth.obtain import prepare
from ..aws_lambda.clients import Account
from ..config.load import Settings


def active_account(c: Context) -> Account:
    """Return where `assume` leads, obtaining credentials if none ran."""
    return _account(c, active(c))


def account_of(c: Context, settings: Settings) -> Account:
    """Return where other settings lead; the credentials of the command line stay as they are."""
    return _account(c, obtain_for(c, prepare(settings)))


def _account(c: Context, now: Active) -> Account:
    return Account(
        now.settings,
        account_id=now.credentials.account_id or "",
        region=now.request.region,
        make_session=lambda: session_of(c, now),
    )
