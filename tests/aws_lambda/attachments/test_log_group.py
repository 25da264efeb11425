"""A log is kept for as many days as the settings say."""

from __future__ import annotations

from typing import Any

import pytest

from tasks_aws.aws_lambda.attachments import log_group
from tests.aws_lambda.attachments.conftest import Deployed, calls, keys


def groups(deployed: Deployed, prefix: str) -> dict[str, int | None]:
    logs: Any = deployed.account.client("logs")
    found = logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
    return {each["logGroupName"]: each.get("retentionInDays") for each in found}


def test_a_group_is_made_before_lambda_would(deployed: Deployed) -> None:
    name = f"/aws/lambda/{deployed.name}"

    assert deployed.deploy(log_group, log_retention_days=7) == ["log_retention_days"]
    assert groups(deployed, name) == {name: 7}


def test_a_group_that_is_there_is_changed(deployed: Deployed) -> None:
    name = f"/aws/lambda/{deployed.name}"
    deployed.account.client("logs").create_log_group(logGroupName=name)
    deployed.deploy(log_group, log_retention_days=7)

    updates = deployed.plan(log_group, log_retention_days=14)

    assert calls(updates) == ["put_retention_policy"]
    assert updates[0].changes[0].format_line() == "~ log_retention_days  7 -> 14"
    deployed.deploy(log_group, log_retention_days=14)
    assert groups(deployed, name) == {name: 14}


def test_a_group_whose_name_only_begins_like_it_is_another(deployed: Deployed) -> None:
    other = f"/aws/lambda/{deployed.name}-other"
    deployed.account.client("logs").create_log_group(logGroupName=other)

    deployed.deploy(log_group, log_retention_days=7)

    assert groups(deployed, other) == {other: None}


def test_a_group_of_another_name_is_the_one_that_the_function_logs_to(deployed: Deployed) -> None:
    name = f"/teams/{deployed.name}"

    deployed.deploy(log_group, log_retention_days=7, LoggingConfig={"LogGroup": name})

    assert groups(deployed, name) == {name: 7}


@pytest.mark.parametrize("logging", [{}, {"LogFormat": "JSON"}])
def test_without_a_setting_no_group_is_made(deployed: Deployed, logging: dict[str, str]) -> None:
    assert deployed.deploy(log_group, LoggingConfig=logging) == []
    assert groups(deployed, f"/aws/lambda/{deployed.name}") == {}


def test_a_group_that_functions_may_share_is_not_pruned(deployed: Deployed) -> None:
    shared: dict[str, Any] = {"LoggingConfig": {"LogGroup": "/teams/all"}}
    deployed.deploy(log_group, log_retention_days=7, **shared)

    assert deployed.plan(log_group, prune=True, **shared) == []
    assert keys(deployed.plan(log_group, log_retention_days="none", **shared)) == [
        "log_retention_days"
    ]
