"""Deleting a function, with what would be left without it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from .clients import Account
from .remote_state import get_function
from .retry import error_code, is_busy, is_conflict, patiently
from .versions import numbers

_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Doomed:
    """What goes with a function."""

    name: str
    versions: tuple[int, ...]
    aliases: tuple[str, ...]
    urls: tuple[str, ...]
    mappings: Mapping[str, str]  # of event sources, their UUID to a name for people
    callers: tuple[str, ...]  # who have been given the permission to call it

    def lines(self) -> Iterator[str]:
        """Yield what will be lost, for people."""
        versions = ", ".join(map(str, self.versions))
        yield "- code and configuration"
        for what, names in (
            ("versions", [versions] if versions else []),
            ("aliases", [", ".join(self.aliases)] if self.aliases else []),
            ("URL", self.urls),
            ("event source mapping", self.mappings.values()),
            ("callable by", self.callers),
        ):
            for name in names:
                yield f"- {what}  {name}"


def doomed(name: str, account: Account) -> Doomed | None:
    """Read all that goes with a function; None if there is no such function."""
    function = get_function(name, account)
    if function is None:
        return None
    client, arn = account.client("lambda"), function["Configuration"]["FunctionArn"]
    pages = client.get_paginator("list_aliases").paginate(FunctionName=name)
    aliases = [alias["Name"] for page in pages for alias in page["Aliases"]]
    pages = client.get_paginator("list_function_url_configs").paginate(FunctionName=name)
    urls = [each["FunctionUrl"] for page in pages for each in page["FunctionUrlConfigs"]]
    # Asked for a function, AWS leaves out the mappings of its aliases and versions.
    pages = client.get_paginator("list_event_source_mappings").paginate()
    mappings = {
        each["UUID"]: each.get("EventSourceArn") or each["UUID"]
        for page in pages
        for each in page["EventSourceMappings"]
        if f"{each['FunctionArn']}:".startswith(f"{arn}:") and each["State"] != "Deleting"
    }
    callers = [
        caller
        for qualifier in ({}, *({"Qualifier": alias} for alias in aliases))
        for caller in _callers(name, qualifier, client)
    ]
    return Doomed(
        name=name,
        versions=tuple(numbers(name, account)),
        aliases=tuple(aliases),
        urls=tuple(urls),
        mappings=mappings,
        callers=tuple(dict.fromkeys(callers)),
    )


def destroy(found: Doomed, account: Account) -> None:
    """Delete the event source mappings, which would outlive the function, and the function."""
    client = account.client("lambda")
    for mapping in found.mappings:
        _until_gone(found.name, client.delete_event_source_mapping, UUID=mapping)
    _until_gone(found.name, client.delete_function, FunctionName=found.name)


def _until_gone(name: str, delete: Any, **parameters: str) -> None:
    try:
        patiently(
            lambda: delete(**parameters),
            lambda error: is_busy(error) or is_conflict(error),
            subject=name,
            seconds=_PATIENCE_SECONDS,
        )
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise


def _callers(name: str, qualifier: Mapping[str, str], client: Any) -> Iterator[str]:
    """Yield who may call a function by its own policy, such as the bucket that triggers it."""
    try:
        policy = json.loads(client.get_policy(FunctionName=name, **qualifier)["Policy"])
    except client.exceptions.ResourceNotFoundException:
        return
    for statement in policy["Statement"]:
        principal = statement.get("Principal")
        names = principal.values() if isinstance(principal, Mapping) else [principal]
        sources = [
            value
            for condition in statement.get("Condition", {}).values()
            for key, value in condition.items()
            if key.lower() == "aws:sourcearn"
        ]
        yield "  ".join(str(each) for each in (*names, *sources))
