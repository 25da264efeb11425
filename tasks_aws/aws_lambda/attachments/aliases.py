"""The aliases of a function. `deploy` moves the one in the settings; the others can be removed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..clients import Account
from ..diff import Change
from ..iam_actions import READING, REMOVING, need
from ..parameters import Parameters
from .attachment import Attachment, AttachmentUpdate, Call


def list_aliases(name: str, account: Account) -> list[dict[str, Any]]:
    """Return all aliases of a function, as ListAliases returns them."""
    pages = account.client("lambda").get_paginator("list_aliases").paginate(FunctionName=name)
    return [alias for page in pages for alias in page["Aliases"]]


def _read_aliases(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> dict[str, str]:
    """Return the version of each alias, by the alias's name."""
    client = account.client("lambda")
    try:
        aliases = list_aliases(parameters.name, account)
    except client.exceptions.ResourceNotFoundException:  # no such function yet
        return {}
    return {alias["Name"]: alias["FunctionVersion"] for alias in aliases}


def _diff_aliases(
    parameters: Parameters, found: Mapping[str, str] | None
) -> Iterator[AttachmentUpdate]:
    function = parameters.function
    for name, version in (found or {}).items():
        if name != function.alias and not function.is_of_others(name):
            key = f"alias {name}"
            delete = Call(
                operation="delete_alias",
                parameters={"FunctionName": parameters.name, "Name": name},
                done_already=("ResourceNotFoundException",),
            )
            yield AttachmentUpdate(
                changes=(Change(key=key, before=f"version {version}"),),
                calls=(delete,),
                removes=frozenset({key}),
                unnamed="alias" not in function.removed,
            )


ATTACHMENTS = (
    Attachment(
        order=8,  # last: what is attached to an alias goes before
        key="alias",
        is_configured=lambda parameters: False,  # `deploy` reads and moves that one by itself
        read=_read_aliases,
        diff=_diff_aliases,
        export=lambda found, attached: {},
        actions=(
            need("lambda:ListAliases", tasks=READING),
            need("lambda:DeleteAlias", tasks=REMOVING),
        ),
    ),
)
