"""Resources that are attached to a function and deployed with it, such as its URL.

Each module of this folder declares its own as `ATTACHMENTS`. They are found by looking into the
folder, so that a new attachment is one new file.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from typing import Any

from ..clients import Account
from ..parameters import Parameters
from .attachment import Attachment, AttachmentUpdate, Call

__all__ = [
    "ATTACHMENTS",
    "Attachment",
    "AttachmentUpdate",
    "Call",
    "diff_attachments",
    "pick_attachments",
    "reads_of_attachments",
]


def _find_attachments() -> tuple[Attachment, ...]:
    found: list[Attachment] = []
    for each in pkgutil.iter_modules(__path__):
        found += getattr(import_module(f"{__name__}.{each.name}"), "ATTACHMENTS", ())
    return tuple(sorted(found, key=lambda attachment: attachment.order))


ATTACHMENTS = _find_attachments()


def reads_of_attachments(parameters: Parameters, account: Account) -> dict[str, Callable[[], Any]]:
    """Return the calls that read the attachments which the settings name, by attachment name."""
    return {
        attachment.name: partial(attachment.read, parameters, account, {})
        for attachment in ATTACHMENTS
        if attachment.is_configured(parameters) and not attachment.in_function
    }


def pick_attachments(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attachments that GetFunction's answer has, of those which the settings name."""
    return {
        attachment.name: attachment.read(parameters, account, function)
        for attachment in ATTACHMENTS
        if attachment.is_configured(parameters) and attachment.in_function
    }


def diff_attachments(
    parameters: Parameters, found: Mapping[str, Any] | None, *, prune: bool
) -> Iterator[AttachmentUpdate]:
    """Yield what has to change; `found` is None for a function that does not exist yet."""
    for attachment in ATTACHMENTS:
        if attachment.is_configured(parameters):
            actual = found.get(attachment.name) if found else None
            yield from attachment.diff(parameters, actual, prune)
