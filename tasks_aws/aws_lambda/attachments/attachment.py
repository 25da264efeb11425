"""How an attachment is declared: everything that is known about one, in one value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...config.functions import Function
from ..clients import Account
from ..diff import Change
from ..iam_actions import Need
from ..parameters import Parameters, own_members


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """One call of an AWS API, as boto3 spells it."""

    operation: str  # such as put_function_concurrency
    parameters: Mapping[str, Any]
    service: str = "lambda"
    done_already: tuple[str, ...] = ()  # error codes which mean that there is nothing to do
    targets_function: bool = False  # its Target.Arn is the function, or its alias

    def aimed(self, arn: Callable[[], str]) -> Call:
        """Return the call with the ARN of what it is to target, if that is the function."""
        if not self.targets_function:
            return self
        target = {**self.parameters["Target"], "Arn": arn()}
        return replace(self, parameters={**self.parameters, "Target": target})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttachmentUpdate:
    """Changes to an attachment, and the calls that make them, in order."""

    changes: tuple[Change, ...]
    calls: tuple[Call, ...]
    after_alias: bool = True  # False: before a version is published
    makes: frozenset[str] = frozenset()  # what is new with it
    removes: frozenset[str] = frozenset()  # what is gone with it
    unnamed: bool = False  # it removes what no setting names: only `--prune` asks for that
    in_part: bool = False  # what it changes is named, but for these changes


def _add_name(function: Function, given: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"FunctionName": function.name, **given}


def _check_nothing(function: Function) -> Iterator[str]:
    yield from ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attachment:
    """One kind of resource that is deployed with a function.

    `order` is that of the API calls among all attachments. The settings are those under `key`,
    or else the parameters of `operation` at the function's top level.

    `read` returns what AWS has, or None: by calls of its own or, if it is `in_function`, from
    GetFunction's answer, which is empty for the others. `diff` takes that, with None for a
    function that does not exist yet, and yields the removal of what no setting names, too.
    `export` returns the settings for what `read` found, and is given what all attachments found,
    by name.
    """

    order: int
    key: str | None = None
    implied_by: tuple[str, ...] = ()  # other settings for which it is described, too
    operation: str | None = None  # whose parameters the settings hold; None: a simple value
    service: str = "lambda"  # of the operation
    complete: Callable[[Function, Mapping[str, Any]], Mapping[str, Any]] = _add_name  # for checks
    is_configured: Callable[[Parameters], bool]  # whether the settings describe it
    check: Callable[[Function], Iterator[str]] = _check_nothing  # what the API model cannot
    read: Callable[[Parameters, Account, Mapping[str, Any]], Any]
    diff: Callable[[Parameters, Any], Iterator[AttachmentUpdate]]
    export: Callable[[Any, Mapping[str, Any]], Mapping[str, Any]]
    actions: tuple[Need, ...]  # IAM actions that `read` and the calls of `diff` need
    in_function: bool = False  # whether `read` needs nothing but GetFunction's answer
    qualified: bool = False  # whether the function and each of its aliases have their own
    adopt: Callable[[Parameters, Any, Any], Any] | None = None  # takes what can move from elsewhere
    exclusive: bool = False  # whether one elsewhere has to go before it is made here
    replacement: str = ""  # what stands for one that is removed because it is made elsewhere
    unsupported: tuple[str, ...] = ()  # error codes of `read`: this function cannot have it

    @property
    def keys(self) -> list[str]:
        """Return the settings that it is for."""
        if self.key is not None or self.operation is None:
            return [self.key or ""]
        return own_members(self.operation)

    def is_named(self, parameters: Parameters) -> bool:
        """Return whether the settings describe it or say `none`."""
        return self.is_configured(parameters) or self.is_removed(parameters)

    def is_removed(self, parameters: Parameters) -> bool:
        """Return whether a setting of it is `none`."""
        return not parameters.function.removed.isdisjoint(self.keys)

    @property
    def name(self) -> str:
        """Return what messages call it: its settings."""
        return ", ".join(self.keys)
