"""The queues, streams and topics whose events a function gets, or its alias."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from botocore.utils import parse_to_aware_datetime

from ...ui.output import warn
from ..clients import Account
from ..diff import Call, Change, Step, compared, differences, unordered
from ..parameters import Parameters, lambda_model
from ..retry import EVENT_SOURCE_STATE
from .tags import Tagged, tagging

# What tells one mapping of a function from another; there is no changing it.
_SOURCE = ("EventSourceArn", "SelfManagedEventSource", "Topics", "Queues")

# States that do not tell whether a mapping will be enabled.
_UNDECIDED = ("Creating", "Updating")


def read(parameters: Parameters, account: Account, function: Mapping[str, Any] | None) -> Any:
    """Return the mappings of the function, or of its alias, in the shape of the settings."""
    events = parameters.function.events
    if events is None or function is None:
        return None
    client = account.client("lambda")
    arn = ":".join([function["Configuration"]["FunctionArn"], *parameters.qualifier.values()])
    pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=arn)
    try:
        listed = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    except client.exceptions.ResourceNotFoundException:  # no such alias yet
        return []
    return [
        _as_settings(mapping, events, client)
        for mapping in listed
        if mapping["FunctionArn"] == arn and mapping["State"] != "Deleting"
    ]


def steps(parameters: Parameters, found: Any, *, prune: bool) -> Iterator[Step]:
    """Yield mappings to create and to update; with `prune` to delete, those without a setting."""
    if parameters.function.events is None:
        return
    rest = list(found or ())
    for event in parameters.function.events:
        mapping = next((each for each in rest if _source(each) == _source(event)), None)
        if mapping is None:
            yield _creation(parameters, event)
        else:
            rest.remove(mapping)
            yield from _update(event, mapping)
    for mapping in rest if prune else ():
        delete = Call(
            operation="delete_event_source_mapping",
            parameters={"UUID": mapping["UUID"]},
            done_already=("ResourceNotFoundException",),
        )
        yield Step(changes=(Change(key=_key(mapping), before=mapping["UUID"]),), calls=(delete,))


def _creation(parameters: Parameters, event: Mapping[str, Any]) -> Step:
    key = _key(event)
    rest = {name: value for name, value in event.items() if name not in _SOURCE}
    function = ":".join([parameters.name, *parameters.qualifier.values()])
    create = Call(
        operation="create_event_source_mapping", parameters={"FunctionName": function, **event}
    )
    new = Change(key=key, after="a new mapping")
    return Step(changes=(new, *differences(key, rest, None)), calls=(create,))


def _update(event: Mapping[str, Any], mapping: Mapping[str, Any]) -> Iterator[Step]:
    key = _key(event)
    changeable = {name: value for name, value in event.items() if name in _changeable()}
    changes, changed = compared(key, changeable, mapping)
    if changes:
        update = Call(
            operation="update_event_source_mapping",
            parameters={"UUID": mapping["UUID"], **changed},
        )
        yield Step(changes=changes, calls=(update,))
    if "Tags" in event:
        tagged = Tagged(mapping["EventSourceMappingArn"], mapping["Tags"])
        changes, calls = tagging(f"{key}.Tags", event["Tags"], tagged)
        if changes:
            yield Step(changes=changes, calls=calls)
    for name in event.keys() - {*_SOURCE, *changeable, "Tags"}:
        if not _same(event[name], mapping.get(name)):
            warn(
                f"{key}.{name} is {mapping.get(name)}, and stays so: Lambda takes it only when a "
                f"mapping is created. Delete the mapping {mapping['UUID']} to have a new one."
            )


def _as_settings(
    mapping: Mapping[str, Any], events: Sequence[Mapping[str, Any]], client: Any
) -> dict[str, Any]:
    """Return a mapping with what a list of them leaves out, as far as the settings name it."""
    if "KMSKeyArn" in mapping:  # the filters are encrypted, and in the single answer only
        mapping = client.get_event_source_mapping(UUID=mapping["UUID"])
    if any("Enabled" in event for event in events):
        mapping = _decided(mapping, client)
    found = {**mapping, "Enabled": mapping["State"] not in ("Disabled", "Disabling")}
    if any("Tags" in event for event in events):
        found["Tags"] = client.list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"]
    return found


def _decided(mapping: Mapping[str, Any], client: Any) -> Mapping[str, Any]:
    """Wait until a mapping says whether it is enabled, but not for ever."""
    deadline, pauses = time.monotonic() + EVENT_SOURCE_STATE.seconds, EVENT_SOURCE_STATE.pauses()
    while mapping["State"] in _UNDECIDED and time.monotonic() < deadline:
        time.sleep(next(pauses))
        mapping = client.get_event_source_mapping(UUID=mapping["UUID"])
    return mapping


@cache
def _changeable() -> frozenset[str]:
    update: Any = lambda_model().operation_model("UpdateEventSourceMapping").input_shape
    return frozenset(update.members) - {"UUID", "FunctionName"}


def _source(mapping: Mapping[str, Any]) -> Sequence[Any]:
    return [unordered(mapping.get(name)) or None for name in _SOURCE]


def _key(mapping: Mapping[str, Any]) -> str:
    """Return what a user knows a mapping by: where the events come from."""
    source = mapping.get("EventSourceArn")
    if not source:
        endpoints = mapping["SelfManagedEventSource"].get("Endpoints", {}).values()
        source = ",".join(sorted(each for hosts in endpoints for each in hosts))
    parts = [*mapping.get("Topics", ()), *mapping.get("Queues", ())]
    return f"events.{source}" + (f" ({', '.join(sorted(parts))})" if parts else "")


def _same(wanted: Any, actual: Any) -> bool:
    if isinstance(actual, datetime):
        wanted = parse_to_aware_datetime(wanted)
    return bool(wanted == actual)
