"""The schedules of EventBridge Scheduler that invoke a function, or its alias."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from botocore.utils import parse_to_aware_datetime

from ...config.functions import Function
from ...config.overlays import deep_merge
from ...config.references import Unresolved
from ...errors import FunctionError
from ..clients import Account
from ..diff import Change, diff_unnamed, diff_values
from ..iam_actions import (
    CHANGING,
    READING,
    UNKNOWN,
    Scope,
    Subject,
    need,
    on_anything,
)
from ..parameters import Parameters, bare_name, extract_parameters, input_shape, select
from .attachment import Attachment, AttachmentUpdate, Call

_SERVICE = "scheduler"
_CREATE, _UPDATE = "CreateSchedule", "UpdateSchedule"
_DEFAULT_GROUP = "default"

# "CreateSchedule", EventBridge Scheduler API reference.
_DEFAULTS: Mapping[str, Any] = {
    "ActionAfterCompletion": "NONE",
    "GroupName": _DEFAULT_GROUP,
    "ScheduleExpressionTimezone": "UTC",
    "State": "ENABLED",
}
# "Schedule types", EventBridge Scheduler user guide.
_EXPRESSION = re.compile(
    r"rate\(\d+ (?:minute|hour|day)s?\)|cron\(\S+(?:\s+\S+){5}\)|at\([\d-]{10}T[\d:]{8}\)"
)
# What a schedule, and its target, may have beyond that.
_OPTIONAL: Mapping[str, Any] = {"Description": "", "EndDate": "", "KmsKeyArn": "", "StartDate": ""}
_OPTIONAL_OF_TARGET: Mapping[str, Any] = {
    "DeadLetterConfig": {},
    "Input": "",
    "RetryPolicy": {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185},
}

_Found = Mapping[tuple[str, str], Mapping[str, Any]]  # by group and name


def _is_configured(parameters: Parameters) -> bool:
    """Return whether there are schedules in the settings; those of an alias go with it."""
    function = parameters.function
    return function.schedules is not None or "alias" in function.removed


def _complete(function: Function, schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schedule with what may be left out; YAML reads OFF as false."""
    window = schedule.get("FlexibleTimeWindow", {"Mode": "OFF"})
    if isinstance(window, Mapping) and window.get("Mode") is False:
        window = {**window, "Mode": "OFF"}
    target = schedule.get("Target", {})
    if isinstance(target, Mapping):
        target = {"Arn": "of the function", **target}
    return {**schedule, "FlexibleTimeWindow": window, "Target": target}


def _check_schedules(function: Function) -> Iterator[str]:
    names = Counter(_identify(each) for each in function.schedules or () if "Name" in each)
    for (group, name), number in names.items():
        if number > 1:
            yield f"`{function.key}.schedules` contains {name} of group {group} more than once."
    for index, each in enumerate(function.schedules or ()):
        key, target = f"{function.key}.schedules[{index}]", each.get("Target")
        if isinstance(target, Mapping) and "Arn" in target:
            yield f"`{key}.Target.Arn` cannot be set: it is the function."
        expression = each.get("ScheduleExpression", "")
        if isinstance(expression, str) and expression and not _EXPRESSION.fullmatch(expression):
            yield (
                f"`{key}.ScheduleExpression` is {expression!r}, and must be such as rate(1 hour), "
                "cron(0 2 * * ? *) with six fields, or at(2030-01-31T12:00:00)."
            )
        if "ClientToken" in each:
            yield f"`{key}.ClientToken` cannot be set: `deploy` sets it."


def _identify(schedule: Mapping[str, Any]) -> tuple[str, str]:
    return str(schedule.get("GroupName", _DEFAULT_GROUP)), str(schedule.get("Name"))


