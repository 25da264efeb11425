"""Under Lambda's quotas every function gets its turn: requests wait, and none is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from tasks_aws.aws_lambda import pacing
from tasks_aws.aws_lambda.pacing import Pace, pacer_for
from tests.aws_lambda.describe import HELLO, account_in, describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Proxy
from tests.support import Project

QUOTAS = {"get": 100, "policy": 15, "other": 15}
TWICE = {kind: 2 * quota for kind, quota in QUOTAS.items()}  # the test takes half the time


def with_everything(queue: str) -> dict[str, Any]:
    """Return a function with all that costs calls."""
    return {
        **HELLO,
        "alias": "live",
        "url": {"AuthType": "AWS_IAM"},
        "events": [{"EventSourceArn": queue}],
        "permissions": [
            {
                "StatementId": "bucket",
                "Action": "lambda:InvokeFunction",
                "Principal": "s3.amazonaws.com",
                "SourceArn": "arn:aws:s3:::uploads",
            }
        ],
    }


def make_queue(aws: EmbeddedAws, name: str = "jobs") -> str:
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


@pytest.mark.parametrize("many", [15, pytest.param(200, marks=pytest.mark.long)])
def test_many_functions_keep_to_lambdas_quotas(
    project: Project, aws: EmbeddedAws, proxy: Proxy, many: int
) -> None:
    function = with_everything(make_queue(aws))
    functions = {f"f{number}": function for number in range(many)}
    settings = {"functions": functions, "requests_per_second": TWICE}
    describe(project, role="everything", aws=settings)
    write_source(project)
    proxy.quotas = TWICE

    project.run("deploy", timeout=600)
    write_source(project, "def handler(event, context): return 2\n")
    for words in (["deploy"], ["status"], ["rollback"]):
        project.run(*words, timeout=600)

    assert len(proxy.throttled) <= len(proxy.requests) / 100


def test_two_deploys_at_once_share_the_quotas_and_both_succeed(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    names = [f"f{number}" for number in range(20)]
    describe(project, role="everything", aws={"functions": dict.fromkeys(names, HELLO)})
    write_source(project)
    project.run("package")
    proxy.quotas = QUOTAS

    halves = [
        project.start("deploy", *(f"--function={name}" for name in half))
        for half in (names[::2], names[1::2])
    ]

    for each in halves:
        _, err = each.communicate(timeout=120)
        assert each.returncode == 0, err


@pytest.mark.parametrize(
    ("many", "shards"), [(24, 3), pytest.param(1000, 8, marks=pytest.mark.long)]
)
def test_shards_deploy_under_one_quota_in_the_time_that_it_allows(
    project: Project,
    aws: EmbeddedAws,
    proxy: Proxy,
    record_property: Callable[[str, object], None],
    many: int,
    shards: int,
) -> None:
    function = {**HELLO, "alias": "live"}
    described = {f"f{number}": function for number in range(many)}
    describe(project, role="everything", aws={"functions": described})
    write_source(project)
    project.run("package", timeout=600)  # not what is timed, for they share this computer
    project.run("assume")
    proxy.quotas, proxy.requests[:] = QUOTAS, []
    began = time.monotonic()

    running = [
        project.start("deploy", "--json", "--shard", f"{index + 1}/{shards}")
        for index in range(shards)
    ]
    outcomes = [each.communicate(timeout=1200) for each in running]

    seconds = time.monotonic() - began
    assert [each.returncode for each in running] == [0] * shards, outcomes
    reports = [json.loads(out) for out, _ in outcomes]
    deployed = [each["function"] for report in reports for each in report]
    assert sorted(deployed) == sorted(described)
    assert {each["result"] for report in reports for each in report} == {"created"}
    assert len(proxy.throttled) <= len(proxy.requests) / 100
    # The largest shard takes longest; starting them takes a while, too.
    floor = proxy.least_seconds()
    largest = max(map(len, reports)) * shards / many
    record_property(
        "figures",
        f"{many} functions in {shards} shards: {seconds:.0f} s, where the quotas allow {floor:.0f} "
        f"s; the largest shard is {largest:.2f} of the mean; {len(proxy.requests)} requests, "
        f"{len(proxy.throttled)} refused",
    )
    assert seconds < 1.3 * floor * largest + 30


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(pacing, "time", made)
    return made


def sent(pace: Pace, clock: Time, *, seconds: float) -> int:
    """Return how many requests are sent within so many seconds."""
    end, number = clock.now + seconds, 0
    while True:
        pace.wait()
        if clock.now > end:
            return number
        number += 1


def test_a_burst_is_half_a_second_of_requests_and_the_rest_leaves_room_for_others(
    clock: Time,
) -> None:
    pace = Pace(20)

    assert sent(pace, clock, seconds=0) == 9  # of 19 per second
    assert sent(pace, clock, seconds=10) in (189, 190)
    clock.now += 100
    assert sent(pace, clock, seconds=0) == 9


def test_a_quota_below_one_burst_still_lets_the_first_request_through(clock: Time) -> None:
    assert sent(Pace(1), clock, seconds=0) == 1


def test_refused_requests_halve_the_pace_until_lambda_has_recovered(clock: Time) -> None:
    pace = Pace(20)
    for _ in range(16):  # all that were under way
        pace.slow_down()

    assert sent(pace, clock, seconds=1) < 15
    clock.now += 100
    assert sent(pace, clock, seconds=10) >= 190


def test_an_account_that_refuses_everything_still_gets_a_request_now_and_then(
    clock: Time,
) -> None:
    pace = Pace(20)
    for _ in range(100):
        pace.slow_down()
        clock.now += 1.1

    assert 1 <= sent(pace, clock, seconds=1) < 10


def test_all_clients_of_an_account_and_region_share_a_pace_and_the_lowest_quotas() -> None:
    quotas = {"get": 100, "policy": 15, "other": 15}
    one = pacer_for("111111111111", "eu-west-1", quotas)

    assert pacer_for("111111111111", "eu-west-1", {**quotas, "other": 5}) is one
    assert pacer_for("111111111111", "eu-west-2", quotas) is not one
    assert pacer_for("222222222222", "eu-west-1", quotas) is not one


def test_a_shard_keeps_to_its_part_of_the_quotas_and_always_gets_its_turn(clock: Time) -> None:
    account = account_in("333333333333", "eu-west-1")
    account.share_quotas(8)
    pace = pacer_for("333333333333", "eu-west-1", QUOTAS)._paces["other"]

    assert sent(pace, clock, seconds=100) in (178, 179)  # of 15 / 8 per second, 95 %
    assert sent(Pace(15 / 1000), clock, seconds=100) == 2
