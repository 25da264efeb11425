"""How long the log of a function is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..clients import Account
from ..diff import Change
from ..iam_actions import CHANGING, READING, REMOVING, Scope, Subject, need, on_anything
from ..parameters import Parameters
from .attachment import Attachment, AttachmentUpdate, Call

_KEY = "log_retention_days"


def _read_log_group(parameters: Parameters, account: Account, function: Mapping[str, Any]) -> Any:
    name = parameters.log_group
    # They are sorted by name: the group itself comes before those that only start with it.
    answer = account.client("logs").describe_log_groups(logGroupNamePrefix=name)
    return next((each for each in answer["logGroups"] if each["logGroupName"] == name), None)


def _diff_retention(parameters: Parameters, found: Any) -> Iterator[AttachmentUpdate]:
    """Yield the retention, and before it the group, which Lambda creates only when it logs."""
    days = parameters.function.log_retention_days
    before = found and found.get("retentionInDays")
    if days == before:
        return
    group = {"logGroupName": parameters.log_group}
    change = Change(key=_KEY, before=before, after=days)
    if days is None:
        if _KEY not in parameters.function.removed and _is_shared(parameters):
            return
        yield AttachmentUpdate(
            changes=(change,),
            calls=(
                Call(
                    service="logs",
                    operation="delete_retention_policy",
                    parameters=group,
                    done_already=("ResourceNotFoundException",),
                ),
            ),
            after_alias=False,
            removes=frozenset({_KEY}),
            unnamed=_KEY not in parameters.function.removed,
        )
        return
    create = Call(
        service="logs",
        operation="create_log_group",
        parameters=group,
        done_already=("ResourceAlreadyExistsException",),
    )
    set_retention = Call(
        service="logs",
        operation="put_retention_policy",
        parameters={**group, "retentionInDays": days},
    )
    yield AttachmentUpdate(
        changes=(change,),
        calls=(set_retention,) if found else (create, set_retention),
        after_alias=False,
    )


def _is_shared(parameters: Parameters) -> bool:
    """Return whether the log group may be that of other functions, too."""
    return "LogGroup" in (parameters.function.parameters.get("LoggingConfig") or {})


def _export_retention(found: Any, attached: Mapping[str, Any]) -> dict[str, Any]:
    return {"log_retention_days": found.get("retentionInDays")}


def on_log_group(subject: Subject) -> Scope:
    """Return the function's log group; most actions of CloudWatch Logs want it with `:*`."""
    arn = subject.arn("logs", f"log-group:{subject.parameters.log_group}")
    return Scope("LogGroups", (arn, f"{arn}:*"))


ATTACHMENTS = (
    Attachment(
        order=1,
        key=_KEY,
        service="logs",
        is_configured=lambda parameters: parameters.function.log_retention_days is not None,
        read=_read_log_group,
        diff=_diff_retention,
        export=_export_retention,
        actions=(
            need("logs:DescribeLogGroups", tasks=READING, on=on_anything),
            need("logs:CreateLogGroup", "logs:PutRetentionPolicy", tasks=CHANGING, on=on_log_group),
            need("logs:DeleteRetentionPolicy", tasks=REMOVING, on=on_log_group),
        ),
    ),
)