def _read_schedules(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> _Found:
    """Return the schedules that the settings name, and all others that invoke the function.

    Those are as ListSchedules returns them. If the settings name none, and there is the function to
    be exported, they are those of its alias, in full.
    """
    client, found = account.client(_SERVICE), read_schedules(parameters.name, account)
    named = [_identify(each) for each in parameters.function.schedules or ()]
    if function and not _is_configured(parameters):
        alias = parameters.function.alias
        found = {key: each for key, each in found.items() if _place(each) == alias}
        named = [*found]
    for group, name in named:
        try:
            found[group, name] = client.get_schedule(GroupName=group, Name=name)
        except client.exceptions.ResourceNotFoundException:
            found.pop((group, name), None)
    return found


def read_schedules(name: str, account: Account) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the schedules that invoke a function, by group and name, in short."""
    own = account.function_arn(name, None)
    return {_identify(each): each for each in account.once(_list_all) if _is_own(each, own)}


def _list_all(account: Account) -> list[Mapping[str, Any]]:
    """Return all schedules of an account: AWS does not list those of one function."""
    pages = account.client(_SERVICE).get_paginator("list_schedules").paginate()
    return [each for page in pages for each in page["Schedules"]]


def _is_own(schedule: Mapping[str, Any], function_arn: str) -> bool:
    """Return whether a schedule invokes the function, or a version or an alias of it."""
    return f"{schedule['Target']['Arn']}:".startswith(f"{function_arn}:")


def _diff_schedules(parameters: Parameters, found: _Found | None) -> Iterator[AttachmentUpdate]:
    """Yield schedules to create, to update and to delete."""
    function, existing = parameters.function, dict(found or {})
    for schedule in function.schedules or ():
        complete = _complete(function, schedule)
        actual = existing.pop(_identify(schedule), None)
        yield from _diff_schedule(parameters, complete, actual)
    for (group, name), each in existing.items():
        place = _place(each)
        if function.is_of_others(place):
            continue
        delete = Call(
            service=_SERVICE,
            operation="delete_schedule",
            parameters={"GroupName": group, "Name": name},
            done_already=("ResourceNotFoundException",),
        )
        key = _describe(each)
        goes = "schedules" in function.removed or (place and "alias" in function.removed)
        yield AttachmentUpdate(
            changes=(Change(key=key, before=each["Target"]["Arn"]),),
            calls=(delete,),
            removes=frozenset({key}),
            unnamed=not goes,
        )


def _diff_schedule(
    parameters: Parameters, wanted: Mapping[str, Any], actual: Mapping[str, Any] | None
) -> Iterator[AttachmentUpdate]:
    key, target = _describe(wanted), {**wanted["Target"]}
    target.pop("Arn", None)
    wanted = {**wanted, "Target": target}
    compared = {name: value for name, value in wanted.items() if name not in ("Name", "GroupName")}
    changes = [*diff_values(key, _plain(compared), _plain(actual or {}))]
    if actual and not _may_take(parameters, actual):
        raise FunctionError(
            f"The schedule {key.partition('.')[2]} exists, and does not invoke "
            f"{parameters.qualified_name}.",
            why=f"It invokes {actual['Target']['Arn']}.",
            fix=f"Give it another name in `{parameters.function.key}.schedules`, or delete it.",
        )
    if actual is None:
        changes.insert(0, Change(key=key, after="a new schedule"))
    elif _place(actual) != parameters.function.alias:
        aim = f"alias {parameters.function.alias}" if parameters.function.alias else "the function"
        changes.append(Change(key=f"{key}.Target", before=actual["Target"]["Arn"], after=aim))
    # UpdateSchedule resets what it is not given.
    kept = select(actual or {}, input_shape(_UPDATE, _SERVICE).members)
    kept_target = kept.pop("Target", {})

    def put(others: Mapping[str, Any], others_of_target: Mapping[str, Any]) -> tuple[Call]:
        call = Call(
            service=_SERVICE,
            operation="update_schedule" if actual else "create_schedule",
            parameters={**others, **wanted, "Target": deep_merge(others_of_target, target)},
            targets_function=True,
        )
        return (call,)

    if changes:
        yield AttachmentUpdate(changes=tuple(changes), calls=put(kept, kept_target))
    unnamed = (
        *diff_unnamed(wanted, kept, {**_DEFAULTS, **_OPTIONAL}, f"{key}.")[0],
        *diff_unnamed(target, kept_target, _OPTIONAL_OF_TARGET, f"{key}.Target.")[0],
    )
    if unnamed:
        own = select(kept_target, ["Arn", "RoleArn"])
        yield AttachmentUpdate(changes=unnamed, calls=put({}, own), unnamed=True, in_part=True)


def _may_take(parameters: Parameters, schedule: Mapping[str, Any]) -> bool:
    """Return whether a schedule of this name is the function's, and not another target's."""
    of_others = parameters.function.is_of_others(_place(schedule))
    return _function(schedule) == parameters.bare_name and not of_others


def _function(schedule: Mapping[str, Any]) -> str:
    """Return the name of the function that a schedule invokes."""
    return bare_name(schedule["Target"]["Arn"]).partition(":")[0]


def _place(schedule: Mapping[str, Any]) -> str | None:
    """Return the alias or version that a schedule invokes; None: the function itself."""
    return bare_name(schedule["Target"]["Arn"]).partition(":")[2] or None


def _describe(schedule: Mapping[str, Any]) -> str:
    """Return what a plan calls a schedule."""
    group, name = _identify(schedule)
    return f"schedules.{name}" if group == _DEFAULT_GROUP else f"schedules.{group}/{name}"


def _plain(value: Any, key: str = "") -> Any:
    """Return a value with one spelling of each time."""
    if isinstance(value, Mapping):
        return {name: _plain(each, name) for name, each in value.items()}
    if key in ("StartDate", "EndDate") and not isinstance(value, Unresolved):
        value = parse_to_aware_datetime(value)
    return value.isoformat() if isinstance(value, datetime) else value


def _export_schedules(found: _Found, attached: Mapping[str, Any]) -> dict[str, Any]:
    return {"schedules": [_export_schedule(each) for each in found.values()]}


def _export_schedule(schedule: Mapping[str, Any]) -> dict[str, Any]:
    exported = extract_parameters(_CREATE, schedule, _DEFAULTS, _SERVICE)
    exported["Target"] = {key: each for key, each in exported["Target"].items() if key != "Arn"}
    return exported


def _schedules(subject: Subject) -> Sequence[Mapping[str, Any]]:
    return subject.parameters.function.schedules or ()


def on_any_schedule(subject: Subject) -> Scope:
    """Return all schedules: their names do not say what they invoke."""
    return Scope("AllSchedules", (subject.arn(_SERVICE, "schedule/*/*"),))


def _on_schedules(subject: Subject) -> Scope:
    """Return the schedules that the settings name; those that they do not name, in all groups."""
    named = [f"schedule/{group}/{name}" for group, name in map(_identify, _schedules(subject))]
    arns = [subject.arn(_SERVICE, each) for each in named or ["schedule/*/*"]]
    return Scope("Schedules", tuple(dict.fromkeys(arns)))


def _on_roles(subject: Subject) -> Scope:
    """Return the roles that EventBridge Scheduler invokes the function with."""
    roles = [str(each.get("Target", {}).get("RoleArn", UNKNOWN)) for each in _schedules(subject)]
    arns = tuple(dict.fromkeys(each if "${" not in each else UNKNOWN for each in roles))
    to_scheduler = ("StringEquals", "iam:PassedToService", ("scheduler.amazonaws.com",))
    return Scope("PassScheduleRole", arns, *to_scheduler) if arns else Scope("", ())


ATTACHMENTS = (
    Attachment(
        order=7,
        key="schedules",
        operation=_CREATE,
        service=_SERVICE,
        complete=_complete,
        is_configured=_is_configured,
        check=_check_schedules,
        read=_read_schedules,
        diff=_diff_schedules,
        export=_export_schedules,
        actions=(
            need("scheduler:ListSchedules", tasks=READING, on=on_anything),
            need("scheduler:GetSchedule", tasks=("init",), on=_on_schedules),
            need("scheduler:GetSchedule", tasks=READING, on=_on_schedules, settings=("schedules",)),
            need(
                "scheduler:CreateSchedule",
                "scheduler:UpdateSchedule",
                tasks=CHANGING,
                on=_on_schedules,
                settings=("schedules",),
            ),
            need("iam:PassRole", tasks=CHANGING, on=_on_roles),
            need("scheduler:DeleteSchedule", tasks=CHANGING, on=_on_schedules),
            need("scheduler:DeleteSchedule", tasks=("deploy --prune",), on=on_any_schedule),
        ),
    ),
)
