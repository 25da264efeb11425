"""What holds for every attachment: `attachments/__init__.py` and `attachments/attachment.py`."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from tasks_aws.aws_lambda import attachments
from tasks_aws.aws_lambda.attachments import (
    ATTACHMENTS,
    AttachmentUpdate,
    Unreadable,
    diff_attachments,
    pick_attachments,
    reads_of_attachments,
)
from tasks_aws.aws_lambda.clients import Account
from tasks_aws.aws_lambda.defaults import REMOVABLE
from tasks_aws.aws_lambda.remote_state import read_remote_function
from tasks_aws.config.functions import FUNCTION_KEYS
from tests.aws_lambda.attachments.conftest import (
    Deployed,
    declared_actions,
    keys,
    parameters,
    recorded_actions,
)
from tests.local_aws import ACCOUNT

ROOT = Path(__file__).parents[3]
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
MODULES = sorted(
    each.name for each in pkgutil.iter_modules(attachments.__path__) if each.name != "attachment"
)


def load(module: str) -> Any:
    return import_module(f"{attachments.__name__}.{module}")


def test_calls_are_made_in_this_order() -> None:
    assert [attachment.name for attachment in ATTACHMENTS] == [
        "log_retention_days",
        "Tags",
        "ReservedConcurrentExecutions",
        "MaximumRetryAttempts, MaximumEventAgeInSeconds, DestinationConfig",
        "UpdateRuntimeOn, RuntimeVersionArn",
        "RecursiveLoop",
        "CodeSigningConfigArn",
        "ProvisionedConcurrentExecutions",
        "FunctionScalingConfig",
        "url",
        "permissions",
        "events",
        "schedules",
        "alias",
    ]


@pytest.mark.parametrize("module", MODULES)
def test_each_module_of_the_folder_declares_attachments_that_are_found(module: str) -> None:
    declared = load(module).ATTACHMENTS

    assert declared
    assert set(declared) <= set(ATTACHMENTS)


def test_each_setting_belongs_to_one_attachment() -> None:
    settings = [key for attachment in ATTACHMENTS for key in attachment.keys]

    assert len(set(settings)) == len(settings)


def test_each_key_is_declared_as_a_setting_of_functions() -> None:
    keys = {each.key for each in ATTACHMENTS if each.key}

    assert {key for key in keys if key.islower()} <= FUNCTION_KEYS.keys()


def test_iam_actions_are_operations_of_aws() -> None:
    session = botocore.session.Session()
    for attachment in ATTACHMENTS:
        for action in declared_actions(attachment) - {"iam:PassRole"}:
            service, operation = action.split(":")
            assert operation in session.get_service_model(service).operation_names


# Settings to deploy one after the other: with these every declared action is needed, except for
# ListTags, without which GetFunction returns no tags, and what only encrypted mappings need.
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"
SIGNING = f"arn:aws:lambda:us-east-1:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0"
EVENT: dict[str, Any] = {"EventSourceArn": QUEUE, "Tags": {"Team": "one"}}
SCHEDULE: dict[str, Any] = {
    "Name": "nightly",
    "ScheduleExpression": "rate(1 day)",
    "Target": {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler"},
}
PERMISSION = {"StatementId": "one", "Action": "lambda:InvokeFunction", "Principal": "*"}
SEQUENCES: dict[str, list[dict[str, Any]]] = {
    "event_sources": [
        {"events": (EVENT,)},
        {"events": ({**EVENT, "BatchSize": 3, "Tags": {"Stage": "test"}},)},
        {"events": "none"},
    ],
    "aliases": [{"alias": "none"}],
    "log_group": [{"log_retention_days": 7}, {"log_retention_days": "none"}],
    "permissions": [
        {"permissions": (PERMISSION,)},
        {"permissions": ({**PERMISSION, "Principal": "123456789012"},)},
    ],
    "put_calls": [
        {
            "ReservedConcurrentExecutions": 3,
            "MaximumRetryAttempts": 0,
            "RecursiveLoop": "Allow",
            "ProvisionedConcurrentExecutions": 2,
            "CodeSigningConfigArn": SIGNING,
        },
        {},
        # MiniStack does not manage runtimes; the actions are made of the same two names.
    ],
    "scaling": [],  # MiniStack has no managed instances: see test_scaling.py
    "schedules": [
        {"schedules": (SCHEDULE,)},
        {"schedules": ({**SCHEDULE, "State": "DISABLED"},)},
        {"schedules": "none"},
    ],
    "tags": [{"Tags": {"Team": "one"}}, {"Tags": {"Stage": "test"}}],
    "url": [{"url": {"AuthType": "AWS_IAM"}}, {"url": {"AuthType": "NONE"}}, {}],
}
NOT_SEEN = {
    "event_sources": {"lambda:GetEventSourceMapping"},
    "put_calls": {f"lambda:{verb}RuntimeManagementConfig" for verb in ("Get", "Put")},
    "scaling": {f"lambda:{verb}FunctionScalingConfig" for verb in ("Get", "Put")},
    "schedules": {"iam:PassRole"},  # no call of ours, but AWS checks it
    "tags": {"lambda:ListTags"},
}


@pytest.mark.parametrize("module", MODULES)
def test_iam_actions_are_those_that_its_calls_need(deployed: Deployed, module: str) -> None:
    deployed = deployed if module == "aliases" else deployed.behind_alias()
    deployed.account.client("sqs").create_queue(QueueName="jobs")
    declared = set().union(*map(declared_actions, load(module).ATTACHMENTS))

    with recorded_actions(deployed.account) as used:
        for settings in SEQUENCES[module]:
            deployed.deploy(load(module), prune=True, **settings)

    used.discard("lambda:GetFunction")  # of the test
    assert used | NOT_SEEN.get(module, set()) == declared


# A setting of each attachment, to be put on AWS and taken away.
EXAMPLES: dict[str, dict[str, Any]] = {
    "log_retention_days": {"log_retention_days": 7},
    "Tags": {"Tags": {"Team": "one"}},
    "ReservedConcurrentExecutions": {"ReservedConcurrentExecutions": 0},
    "MaximumRetryAttempts, MaximumEventAgeInSeconds, DestinationConfig": {
        "MaximumRetryAttempts": 0,
        "MaximumEventAgeInSeconds": 60,
        "DestinationConfig": {"OnFailure": {"Destination": QUEUE}},
    },
    "RecursiveLoop": {"RecursiveLoop": "Allow"},
    "CodeSigningConfigArn": {"CodeSigningConfigArn": SIGNING},
    "ProvisionedConcurrentExecutions": {"ProvisionedConcurrentExecutions": 2},
    "url": {"url": {"AuthType": "NONE"}},
    "permissions": {"permissions": (PERMISSION,)},
    "events": {"events": (EVENT,)},
    "schedules": {"schedules": (SCHEDULE,)},
    "alias": {"alias": "live"},  # which exists
    "UpdateRuntimeOn, RuntimeVersionArn": {},  # MiniStack cannot: see test_put_calls.py
    "FunctionScalingConfig": {},  # cannot be removed
}


def updates_of(
    deployed: Deployed, *, everything: bool = False, **settings: Any
) -> list[AttachmentUpdate]:
    """Return what a deploy would change; with `everything`, only what no setting names."""
    wanted = parameters(deployed.name, **{"alias": deployed.alias, **settings})
    found = read_remote_function(wanted, deployed.account, ahead=True, everything=everything)
    assert found
    updates = diff_attachments(wanted, found.attachments, found.elsewhere)
    return [each for each in updates if each.unnamed == everything]


def make_calls(deployed: Deployed, updates: list[AttachmentUpdate]) -> None:
    for call in (call for update in updates for call in update.calls):
        deployed.make(call)


@pytest.fixture(params=[each.name for each in ATTACHMENTS if EXAMPLES[each.name]])
def attached(request: pytest.FixtureRequest, deployed: Deployed) -> tuple[Deployed, dict[str, Any]]:
    """A function with one thing attached, and the settings for that."""
    deployed.account.client("sqs").create_queue(QueueName="jobs")
    example = EXAMPLES[request.param]
    if "ProvisionedConcurrentExecutions" in example:
        deployed = deployed.behind_alias()
    if request.param != "alias":
        deployed.client.delete_alias(FunctionName=deployed.name, Name="live")
        if deployed.alias:
            deployed.client.create_alias(
                FunctionName=deployed.name, Name="live", FunctionVersion="1"
            )
    make_calls(deployed, updates_of(deployed, **example))
    return deployed, example


def test_the_reference_names_all_settings_that_may_be_none() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    ours = {name for name, setting in FUNCTION_KEYS.items() if setting.removable}
    of_the_api = {key for attachment in ATTACHMENTS for key in attachment.keys if key[0].isupper()}

    assert {key for attachment in ATTACHMENTS for key in attachment.keys} == ours | of_the_api
    never = {"FunctionScalingConfig"}  # Lambda has no operation that removes it
    assert {key for key in of_the_api | REMOVABLE if f"`{key}`" not in page} == never


def test_none_removes_what_a_setting_has_attached(
    attached: tuple[Deployed, dict[str, Any]],
) -> None:
    deployed, example = attached
    nothing: dict[str, Any] = dict.fromkeys(example, "none")

    removals = updates_of(deployed, **nothing)
    make_calls(deployed, removals)

    assert {key.split(".")[0].split(" ")[0] for key in keys(removals)} >= {*example}
    assert {change.after for update in removals for change in update.changes} == {None}
    assert updates_of(deployed, **nothing) == []
    assert updates_of(deployed, everything=True) == []


def test_what_is_attached_and_in_no_setting_goes_only_with_prune(
    attached: tuple[Deployed, dict[str, Any]],
) -> None:
    deployed, example = attached

    assert updates_of(deployed) == []
    unnamed = updates_of(deployed, everything=True)
    make_calls(deployed, unnamed)

    assert {key.split(".")[0].split(" ")[0] for key in keys(unnamed)} >= {*example}
    assert updates_of(deployed, everything=True) == []


def test_what_is_none_is_read_without_its_details(deployed: Deployed) -> None:
    deployed.account.client("sqs").create_queue(QueueName="jobs")
    make_calls(deployed, updates_of(deployed, events=(EVENT,)))

    with recorded_actions(deployed.account) as used:
        removals = updates_of(deployed, events="none")

    assert keys(removals) == [f"events.{QUEUE}"]
    assert "lambda:ListTags" not in used


@pytest.mark.parametrize("settings", [{}, {"schedules": (SCHEDULE,)}])
def test_only_what_is_in_the_settings_needs_its_service(
    account: Account, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SCHEDULER", "http://127.0.0.1:9")  # nobody listens
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    reads = reads_of_attachments(parameters(**settings), account, everything=True)

    if settings:
        with pytest.raises(EndpointConnectionError):
            reads["schedules"]()
    else:
        assert reads["schedules"]() == Unreadable("no connection")


def test_a_plain_function_costs_no_further_read(stubbed: tuple[Account, Stubber]) -> None:
    account, _ = stubbed  # which answers nothing

    for plain in (parameters(), parameters(alias="live")):
        found = pick_attachments(plain, account, {"Configuration": {"FunctionArn": ARN}})

        assert reads_of_attachments(plain, account) == {}
        assert list(diff_attachments(plain, found)) == []


def test_attachments_of_a_new_function_are_planned_without_a_read() -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:jobs"
    new = parameters(
        Tags={"Team": "one"},
        CodeSigningConfigArn="arn:aws:lambda:eu-west-1:123456789012:code-signing-config:"
        "csc-0123456789abcdef0",
        ReservedConcurrentExecutions=0,
        log_retention_days=7,
        url={"AuthType": "AWS_IAM"},
        events=({"EventSourceArn": queue},),
    )

    updates = list(diff_attachments(new, None))

    # CreateFunction takes the tags and the code signing.
    assert keys(updates) == [
        "log_retention_days",
        "ReservedConcurrentExecutions",
        "url.AuthType",
        f"events.{queue}",
    ]
    assert [update.after_alias for update in updates] == [False, False, True, True]
