"""Resources that are attached to a function and deployed with it, such as its URL.

Each module of this folder declares its own as `ATTACHMENTS`. They are found by looking into the
folder, so that a new attachment is one new file.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from typing import Any

from botocore.exceptions import ClientError

from ...config.functions import Function
from ...sdk.connections import UNREACHABLE
from ...ui.aws_errors import error_code, error_message
from ..clients import Account
from ..denials import denial_in
from ..diff import Change
from ..parameters import Parameters
from .attachment import Attachment, AttachmentUpdate, Call

__all__ = [
    "ALIASES",
    "ATTACHMENTS",
    "Attachment",
    "AttachmentUpdate",
    "Call",
    "Elsewhere",
    "Found",
    "Unreadable",
    "diff_attachments",
    "may_be_elsewhere",
    "pick_attachments",
    "read_unnamed",
    "reads_elsewhere",
    "reads_of_attachments",
]


def _find_attachments() -> tuple[Attachment, ...]:
    found: list[Attachment] = []
    for each in pkgutil.iter_modules(__path__):
        found += getattr(import_module(f"{__name__}.{each.name}"), "ATTACHMENTS", ())
    return tuple(sorted(found, key=lambda attachment: attachment.order))


ATTACHMENTS = _find_attachments()
ALIASES = "alias"  # the name of that attachment


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for what is in no setting and cannot be read."""

    why: str = ""  # the action that is denied, or that there is no connection


# What AWS has, by the name of the attachment; and elsewhere: first by the alias, or None for the
# function itself.
Found = Mapping[str, Any]
Elsewhere = Mapping[str | None, Found]


def reads_of_attachments(
    parameters: Parameters, account: Account, *, everything: bool = False
) -> dict[str, Callable[[], Any]]:
    """Return the calls that read attachments, by attachment name.

    They are those which the settings name; with `everything`, all.
    """
    return {
        attachment.name: partial(_read, attachment, parameters, account)
        for attachment in ATTACHMENTS
        if (everything or attachment.is_named(parameters)) and not attachment.in_function
    }


def reads_elsewhere(
    parameters: Parameters, account: Account, aliases: Iterable[str], *, everything: bool
) -> dict[tuple[str | None, str], Callable[[], Any]]:
    """Return the calls that read what the function itself has, and its other aliases."""
    function = parameters.function
    return {
        (place, attachment.name): partial(_read, attachment, _at(parameters, place), account)
        for place in (None, *aliases)
        if place != function.alias and not function.is_of_others(place)
        for attachment in ATTACHMENTS
        if attachment.qualified and (everything or attachment.is_named(parameters))
    }


def _read(attachment: Attachment, parameters: Parameters, account: Account) -> Any:
    """Read an attachment; what no setting names may be unreadable."""
    if attachment.is_configured(parameters):
        return attachment.read(parameters, account, {})
    in_short = _at(parameters, parameters.function.alias)
    if attachment.is_removed(parameters):
        return attachment.read(in_short, account, {})
    return read_unnamed(attachment, in_short, account, {}, lambda why: None)


def read_unnamed(
    attachment: Attachment,
    parameters: Parameters,
    account: Account,
    function: Mapping[str, Any],
    tell: Callable[[str], None],
) -> Any:
    """Read what no setting names; return `Unreadable`, and tell why, if it cannot be read.

    A VPC may have an endpoint of Lambda alone, and a region may lack a service. A connection is
    tried once: the requests would repeat it for a minute.
    """
    try:
        if attachment.service != "lambda":
            account.require_connection(attachment.service)
        return attachment.read(parameters, account, function)
    except ClientError as error:
        if error_code(error) in attachment.unsupported:
            return None
        if not error_code(error).startswith("AccessDenied"):
            raise
        tell(f"permission denied. {error_message(error)}")
        return Unreadable(denial_in(error.response).action)
    except UNREACHABLE as error:
        tell(f"no connection. {error}")
        return Unreadable("no connection")


def _at(parameters: Parameters, place: str | None) -> Parameters:
    """Return the parameters with another alias, or none; events are then read in short."""
    function = replace(parameters.function, alias=place, events=parameters.function.events or ())
    return replace(parameters, function=function)


