"""A function gets the events of the sources that the settings name."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks_aws.aws_lambda.attachments import AttachmentUpdate, event_sources
from tasks_aws.aws_lambda.clients import Account
from tests.aws_lambda.attachments.conftest import Deployed, calls, diff, keys, parameters

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hello"
UUID = "0f89c6b6-0000-4000-8000-000000000000"
MAPPINGS = "arn:aws:lambda:eu-west-1:123456789012:event-source-mapping"
QUEUE = "arn:aws:sqs:us-east-1:000000000000:jobs"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks"
KAFKA = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["b.example:9092", "a.example:9092"]}}


@pytest.fixture(autouse=True)
def _queue(request: pytest.FixtureRequest) -> None:
    if "deployed" in request.fixturenames:
        account = request.getfixturevalue("account")
        for name in ("jobs", "others"):
            account.client("sqs").create_queue(QueueName=name)


def mappings(deployed: Deployed) -> dict[str, dict[str, Any]]:
    answer = deployed.client.list_event_source_mappings(FunctionName=deployed.name)
    return {each["EventSourceArn"]: each for each in answer["EventSourceMappings"]}


@pytest.mark.parametrize("alias", [False, True])
def test_a_mapping_is_made_and_changed(deployed: Deployed, alias: bool) -> None:
    deployed = deployed.behind_alias() if alias else deployed
    event = {"EventSourceArn": QUEUE, "BatchSize": 5, "Enabled": False, "Tags": {"Team": "one"}}
    filters = {"Filters": [{"Pattern": '{"body": {"kind": ["a"]}}'}]}

    made = deployed.deploy(event_sources, events=(event,))
    changed = deployed.deploy(
        event_sources,
        events=({**event, "BatchSize": 7, "FilterCriteria": filters, "Tags": {"Team": "two"}},),
    )

    name = f"events.{QUEUE}"
    assert made == [name, f"{name}.BatchSize", f"{name}.Tags.Team"]
    assert changed == [f"{name}.BatchSize", f"{name}.FilterCriteria.Filters", f"{name}.Tags.Team"]
    found = mappings(deployed)[QUEUE]
    assert found["BatchSize"] == 7
    assert found["FilterCriteria"] == filters
    assert found["State"] == "Disabled"
    assert found["FunctionArn"].endswith(f":{deployed.name}" + (":live" if alias else ""))


def test_a_mapping_is_switched_on_and_off(deployed: Deployed) -> None:
    deployed.deploy(event_sources, events=({"EventSourceArn": QUEUE},))

    for enabled, state in ((False, "Disabled"), (True, "Enabled")):
        changed = deployed.deploy(
            event_sources, events=({"EventSourceArn": QUEUE, "Enabled": enabled},)
        )

        assert changed == [f"events.{QUEUE}.Enabled"]
        assert mappings(deployed)[QUEUE]["State"] == state


def test_only_prune_removes_a_mapping_that_the_settings_do_not_name(deployed: Deployed) -> None:
    other = QUEUE.replace("jobs", "others")
    deployed.deploy(event_sources, events=({"EventSourceArn": QUEUE}, {"EventSourceArn": other}))

    assert deployed.deploy(event_sources, events=({"EventSourceArn": QUEUE},)) == []
    assert deployed.deploy(event_sources) == []
    assert mappings(deployed).keys() == {QUEUE, other}

    pruned = deployed.deploy(event_sources, prune=True, events=({"EventSourceArn": QUEUE},))

    assert pruned == [f"events.{other}"]
    assert mappings(deployed).keys() == {QUEUE}
    assert deployed.deploy(event_sources, events=[]) == [f"events.{QUEUE}"]


def test_a_part_that_leaves_the_settings_goes_only_with_prune(deployed: Deployed) -> None:
    filters = {"Filters": [{"Pattern": '{"body": {"kind": ["a"]}}'}]}
    event = {"EventSourceArn": QUEUE, "BatchSize": 5}
    parts = {"Enabled": False, "FilterCriteria": filters}
    deployed.deploy(event_sources, events=({**event, **parts},))

    assert deployed.deploy(event_sources, events=(event,)) == []
    gone = deployed.deploy(event_sources, prune=True, events=(event,))

    assert sorted(gone) == [f"events.{QUEUE}.Enabled", f"events.{QUEUE}.FilterCriteria"]
    found = mappings(deployed)[QUEUE]
    assert (found["State"], found["BatchSize"]) == ("Enabled", 5)
    assert not found.get("FilterCriteria", {}).get("Filters")


def test_a_mapping_of_another_alias_is_left_alone(deployed: Deployed) -> None:
    deployed.deploy(event_sources, events=({"EventSourceArn": QUEUE},))

    assert deployed.behind_alias().plan(event_sources, events=[]) == []


def mapping(**changes: Any) -> dict[str, Any]:
    """Return a mapping as ListEventSourceMappings answers it."""
    found = {
        "UUID": UUID,
        "EventSourceArn": STREAM,
        "FunctionArn": ARN,
        "EventSourceMappingArn": f"{MAPPINGS}:{UUID}",
        "State": "Enabled",
        "StateTransitionReason": "User action",
        "LastModified": datetime(2026, 1, 1, tzinfo=timezone.utc),
        "LastProcessingResult": "OK",
        "BatchSize": 100,
        "MaximumBatchingWindowInSeconds": 0,
        "ParallelizationFactor": 1,
        "StartingPosition": "LATEST",
        "DestinationConfig": {"OnFailure": {}},
        "MaximumRecordAgeInSeconds": -1,
        "BisectBatchOnFunctionError": False,
        "MaximumRetryAttempts": -1,
        "TumblingWindowInSeconds": 0,
        "FunctionResponseTypes": [],
        **changes,
    }
    return {key: value for key, value in found.items() if value is not None}


def kafka(**changes: Any) -> dict[str, Any]:
    """Return a mapping of a Kafka cluster of one's own."""
    return mapping(
        EventSourceArn=None,
        StartingPosition="TRIM_HORIZON",
        SelfManagedEventSource=KAFKA,
        Topics=["clicks"],
        SourceAccessConfigurations=[
            {"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"},
            {"Type": "VPC_SECURITY_GROUP", "URI": "security_group:sg-1"},
        ],
        **changes,
    )


