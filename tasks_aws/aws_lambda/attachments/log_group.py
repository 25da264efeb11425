"""How long the log of a function is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..clients import Account
from ..diff import Call, Change, Step
from ..parameters import Parameters


def read(parameters: Parameters, account: Account, function: Mapping[str, Any] | None) -> Any:
    """Return the log group, as DescribeLogGroups does, if there is one."""
    if parameters.function.log_retention_days is None:
        return None
    name = parameters.log_group
    # They come sorted by name: the group itself is before all that only begin like it.
    answer = account.client("logs").describe_log_groups(logGroupNamePrefix=name)
    return next((each for each in answer["logGroups"] if each["logGroupName"] == name), None)


def steps(parameters: Parameters, found: Any, *, prune: bool) -> Iterator[Step]:
    """Yield the retention, and before it the group, which Lambda makes only when it logs."""
    days = parameters.function.log_retention_days
    before = found and found.get("retentionInDays")
    if days is None or days == before:
        return
    group = {"logGroupName": parameters.log_group}
    create = Call(
        service="logs",
        operation="create_log_group",
        parameters=group,
        done_already=("ResourceAlreadyExistsException",),
    )
    keep = Call(
        service="logs",
        operation="put_retention_policy",
        parameters={**group, "retentionInDays": days},
    )
    yield Step(
        changes=(Change(key="log_retention_days", before=before, after=days),),
        calls=(keep,) if found else (create, keep),
        after_alias=False,
    )
