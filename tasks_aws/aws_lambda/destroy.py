"""Deleting a function, its event source mappings and its schedules, which AWS would keep."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from botocore.exceptions import ClientError

from .attachments.aliases import list_aliases
from .attachments.event_sources import on_mappings
from .attachments.schedules import on_any_schedule, read_schedules
from .clients import Account
from .iam_actions import need, on_anything
from .remote_state import get_function
from .retry import EVENT_SOURCE_CHANGE, NOT_FOUND, OTHER_CHANGE, retry_while
from .versions import list_versions, published_versions

_SCHEDULED = ("schedules",)
_ARN_PARTS = 7  # of a function's ARN, without an alias or a version


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeletionPlan:
    """What is deleted with a function."""

    name: str
    versions: tuple[int, ...]
    aliases: tuple[str, ...]
    urls: tuple[str, ...]
    mappings: Mapping[str, str]  # of event sources: UUID to the source's ARN, if it has one
    callers: tuple[str, ...]  # those that the function's policy allows to invoke it
    schedules: tuple[tuple[str, str], ...] = ()  # that invoke it, by group and name

    def lines(self) -> Iterator[str]:
        """Yield a line for each thing that will be deleted."""
        yield "- code and configuration"
        if self.versions:
            yield f"- {list_versions(self.versions)}"
        for what, names in (
            ("alias", self.aliases),
            ("URL", self.urls),
            ("event source mapping", self.mappings.values()),
            ("schedule", (f"{group}/{name}" for group, name in self.schedules)),
            ("permission for", self.callers),
        ):
            yield from (f"- {what}  {name}" for name in names)


class EventSourceMappings:
    """The event source mappings of an account, listed once for all functions.

    Filtered by function, AWS leaves out the mappings of its aliases and versions.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._by_function: dict[str, dict[str, str]] | None = None
        self._lock = threading.Lock()

    def of(self, arn: str) -> Mapping[str, str]:
        """Return the mappings of a function: UUID to the source's ARN, if it has one."""
        with self._lock:
            if self._by_function is None:
                self._by_function = self._list()
        return self._by_function.get(arn, {})

    def _list(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        client = self._account.client("lambda")
        for page in client.get_paginator("list_event_source_mappings").paginate():
            for each in page["EventSourceMappings"]:
                if each["State"] != "Deleting":
                    function = ":".join(each["FunctionArn"].split(":")[:_ARN_PARTS])
                    source = each.get("EventSourceArn") or each["UUID"]
                    found.setdefault(function, {})[each["UUID"]] = source
        return found


def plan_deletion(
    name: str, account: Account, mappings: EventSourceMappings, *, scheduled: bool = False
) -> DeletionPlan | None:
    """Read what would be deleted with a function; return None if it does not exist.

    Its schedules are looked for if it is `scheduled`, by the settings.
    """
    with account.at_once(
        lambda: get_function(name, account),
        lambda: [alias["Name"] for alias in list_aliases(name, account)],
        lambda: _list_urls(name, account),
        lambda: published_versions(name, account),
        lambda: _list_callers(name, {}, account),
        lambda: tuple(read_schedules(name, account)) if scheduled else (),
    ) as reading:
        function = reading[0].result()
        if function is None:
            return None
        sources = mappings.of(function["Configuration"]["FunctionArn"])
        aliases, urls, versions, callers, schedules = (each.result() for each in reading[1:])
    reads = [partial(_list_callers, name, {"Qualifier": alias}, account) for alias in aliases]
    with account.at_once(*reads) as reading:
        callers += [caller for each in reading for caller in each.result()]
    return DeletionPlan(
        name=name,
        versions=tuple(versions),
        aliases=tuple(aliases),
        urls=tuple(urls),
        mappings=sources,
        schedules=schedules,
        callers=tuple(dict.fromkeys(callers)),
    )


def _list_urls(name: str, account: Account) -> list[str]:
    pages = account.client("lambda").get_paginator("list_function_url_configs")
    return [
        each["FunctionUrl"]
        for page in pages.paginate(FunctionName=name)
        for each in page["FunctionUrlConfigs"]
    ]


def destroy(plan: DeletionPlan, account: Account) -> None:
    """Delete the event source mappings and schedules, then the function."""
    client, label = account.client("lambda"), account.label(plan.name)
    for group, schedule in plan.schedules:
        delete = account.client("scheduler").delete_schedule
        _delete(label, partial(delete, GroupName=group, Name=schedule))
    for mapping in plan.mappings:
        _delete(label, partial(client.delete_event_source_mapping, UUID=mapping))
    _delete(label, partial(client.delete_function, FunctionName=plan.name))


def _delete(label: str, call: Callable[[], object]) -> None:
    """Delete something, unless it is gone already."""
    try:
        retry_while(call, EVENT_SOURCE_CHANGE, OTHER_CHANGE, name=label)
    except ClientError as error:
        if not NOT_FOUND.matches(error):
            raise


def _list_callers(name: str, qualifier: Mapping[str, str], account: Account) -> list[str]:
    """Return who may invoke a function by its own policy, such as the bucket that triggers it."""
    client, found = account.client("lambda"), []
    try:
        policy = json.loads(client.get_policy(FunctionName=name, **qualifier)["Policy"])
    except client.exceptions.ResourceNotFoundException:
        return []
    for statement in policy["Statement"]:
        principal = statement.get("Principal")
        names = principal.values() if isinstance(principal, Mapping) else [principal]
        sources = [
            value
            for condition in statement.get("Condition", {}).values()
            for key, value in condition.items()
            if key.lower() == "aws:sourcearn"
        ]
        found.append("  ".join(str(each) for each in (*names, *sources)))
    return found


ACTIONS = (
    need(
        "lambda:DeleteFunction",
        "lambda:GetPolicy",
        "lambda:ListFunctionUrlConfigs",
        tasks=("destroy",),
    ),
    need("lambda:ListEventSourceMappings", tasks=("destroy",), on=on_anything),
    need("lambda:DeleteEventSourceMapping", tasks=("destroy",), on=on_mappings),
    need("scheduler:ListSchedules", tasks=("destroy",), on=on_anything, settings=_SCHEDULED),
    need("scheduler:DeleteSchedule", tasks=("destroy",), on=on_any_schedule, settings=_SCHEDULED),
)
