"""Functions, each in the account and region where it is: what tasks work on, of all targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from invoke.context import Context

from ..auth.active import settings_in_force
from ..aws_lambda.clients import Account
from ..aws_lambda.lookups import resolve_names
from ..aws_lambda.parameters import Parameters
from ..aws_lambda.validation import validate_functions
from ..config.settings import Settings
from ..errors import SettingsError
from .accounts import check_account, get_accounts, get_active_account, identify_caller
from .selection import refuse_foreign


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocatedFunction:
    """A function, and the account and region where it is."""

    parameters: Parameters
    account: Account

    @property
    def label(self) -> str:
        """Return its name in the settings, and the target's, as failures have it."""
        return self.account.label(self.parameters.function.name)

    @property
    def label_on_aws(self) -> str:
        """Return its name on AWS, and the target's."""
        return self.account.label(self.parameters.name)


def find_functions(
    c: Context,
    names: Sequence[str],
    targets: Iterable[str],
    *,
    to_change: bool = False,
    check: Callable[[Sequence[Parameters]], None] = lambda functions: None,
) -> list[LocatedFunction]:
    """Return the functions of these names, or all of them, of each target.

    Without targets they are those of `assume`. The settings of all are checked before AWS is asked,
    which may have to resolve names. If functions are to be changed, their accounts are confirmed
    and printed while Lambda is connected, and none may be there twice.
    """
    targets = [*targets]
    settings = read_targets(c, targets)
    checked = [[*validate_functions(each.named(names)).values()] for each in settings]
    if to_change:
        for each, functions in zip(settings, checked, strict=True):
            for parameters in functions:
                refuse_foreign(parameters.function, each)
    check([function for functions in checked for function in functions])
    accounts = get_accounts(c, settings) if targets else [get_active_account(c)]
    if to_change:
        for account in accounts:
            account.make_ready()
        for account in accounts:
            check_account(account)
    found = [
        each
        for account, functions in zip(accounts, checked, strict=True)
        for each in locate(functions, account)
    ]
    if to_change:
        check_distinct(found)
    return found


def read_targets(c: Context, targets: Iterable[str]) -> list[Settings]:
    """Return the settings of each target, or those that are in force."""
    return [settings_in_force(c, target) for target in dict.fromkeys(targets) or (None,)]


def locate(functions: Sequence[Parameters], account: Account) -> list[LocatedFunction]:
    """Return functions in an account, with their names resolved."""
    names = resolve_names([each.function for each in functions], account)
    return [
        LocatedFunction(parameters=replace(each, name=name), account=account)
        for each, name in zip(functions, names, strict=True)
    ]


def accounts_of(functions: Iterable[LocatedFunction]) -> list[Account]:
    """Return where functions are, each account and region once."""
    return [*dict.fromkeys(each.account for each in functions)]


def check_distinct(functions: Sequence[LocatedFunction]) -> None:
    """Raise `SettingsError` if two of them are the same function on AWS.

    If an account is unknown and there are several, AWS is asked.
    """
    accounts = {each.account: each.account.account_id for each in functions}
    if len(accounts) > 1:
        accounts = {
            account: known or account.once(identify_caller)["Account"]
            for account, known in accounts.items()
        }
    seen: dict[tuple[str, str, str], LocatedFunction] = {}
    for each in functions:
        name = (accounts[each.account], each.account.region, each.parameters.bare_name)
        other = seen.setdefault(name, each)
        if other is not each:
            raise SettingsError(
                f"{other.label} and {each.label} are the same function: {name[2]} in "
                f"{name[0]}, {name[1]}.",
                why="Each would overwrite what the other changed.",
                fix="Set different names (FunctionName), or another account or region for one of "
                "the targets.",
            )
