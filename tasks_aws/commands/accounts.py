"""The account and region that the credentials of `assume`, or those of a target, belong to."""

from __future__ import annotations

from invoke.context import Context

from ..auth.active import Active, active, obtain_for, session_of
from ..auth.request import prepare
from ..aws_lambda.clients import Account
from ..config.settings import Settings


def get_active_account(c: Context) -> Account:
    """Return the account and region of `assume`, obtaining credentials if it did not run."""
    return _account(c, active(c))


def get_account(c: Context, settings: Settings) -> Account:
    """Return the account and region of other settings; the active credentials stay in force."""
    return _account(c, obtain_for(c, prepare(settings)))


def _account(c: Context, now: Active) -> Account:
    return Account(
        now.settings,
        account_id=now.credentials.account_id or "",
        region=now.request.region,
        make_session=lambda: session_of(c, now),
    )
