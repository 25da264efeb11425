"""Protected targets: what is hard to undo there has to be confirmed."""

from __future__ import annotations

from collections.abc import Iterable

from ..aws_lambda.clients import Account
from ..config.settings import Settings
from ..errors import FunctionError, SettingsError
from ..ui.output import say
from ..ui.prompt import ask, why_no_prompt


def check_can_confirm(targets: Iterable[Settings], doing: str, *, yes: bool) -> None:
    """Raise `SettingsError` if a protected target has to be confirmed and nobody can be asked."""
    for each in targets:
        if each.protected and not yes and (reason := why_no_prompt()):
            raise SettingsError(
                f"`{doing}` has to be confirmed, and {reason}.",
                why=f"`{each.labels['protected']}` is set.",
                fix="Pass --yes if you are sure.",
            )


def confirm_if_protected(accounts: Iterable[Account], doing: str, *, yes: bool) -> None:
    """Have the name of each protected target typed, or its account ID if it has no name.

    Raises `FunctionError` if something else is typed.
    """
    for each in accounts:
        settings = each.settings
        if yes or not settings.protected:
            continue
        name, label = settings.target or each.account_id, settings.labels["protected"]
        say("protected", f"{each}, by `{label}`")
        if ask(f"Type {name} to confirm {doing}: ") != name:
            raise FunctionError(
                f"Nothing was changed: {name} was not typed.",
                why=f"`{label}` is set.",
                fix="Type it exactly, or pass --yes if you are sure.",
            )
