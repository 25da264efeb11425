"""What tasks return, and the list of it that `--json` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..aws_lambda.diff import Change
from ..aws_lambda.layers import LayerJob
from ..aws_lambda.parameters import layer_name
from ..aws_lambda.versions import SmokeTestError
from ..errors import TasksAwsError
from ..results import Deployment, DeploymentChange, FunctionStatus, LayerDeployment, to_json
from ..ui.output import print_result
from .jobs import Job

_Result = TypeVar("_Result", Deployment, FunctionStatus)

# What became of each function, and its error, if there is one.
Report = list[tuple[_Result, TasksAwsError | None]]


@contextmanager
def printed_as_json(report: Report[_Result], *, wanted: bool) -> Iterator[None]:
    """Print on stdout, if that is `wanted`, what the block has noted, however it ends."""
    try:
        yield
    finally:
        if wanted:
            found = [
                {**to_json(result), "error": str(error) if error else None}
                for result, error in report
            ]
            print_result(json.dumps(found, indent=2))


def describe_plan(job: Job, *, show_values: bool) -> Deployment:
    """Return what would be done."""
    if job.plan is None:
        return describe(job, job, "failed", show_values=show_values)
    return describe(job, job, job.plan.verb, show_values=show_values)


def describe(planned: Job, done: Job, result: str, *, show_values: bool) -> Deployment:
    """Return what was planned for a function, and what it has now."""
    plan = planned.plan
    before = plan if plan and not done.error else None  # a change that failed may have moved them
    serving = plan if isinstance(done.error, SmokeTestError) else before
    layers = zip(planned.layers, done.layers, strict=True)
    return Deployment(
        function=done.parameters.function.name,
        target=done.account.settings.target,
        function_name=done.parameters.name,
        account=done.account.account_id,
        region=done.account.region,
        result=result,
        version=done.version or (serving.version if serving else None),
        function_url=done.url or (before.url if before else None),
        seconds=round(done.seconds, 3),
        changes=_describe_changes(plan.changes if plan else (), show_values=show_values),
        layers=tuple(_describe_layer(*each, show_values=show_values) for each in layers),
    )


def _describe_layer(planned: LayerJob, done: LayerJob, *, show_values: bool) -> LayerDeployment:
    changes = (*planned.changes, *planned.permission_changes)
    newest = None if done.changes else done.newest
    return LayerDeployment(
        layer=done.layer.name,
        layer_name=layer_name(done.layer),
        layer_version_arn=newest.answer["LayerVersionArn"] if newest else None,
        changes=_describe_changes(changes, show_values=show_values),
    )


def _describe_changes(
    changes: Iterable[Change], *, show_values: bool
) -> tuple[DeploymentChange, ...]:
    masked = (each.masked(show_values=show_values) for each in changes)
    return tuple(
        DeploymentChange(path=each.key, before=each.before, after=each.after) for each in masked
    )