def pick_attachments(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attachments that GetFunction's answer has."""
    return {
        attachment.name: attachment.read(parameters, account, function)
        for attachment in ATTACHMENTS
        if attachment.in_function
    }


def may_be_elsewhere(parameters: Parameters, found: Found) -> bool:
    """Return whether something is missing, or `none`, that another alias may have."""
    return ALIASES in parameters.function.removed or any(
        attachment.is_removed(parameters)
        or any(update.makes for update in attachment.diff(parameters, found[attachment.name]))
        for attachment in ATTACHMENTS
        if attachment.qualified and attachment.is_named(parameters)
    )


def diff_attachments(
    parameters: Parameters,
    found: Found | None,
    elsewhere: Elsewhere | None = None,
    already_made: Set[str] = frozenset(),
    *,
    alias_is_new: bool = False,
) -> Iterator[AttachmentUpdate]:
    """Yield what has to change; `found` is None for a function that does not exist yet.

    What is made here and was on $LATEST or on the old alias is removed there, once everything here
    is made. There is an old alias only if the one in the settings is new, or if they name none.
    Aliases go last.
    """
    if found is None:
        for attachment in ATTACHMENTS:
            if attachment.is_configured(parameters):
                yield from attachment.diff(parameters, None)
        return
    elsewhere = elsewhere or {}
    old = _find_old_aliases(parameters, found, elsewhere, already_made)
    sources = {None, *old} if alias_is_new or parameters.function.alias is None else {None}
    made = {*already_made}
    removals: list[AttachmentUpdate] = []
    for attachment in ATTACHMENTS:
        if attachment.name == ALIASES:
            yield from removals
        actual = found.get(attachment.name, Unreadable())
        others = {
            place: values[attachment.name]
            for place, values in elsewhere.items()
            if _is_read(attachment, values)
        }
        unreadable = isinstance(actual, Unreadable)
        if attachment.adopt and not unreadable:
            # Also after an interrupted move: what is adopted is not lost, and two would compete.
            adoptable = {place: others[place] for place in (None, *old) if place in others}
            actual, left = attachment.adopt(parameters, actual, adoptable)
            others |= left
        updates = [] if unreadable else [*attachment.diff(parameters, actual)]
        made |= {each for update in updates for each in update.makes}
        elsewhere_removed = [
            update
            for place, each in others.items()
            for update in _remove_elsewhere(
                attachment, parameters, place, each, made if place in sources else frozenset()
            )
        ]
        if attachment.exclusive:
            yield from elsewhere_removed
        else:
            removals += elsewhere_removed
        yield from updates


def _is_read(attachment: Attachment, found: Found) -> bool:
    return not isinstance(found.get(attachment.name, Unreadable()), Unreadable)


def _find_old_aliases(
    parameters: Parameters, found: Found, elsewhere: Elsewhere, made: Set[str]
) -> Set[str]:
    """Return the other alias that has what is missing here; none if several have any of it."""
    missing = {
        each
        for attachment in ATTACHMENTS
        if attachment.qualified and _is_read(attachment, found)
        for update in attachment.diff(parameters, found[attachment.name])
        for each in update.makes
    } | made
    holders = {
        place
        for place, values in elsewhere.items()
        for attachment in ATTACHMENTS
        if place and _is_read(attachment, values)
        for update in attachment.diff(_without_settings(parameters, place), values[attachment.name])
        if not missing.isdisjoint(update.removes)
    }
    return holders if len(holders) == 1 else frozenset()


def _without_settings(parameters: Parameters, place: str | None) -> Parameters:
    """Return the parameters of a place where nothing is to be attached."""
    function = parameters.function
    bare = Function(
        name=function.name, key="", parameters={}, alias=place, removed=function.removed
    )
    return replace(parameters, function=bare)


def _remove_elsewhere(
    attachment: Attachment,
    parameters: Parameters,
    place: str | None,
    found: Any,
    made: Set[str],
) -> Iterator[AttachmentUpdate]:
    """Yield the removal of what is attached elsewhere."""
    removed = parameters.function.removed
    goes = place is not None and ALIASES in removed  # with its alias
    where = f"alias {place}" if place else "$LATEST"
    for update in attachment.diff(_without_settings(parameters, place), found):
        moved = bool(update.removes) and update.removes <= made
        after = attachment.replacement or None if moved else None
        yield replace(
            update,
            changes=tuple(
                Change(key=f"{each.key} of {where}", before=each.before, after=after)
                for each in update.changes
            ),
            after_alias=True,
            unnamed=update.unnamed and not (moved or goes),
        )
