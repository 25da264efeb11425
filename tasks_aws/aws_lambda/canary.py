"""Giving a new version a small share of the traffic at first, and backing out when it fails."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timezone
from typing import Any

from ..errors import FunctionError
from ..ui.output import format_duration, say
from .clients import Account
from .parameters import Parameters

_LONGEST_PAUSE_SECONDS = 15  # CloudWatch has an error after a minute at the latest


def shift_slowly(
    parameters: Parameters,
    before: str,
    version: str,
    account: Account,
    *,
    revision: str,
    stop: threading.Event,
) -> str:
    """Send a share of the alias's traffic to a version for a while; return the alias's revision.

    Raises `FunctionError` when that version has errors, or `stop` is set: then all of the
    traffic is back where it was.
    """
    canary, name = parameters.function.canary, parameters.name
    assert canary is not None  # noqa: S101  # the caller's condition
    client, alias = account.client("lambda"), parameters.function.alias

    def shift(weights: dict[str, float], revision: str) -> str:
        answer = client.update_alias(
            FunctionName=name,
            Name=alias,
            FunctionVersion=before,
            RoutingConfig={"AdditionalVersionWeights": weights},
            RevisionId=revision,
        )
        return str(answer["RevisionId"])

    started = datetime.now(timezone.utc)
    revision = shift({version: canary.percent / 100}, revision)
    say(
        "canary",
        f"{name}  version {version} has {canary.percent} % of {alias} for "
        f"{format_duration(canary.seconds)}",
    )
    end = time.monotonic() + canary.seconds
    errors = 0.0
    try:
        while not errors and not stop.is_set() and (left := end - time.monotonic()) > 0:
            stop.wait(min(left, _LONGEST_PAUSE_SECONDS, max(1, canary.seconds / 5)))
            errors = _errors(name, alias, version, account, since=started)
    except BaseException:
        shift({}, revision)
        raise
    if errors or stop.is_set():
        shift({}, revision)
        raise FunctionError(
            f"{name}, version {version}, was taken back from {alias}.",
            why=f"It had {errors:.0f} errors." if errors else "The deploy was interrupted.",
            fix=f"Version {before} serves again. See `invoke logs`, correct it and deploy.",
        )
    return revision


def _errors(
    name: str, alias: str | None, version: str, account: Account, *, since: datetime
) -> float:
    """Return how many errors CloudWatch has counted of a version behind an alias."""
    dimensions = {
        "FunctionName": name,
        "Resource": f"{name}:{alias}",
        "ExecutedVersion": version,
    }
    answer: dict[str, Any] = account.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Errors",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=since.replace(second=0, microsecond=0),
        EndTime=datetime.now(timezone.utc),
        Period=60,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in answer["Datapoints"]))
