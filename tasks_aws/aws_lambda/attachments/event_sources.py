"""The queues, streams and topics whose events a function gets, or its alias."""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import chain
from typing import Any

from botocore.utils import parse_to_aware_datetime

from ...config.functions import Function
from ...ui.output import warn
from ..clients import Account
from ..diff import Change, diff_mappings, diff_unnamed, diff_values, sort_lists
from ..iam_actions import (
    CHANGING,
    READING,
    REMOVING,
    Scope,
    Subject,
    need,
    on_anything,
    on_function,
)
from ..parameters import Parameters, bare_name, extract_parameters, input_shape, select
from ..retry import EVENT_SOURCE_STATE
from .attachment import Attachment, AttachmentUpdate, Call
from .tags import TaggedResource, diff_tags

_CREATE, _UPDATE = "CreateEventSourceMapping", "UpdateEventSourceMapping"

# What distinguishes the mappings of a function; it cannot be changed.
_SOURCE = ("EventSourceArn", "SelfManagedEventSource", "Topics", "Queues")

# "CreateEventSourceMapping", Lambda API reference.
_DEFAULTS: Mapping[str, Any] = {
    "BisectBatchOnFunctionError": False,
    "DestinationConfig": {"OnFailure": {"Destination": ""}},
    "Enabled": True,
    "FilterCriteria": {},
    "FunctionResponseTypes": [],
    "KMSKeyArn": "",
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "ScalingConfig": {},
    "TumblingWindowInSeconds": 0,
}

# States in which a mapping may end up enabled or disabled.
_UNDECIDED = ("Creating", "Updating")


def _check_sources(function: Function) -> Iterator[str]:
    for index, event in enumerate(function.events or ()):
        if "EventSourceArn" not in event and "SelfManagedEventSource" not in event:
            yield (
                f"`{function.key}.events[{index}]` must contain EventSourceArn or "
                "SelfManagedEventSource."
            )


