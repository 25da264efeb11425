"""Canaries: a new version gets a share of the traffic first, and loses it if it has errors."""

from __future__ import annotations

import math
import threading
import time
from datetime import datetime, timezone
from functools import partial
from typing import Any

from ..errors import FunctionError
from ..text.as_typed import command
from ..ui.output import count, format_duration, say
from ..ui.program import INTERRUPTED
from ..ui.progress import ProgressLine
from .clients import Account
from .iam_actions import need, on_anything
from .parameters import Parameters
from .retry import CANARY_ERRORS, OTHER_CHANGE, retry_while

_TICK = 1  # seconds between two states of the progress


def run_canary(
    parameters: Parameters,
    before: str,
    version: str,
    account: Account,
    *,
    revision: str,
    stop: threading.Event,
    progress: ProgressLine,
) -> str:
    """Send a share of the alias's traffic to a version for a while; return the alias's revision.

    The progress shows the share, the time left and the errors so far.

    Raises `FunctionError` if that version has errors or `stop` is set, once the previous version
    has all of the traffic again.
    """
    canary, name = parameters.function.canary, parameters.name
    assert canary is not None  # noqa: S101  # the caller's condition
    client, alias = account.client("lambda"), parameters.function.alias

    def shift(weights: dict[str, float], revision: str) -> str:
        updated = retry_while(
            lambda: client.update_alias(
                FunctionName=name,
                Name=alias,
                FunctionVersion=before,
                RoutingConfig={"AdditionalVersionWeights": weights},
                RevisionId=revision,
            ),
            OTHER_CHANGE,
            name=account.label(name),
        )
        return str(updated["RevisionId"])

    started = datetime.now(timezone.utc)
    counted = partial(_count, parameters, version, account, since=started)
    revision = shift({version: canary.percent / 100}, revision)
    say(
        "canary",
        f"{account.label(name)}  version {version} gets {canary.percent} % of {alias} for "
        f"{format_duration(canary.seconds)}",
    )
    end = time.monotonic() + canary.seconds
    pause = min(CANARY_ERRORS.longest_pause, max(1, canary.seconds / 5))
    errors = 0

    def wait(seconds: float) -> None:
        until = time.monotonic() + seconds
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            shown = _format_left(math.ceil(end - time.monotonic()))
            progress.note(
                f"canary: version {version} gets {canary.percent} %, {shown} left, no errors"
            )
            stop.wait(min(left, _TICK))

    try:
        while not errors and not stop.is_set() and (left := end - time.monotonic()) > 0:
            wait(min(left, pause))
            errors = counted("Errors")
        invocations = 0 if errors or stop.is_set() else counted("Invocations")
    except BaseException:
        shift({}, revision)
        raise
    finally:
        progress.note("")
    if errors or stop.is_set():
        shift({}, revision)
        if errors:
            why = f"It had {count(errors, 'error')}."
            fix = f"Read `{command('logs')}`, correct the function and deploy again."
        else:
            why, fix = "The deploy was interrupted.", "Deploy again."
        raise FunctionError(
            f"The canary of {name}, version {version}, was stopped.",
            why=why,
            fix=f"{fix} Until then, {alias} points to version {before} only.",
            code=1 if errors else INTERRUPTED,
        )
    heard_of = count(invocations, "invocation") if invocations else "no invocation"
    say(
        "canary",
        f"{account.label(name)}  version {version} had no errors; {heard_of} counted so far",
    )
    return revision


def _format_left(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else format_duration(seconds)


def _count(
    parameters: Parameters, version: str, account: Account, metric: str, *, since: datetime
) -> int:
    """Return the sum that CloudWatch has of a metric for a version behind the alias."""
    name = parameters.bare_name  # CloudWatch does not know a function by its ARN
    dimensions = {
        "FunctionName": name,
        "Resource": f"{name}:{parameters.function.alias}",
        "ExecutedVersion": version,
    }
    statistics: dict[str, Any] = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=since.replace(second=0, microsecond=0),
        EndTime=datetime.now(timezone.utc),
        Period=60,
        Statistics=["Sum"],
    )
    return sum(round(point["Sum"]) for point in statistics["Datapoints"])


ACTIONS = (
    need("lambda:UpdateAlias", tasks=("deploy",), settings=("canary",)),
    need("cloudwatch:GetMetricStatistics", tasks=("deploy",), on=on_anything, settings=("canary",)),
)