def planned(
    stubbed: tuple[Account, Stubber], event: dict[str, Any], *listed: dict[str, Any]
) -> list[AttachmentUpdate]:
    """Return what a deploy would change, when AWS answers these mappings, one a page."""
    account, stubber = stubbed
    for index, each in enumerate(listed):
        last = index == len(listed) - 1
        answer = {"EventSourceMappings": [each], **({} if last else {"NextMarker": str(index)})}
        marker = {"Marker": str(index - 1)} if index else {}
        expected = {"FunctionName": "hello", **marker}
        stubber.add_response("list_event_source_mappings", answer, expected)
    wanted = parameters(events=(event,))
    return diff(event_sources, wanted, account, {"Configuration": {"FunctionArn": ARN}})


SAME: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"EventSourceArn": STREAM, "StartingPosition": "LATEST"}, mapping()),
    ({"EventSourceArn": STREAM, "FunctionResponseTypes": [], "Enabled": True}, mapping()),
    ({"EventSourceArn": STREAM, "Enabled": True}, mapping(State="Enabling")),
    ({"EventSourceArn": STREAM, "Enabled": False}, mapping(State="Disabling")),
    ({"EventSourceArn": STREAM, "BatchSize": 100}, mapping(State="Creating")),
    (
        {
            "EventSourceArn": STREAM,
            "StartingPosition": "AT_TIMESTAMP",
            "StartingPositionTimestamp": "2026-01-01T01:00:00+01:00",
        },
        mapping(
            StartingPosition="AT_TIMESTAMP",
            StartingPositionTimestamp=datetime(2026, 1, 1, tzinfo=timezone.utc),
        ),
    ),
    (
        {
            "SelfManagedEventSource": {
                "Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": ["a.example:9092", "b.example:9092"]}
            },
            "Topics": ["clicks"],
            "StartingPosition": "TRIM_HORIZON",
            "SourceAccessConfigurations": [
                {"Type": "VPC_SECURITY_GROUP", "URI": "security_group:sg-1"},
                {"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"},
            ],
        },
        kafka(),
    ),
]


