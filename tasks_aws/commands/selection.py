"""Which functions a task packages or deploys, checked, and their layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..aws_lambda.layers import validate_layers
from ..aws_lambda.parameters import Parameters, account_of_function
from ..aws_lambda.validation import raise_problems, validate_functions
from ..config.functions import Function, Layer
from ..config.settings import Settings
from ..config.shards import WHOLE, Shard
from ..ui.output import count, say
from .trust import account_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Selection:
    """The functions to package or deploy with one target's settings, and their layers."""

    settings: Settings
    functions: Mapping[Function, Parameters]
    layers: Sequence[Layer]
    shard: Shard
    others: Sequence[Parameters]  # the functions of other shards

    @property
    def zipped(self) -> list[Function]:
        """Return the functions that need an archive: all but container images."""
        return [each for each, parameters in self.functions.items() if not parameters.image]

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to do, not even to publish a layer for other shards."""
        return not (self.functions or self.layers)


def select(settings: Settings, names: Sequence[str], shard: Shard = WHOLE) -> Selection:
    """Return a shard of the functions of these names, or of all, with their layers.

    Raises one `SettingsError` for the mistakes of all of them, whichever the shard is.
    """
    functions = settings.named(names)
    checked = validate_functions(functions)
    for each in functions:
        refuse_foreign(each, settings)
    layers = validate_layers(settings, functions)
    own = shard.pick(functions)
    return Selection(
        settings=settings,
        functions={each: checked[each] for each in own},
        layers=shard.pick_layers(layers, own),
        shard=shard,
        others=[checked[each] for each in functions if each not in own],
    )


def refuse_foreign(function: Function, settings: Settings) -> None:
    """Raise `SettingsError` for a function or role in another account than the session's."""
    raise_problems(function, find_foreign(function, settings), fix="")  # the problem says it


def find_foreign(function: Function, settings: Settings) -> Iterator[str]:
    """Yield that a function, or its role, is in another account than the credentials are for."""
    account = settings.account_id or account_of(settings.role_arn or "")
    own_account = account_of_function(str(function.parameters.get("FunctionName")))
    of_role = account_of(str(function.parameters.get("Role")))
    if settings.account_id and own_account not in (None, account):
        yield (
            f"`{function.key}.FunctionName` is in account {own_account}, but `aws.account_id` "
            f"allows only {account}."
        )
    elif account and of_role not in (None, account) and own_account is None:
        yield (
            f"`{function.key}.Role` is in account {of_role}, and the function in {account}: "
            "Lambda takes roles of its own account only. Write ${account_id} in the ARN."
        )


def say_what_is_selected(selection: Selection) -> None:
    """Say how many functions are in a shard, if it is not the only one."""
    if selection.shard.count == 1:
        return
    own, every = len(selection.functions), len(selection.functions) + len(selection.others)
    nothing = ": nothing to do" if selection.is_empty else ""
    say("shard", f"{selection.shard}  {own} of {count(every, 'function')}{nothing}")