def _read_event_sources(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the mappings of the function, or of its alias, as the settings have them."""
    client = account.client("lambda")
    name = parameters.qualified_name
    pages = client.get_paginator("list_event_source_mappings").paginate(FunctionName=name)
    try:
        listed = [mapping for page in pages for mapping in page["EventSourceMappings"]]
    except client.exceptions.ResourceNotFoundException:  # no such alias yet
        return []
    return [
        _complete_mapping(mapping, parameters.function.events, client)
        for mapping in listed
        if _get_function(mapping) == bare_name(name) and mapping["State"] != "Deleting"
    ]


def _complete_mapping(
    mapping: Mapping[str, Any], events: Sequence[Mapping[str, Any]] | None, client: Any
) -> dict[str, Any]:
    """Add what ListEventSourceMappings leaves out and the settings name; without any, all."""
    if "KMSKeyArn" in mapping:  # the filters are encrypted, and only GetEventSourceMapping has them
        mapping = client.get_event_source_mapping(UUID=mapping["UUID"])
    if events is None or any("Enabled" in event for event in events):
        mapping = _wait_until_decided(mapping, client)
    found = {**mapping, "Enabled": mapping["State"] not in ("Disabled", "Disabling")}
    if events is None or any("Tags" in event for event in events):
        found["Tags"] = client.list_tags(Resource=mapping["EventSourceMappingArn"])["Tags"]
    return found


def _wait_until_decided(mapping: Mapping[str, Any], client: Any) -> Mapping[str, Any]:
    """Wait until the state of a mapping shows whether it is enabled, for a limited time."""
    deadline, pauses = time.monotonic() + EVENT_SOURCE_STATE.seconds, EVENT_SOURCE_STATE.pauses()
    while mapping["State"] in _UNDECIDED and time.monotonic() < deadline:
        time.sleep(next(pauses))
        mapping = client.get_event_source_mapping(UUID=mapping["UUID"])
    return mapping


def _adopt_event_sources(
    parameters: Parameters, found: Any, elsewhere: Mapping[str | None, Any]
) -> tuple[list[Any], dict[str | None, list[Any]]]:
    """Take mappings of wanted sources from elsewhere: moved, they go on where they are."""
    missing = Counter(map(_get_source, parameters.function.events or ()))
    missing.subtract(map(_get_source, found or ()))
    own: list[Any] = [*(found or ())]
    left: dict[str | None, list[Any]] = {}
    for place, mappings in elsewhere.items():
        left[place] = []
        for each in mappings or ():
            source = _get_source(each)
            (own if missing[source] > 0 else left[place]).append(each)
            missing[source] -= 1
    return own, left


def _diff_event_sources(parameters: Parameters, found: Any) -> Iterator[AttachmentUpdate]:
    """Yield mappings to create, to update, and to delete."""
    by_source: dict[str, deque[Mapping[str, Any]]] = {}
    for mapping in found or ():
        by_source.setdefault(_get_source(mapping), deque()).append(mapping)
    for event in parameters.function.events or ():
        same = by_source.get(_get_source(event))
        if same:
            yield from _update_mapping(parameters, event, same.popleft())
        else:
            yield _create_mapping(parameters, event)
    for mapping in chain(*by_source.values()):
        delete = Call(
            operation="delete_event_source_mapping",
            parameters={"UUID": mapping["UUID"]},
            done_already=("ResourceNotFoundException",),
        )
        change = Change(key=_describe_source(mapping), before=mapping["UUID"])
        yield AttachmentUpdate(
            changes=(change,),
            calls=(delete,),
            removes=frozenset({change.key}),
            unnamed="events" not in parameters.function.removed,
        )


def _create_mapping(parameters: Parameters, event: Mapping[str, Any]) -> AttachmentUpdate:
    key = _describe_source(event)
    others = {name: value for name, value in event.items() if name not in _SOURCE}
    create = Call(
        operation="create_event_source_mapping",
        parameters={"FunctionName": parameters.qualified_name, **event},
    )
    new = Change(key=key, after="a new mapping")
    changes = (new, *diff_values(key, others, None))
    return AttachmentUpdate(changes=changes, calls=(create,), makes=frozenset({key}))


def _update_mapping(
    parameters: Parameters, event: Mapping[str, Any], mapping: Mapping[str, Any]
) -> Iterator[AttachmentUpdate]:
    key = _describe_source(event)
    updatable = input_shape(_UPDATE).members.keys() - {"UUID", "FunctionName"}
    wanted = select(event, updatable)
    changes, different = diff_mappings(key, wanted, mapping)
    before, after = _get_function(mapping), bare_name(parameters.qualified_name)
    if before != after:  # it has been adopted
        changes = (Change(key=f"{key}.FunctionName", before=before, after=after), *changes)
        different["FunctionName"] = parameters.qualified_name

    def update(values: Mapping[str, Any]) -> tuple[Call]:
        parameters = {"UUID": mapping["UUID"], **values}
        return (Call(operation="update_event_source_mapping", parameters=parameters),)

    if changes:
        yield AttachmentUpdate(changes=changes, calls=update(different))
    unnamed, defaults = diff_unnamed(event, mapping, select(_DEFAULTS, updatable), f"{key}.")
    if unnamed:
        yield AttachmentUpdate(changes=unnamed, calls=update(defaults), unnamed=True, in_part=True)
    if "Tags" in event:
        resource = TaggedResource(mapping["EventSourceMappingArn"], mapping["Tags"])
        changes, calls = diff_tags(f"{key}.Tags", event["Tags"], resource)
        if changes:
            yield AttachmentUpdate(changes=changes, calls=calls)
    for name in event.keys() - {*_SOURCE, *wanted, "Tags"}:
        if not _is_same(event[name], mapping.get(name)):
            _warn_once(
                f"{key}.{name} stays {mapping.get(name)}: Lambda sets it only when a mapping is "
                f"created. To change it, delete the mapping {mapping['UUID']} and deploy again."
            )


def _export_event_sources(
    found: Sequence[Mapping[str, Any]], attached: Mapping[str, Any]
) -> dict[str, Any]:
    return {"events": [extract_parameters(_CREATE, each, _DEFAULTS) for each in found]}


@cache
def _warn_once(text: str) -> None:
    """Warn of what is found again when the plan is made again."""
    warn(text)


def _get_function(mapping: Mapping[str, Any]) -> str:
    """Return the name of a mapping's function, with its alias if it is for that."""
    return bare_name(mapping["FunctionArn"])


def _get_source(mapping: Mapping[str, Any]) -> str:
    """Return what distinguishes a mapping, as text that is a key."""
    source = [sort_lists(mapping.get(name)) or None for name in _SOURCE]
    return json.dumps(source, sort_keys=True)


def _describe_source(mapping: Mapping[str, Any]) -> str:
    """Return what a plan calls a mapping: where its events come from."""
    source = mapping.get("EventSourceArn")
    if not source:
        endpoints = mapping["SelfManagedEventSource"].get("Endpoints", {}).values()
        source = ",".join(sorted(each for hosts in endpoints for each in hosts))
    parts = [*mapping.get("Topics", ()), *mapping.get("Queues", ())]
    return f"events.{source}" + (f" ({', '.join(sorted(parts))})" if parts else "")


def _is_same(wanted: Any, actual: Any) -> bool:
    if isinstance(actual, datetime):
        wanted = parse_to_aware_datetime(wanted)
    return bool(wanted == actual)


def on_mappings(subject: Subject) -> Scope:
    """Return the event source mappings of a function: their own ARNs are only known to AWS."""
    arn = subject.arn("lambda", "event-source-mapping:*")
    return Scope("EventSources", (arn,), *_of_function(subject))


def _on_new_mappings(subject: Subject) -> Scope:
    return Scope("NewEventSources", ("*",), *_of_function(subject))


def _of_function(subject: Subject) -> tuple[str, str, tuple[str, ...]]:
    return "ArnLike", "lambda:FunctionArn", on_function(subject).resources


def _on_tags(subject: Subject) -> Scope:  # the actions for tags know no lambda:FunctionArn
    return Scope("EventSourceTags", (subject.arn("lambda", "event-source-mapping:*"),))


def _on_tags_if_set(subject: Subject) -> Scope:
    events = subject.parameters.function.events or ()
    return _on_tags(subject) if any("Tags" in each for each in events) else Scope("", ())


def _on_keys(subject: Subject) -> Scope:  # with which AWS encrypts the filters
    events = subject.parameters.function.events or ()
    keys = (each["KMSKeyArn"] for each in events if "KMSKeyArn" in each)
    return Scope("EncryptionKeys", tuple(dict.fromkeys(keys)))


ATTACHMENTS = (
    Attachment(
        order=6,
        key="events",
        operation=_CREATE,
        is_configured=lambda parameters: parameters.function.events is not None,
        check=_check_sources,
        read=_read_event_sources,
        diff=_diff_event_sources,
        export=_export_event_sources,
        qualified=True,
        adopt=_adopt_event_sources,
        actions=(
            need("lambda:ListEventSourceMappings", tasks=READING, on=on_anything),
            need("lambda:GetEventSourceMapping", tasks=READING, on=on_mappings),
            need(
                "lambda:CreateEventSourceMapping",
                tasks=CHANGING,
                on=_on_new_mappings,
                settings=("events",),
            ),
            need(
                "lambda:UpdateEventSourceMapping",
                tasks=CHANGING,
                on=on_mappings,
                settings=("events",),
            ),
            need("lambda:DeleteEventSourceMapping", tasks=REMOVING, on=on_mappings),
            need("lambda:ListTags", tasks=("init",), on=_on_tags),
            need("lambda:ListTags", tasks=("plan", "deploy"), on=_on_tags_if_set),
            need("lambda:TagResource", "lambda:UntagResource", tasks=CHANGING, on=_on_tags_if_set),
            need("kms:Decrypt", tasks=READING, on=_on_keys),
        ),
    ),
)