@pytest.mark.parametrize(("event", "answer"), SAME)
def test_what_aws_adds_or_writes_in_another_way_is_no_change(
    stubbed: tuple[Account, Stubber],
    capsys: pytest.CaptureFixture[str],
    event: dict[str, Any],
    answer: dict[str, Any],
) -> None:
    assert planned(stubbed, event, answer) == []
    assert capsys.readouterr().err == ""


def test_a_mapping_is_found_on_any_page(stubbed: tuple[Account, Stubber]) -> None:
    event = {"EventSourceArn": STREAM, "BatchSize": 5}

    (update,) = planned(stubbed, event, mapping(EventSourceArn=QUEUE), mapping())

    assert update.changes[0].format_line() == f"~ events.{STREAM}.BatchSize  100 -> 5"
    assert update.calls[0].parameters == {"UUID": UUID, "BatchSize": 5}


def test_another_topic_of_the_same_cluster_is_another_mapping(
    stubbed: tuple[Account, Stubber],
) -> None:
    event = {"SelfManagedEventSource": KAFKA, "Topics": ["views"], "StartingPosition": "LATEST"}

    updates = planned(stubbed, event, kafka())

    assert keys(updates)[0] == "events.a.example:9092,b.example:9092 (views)"
    assert calls(updates) == ["create_event_source_mapping"]


def test_a_mapping_that_is_being_deleted_is_made_anew(stubbed: tuple[Account, Stubber]) -> None:
    updates = planned(stubbed, {"EventSourceArn": STREAM}, mapping(State="Deleting"))

    assert calls(updates) == ["create_event_source_mapping"]


def test_what_only_a_new_mapping_takes_is_a_warning(
    stubbed: tuple[Account, Stubber], capsys: pytest.CaptureFixture[str]
) -> None:
    event = {"EventSourceArn": STREAM, "StartingPosition": "TRIM_HORIZON"}

    assert planned(stubbed, event, mapping()) == []
    assert f"warning   events.{STREAM}.StartingPosition stays LATEST" in capsys.readouterr().err


def test_encrypted_filters_are_read_one_by_one(stubbed: tuple[Account, Stubber]) -> None:
    key = "arn:aws:kms:eu-west-1:123456789012:key/1"
    filters = {"Filters": [{"Pattern": '{"data": {"kind": ["a"]}}'}]}
    encrypted = mapping(KMSKeyArn=key)  # ListEventSourceMappings answers no FilterCriteria then
    event = {"EventSourceArn": STREAM, "KMSKeyArn": key, "FilterCriteria": filters}
    stubbed[1].add_response("list_event_source_mappings", {"EventSourceMappings": [encrypted]})
    stubbed[1].add_response("get_event_source_mapping", {**encrypted, "FilterCriteria": filters})

    assert planned(stubbed, event) == []


def test_a_mapping_in_transition_is_waited_for_to_know_whether_it_is_enabled(
    stubbed: tuple[Account, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    listed = {"EventSourceMappings": [mapping(State="Creating")]}
    stubbed[1].add_response("list_event_source_mappings", listed)
    for state in ("Creating", "Disabled"):
        stubbed[1].add_response("get_event_source_mapping", mapping(State=state))

    assert planned(stubbed, {"EventSourceArn": STREAM, "Enabled": False}) == []


def test_each_mapping_is_compared_once(
    stubbed: tuple[Account, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    many, compared = 200, 0
    get_source = event_sources._get_source

    def counting(mapping: Any) -> Any:
        nonlocal compared
        compared += 1
        return get_source(mapping)

    monkeypatch.setattr(event_sources, "_get_source", counting)
    events = tuple({"EventSourceArn": f"{QUEUE}{number}"} for number in range(many))
    found = [mapping(EventSourceArn=f"{QUEUE}{number}") for number in reversed(range(many))]
    (attachment,) = event_sources.ATTACHMENTS

    assert list(attachment.diff(parameters(events=events), found)) == []
    assert compared == 2 * many
