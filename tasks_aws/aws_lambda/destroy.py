"""Deleting a function and its event source mappings, which Lambda would keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from .clients import Account
from .remote_state import get_function, list_aliases
from .retry import EVENT_SOURCE_CHANGE, NOT_FOUND, OTHER_CHANGE, retry_while
from .versions import list_versions, published_versions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeletionPlan:
    """What is deleted with a function."""

    name: str
    versions: tuple[int, ...]
    aliases: tuple[str, ...]
    urls: tuple[str, ...]
    mappings: Mapping[str, str]  # of event sources: UUID to the source's ARN, if it has one
    callers: tuple[str, ...]  # those that the function's policy allows to invoke it

    def lines(self) -> Iterator[str]:
        """Yield a line for each thing that will be deleted."""
        yield "- code and configuration"
        if self.versions:
            yield f"- {list_versions(self.versions)}"
        for what, names in (
            ("alias", self.aliases),
            ("URL", self.urls),
            ("event source mapping", self.mappings.values()),
            ("permission for", self.callers),
        ):
            yield from (f"- {what}  {name}" for name in names)


def plan_deletion(name: str, account: Account) -> DeletionPlan | None:
    """Read what would be deleted with a function; return None if it does not exist."""
    function = get_function(name, account)
    if function is None:
        return None
    client, arn = account.client("lambda"), function["Configuration"]["FunctionArn"]
    aliases = [alias["Name"] for alias in list_aliases(name, account)]
    pages = client.get_paginator("list_function_url_configs").paginate(FunctionName=name)
    urls = [each["FunctionUrl"] for page in pages for each in page["FunctionUrlConfigs"]]
    # Filtered by function, AWS leaves out the mappings of its aliases and versions.
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
    return DeletionPlan(
        name=name,
        versions=tuple(published_versions(name, account)),
        aliases=tuple(aliases),
        urls=tuple(urls),
        mappings=mappings,
        callers=tuple(dict.fromkeys(callers)),
    )


def destroy(plan: DeletionPlan, account: Account) -> None:
    """Delete the event source mappings, then the function."""
    client = account.client("lambda")
    for mapping in plan.mappings:
        _delete(plan.name, partial(client.delete_event_source_mapping, UUID=mapping))
    _delete(plan.name, partial(client.delete_function, FunctionName=plan.name))


def _delete(name: str, call: Callable[[], object]) -> None:
    """Delete something, unless it is gone already."""
    try:
        retry_while(call, EVENT_SOURCE_CHANGE, OTHER_CHANGE, name=name)
    except ClientError as error:
        if not NOT_FOUND.matches(error):
            raise


def _callers(name: str, qualifier: Mapping[str, str], client: Any) -> Iterator[str]:
    """Yield who may invoke a function by its own policy, such as the bucket that triggers it."""
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
