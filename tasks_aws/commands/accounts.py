"""The account and region that the credentials of `assume`, or those of a target, belong to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, partial

from invoke.context import Context

from ..auth.active import Active, active, obtain_for_each, read_settings, session_of, state_of
from ..auth.request import prepare
from ..aws_lambda.clients import Account
from ..aws_lambda.error_messages import translating
from ..config.settings import Settings
from ..errors import CredentialsError
from ..process.importing import own_imports
from ..sdk.connections import LONGEST_IDLE_SECONDS
from ..ui.output import say
from ..ui.program import command_of


def get_active_account(c: Context) -> Account:
    """Return the account and region of `assume`, obtaining credentials if it did not run."""
    return account_with(c, active(c))


def make_accounts_ready(
    c: Context, settings: Sequence[Settings], *, active: bool
) -> Callable[[], list[Account]]:
    """Return what returns the accounts of these settings, or the `active` one.

    If that is so and `assume` ran, Lambda is connected meanwhile.
    """
    if not active:
        return lambda: get_accounts(c, settings)
    get = _make_active_account_ready(c)
    return lambda: [get()]


def _make_active_account_ready(c: Context) -> Callable[[], Account]:
    """Connect to Lambda meanwhile if `assume` ran; return what `get_active_account` is then.

    Credentials that are to be obtained, or renewed, are so when the account is asked for.
    """
    before, began = state_of(c).active, time.monotonic()
    if before is None:
        return lambda: get_active_account(c)
    early = account_with(c, before)
    early.make_ready()

    def get() -> Account:
        now = active(c)
        idle = time.monotonic() - began > LONGEST_IDLE_SECONDS
        return account_with(c, now) if idle or state_of(c).active is not before else early

    return get


def get_accounts(c: Context, settings: Iterable[Settings]) -> list[Account]:
    """Return the accounts and regions of other settings; the active credentials stay in force."""
    return [account_with(c, each) for each in obtain_for_each(c, [*map(prepare, settings)])]


def check_account(account: Account) -> None:
    """Print which account changes. Raises `CredentialsError` if it is not the expected one.

    AWS is asked, because what a cache says about its credentials may be wrong.
    """
    caller = account.once(identify_caller)
    for expected in (account.settings.account_id, account.account_id):
        if expected and caller["Account"] != expected:
            raise CredentialsError(
                f"These credentials belong to account {caller['Account']}, not {expected}.",
                why="Nothing was changed: functions are deployed only to the account in the "
                "settings.",
                fix="Choose the right profile, role or target, or correct `aws.account_id`.",
            )
    say("account", f"{account}, as {caller['Arn']}")


def identify_caller(account: Account) -> Mapping[str, str]:
    """Return GetCallerIdentity's answer."""
    with translating(str(account), "identify the caller in", who="AWS"):
        caller: Mapping[str, str] = account.client("sts").get_caller_identity()
    return caller


def account_with(c: Context, now: Active) -> Account:
    """Return the account and region that credentials belong to."""
    account_id, region = now.credentials.account_id or "", now.request.region
    command = command_of("policy")  # here, where tasks run: calls are made in other threads

    @cache
    def explain_denied(action: str) -> str:
        with own_imports():
            from .permissions import explain_action, explain_place

        explained = explain_action(action, now.settings, account_id, region, command=command)
        read = partial(read_settings, c, target=now.settings.target)
        return explained and explained + explain_place(read, account_id, region)

    return Account(
        now.settings,
        account_id=account_id,
        region=region,
        make_session=lambda: session_of(c, now),
        explain_denied=explain_denied,
    )
