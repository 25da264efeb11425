"""`logs` prints all events of a log, each once, as long as it is asked to."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from tasks_aws.aws_lambda.logs import Log
from tasks_aws.aws_lambda.validation import validate_function
from tasks_aws.config.functions import Function
from tests.aws_lambda.conftest import SETTINGS, Hello
from tests.aws_lambda.describe import account_in
from tests.support import Project

GROUP = "/aws/lambda/hello"


def write(hello: Hello, *messages: str, seconds_ago: float = 0, stream: str = "a") -> None:
    """Write events into the function's log."""
    logs, when = hello.aws.client("logs"), int((time.time() - seconds_ago) * 1000)
    for make, names in (
        (logs.create_log_group, {"logGroupName": GROUP}),
        (logs.create_log_stream, {"logGroupName": GROUP, "logStreamName": stream}),
    ):
        with suppress(logs.exceptions.ResourceAlreadyExistsException):
            make(**names)
    logs.put_log_events(
        logGroupName=GROUP,
        logStreamName=stream,
        logEvents=[{"timestamp": when, "message": message} for message in messages],
    )


def test_the_log_of_the_last_minutes_goes_to_stdout(hello: Hello) -> None:
    write(hello, "long ago", seconds_ago=1200)
    write(hello, "first", "second\nof two lines\n")
    write(hello, "third", stream="b")

    assert hello.project.run("logs").out == "first\nsecond\nof two lines\nthird\n"
    assert hello.project.run("logs", "--since", "1h").out.startswith("long ago\nfirst\n")


def test_events_are_filtered_and_may_have_their_time(hello: Hello) -> None:
    write(hello, "an ERROR", "nothing")

    result = hello.project.run("logs", "--filter", "ERROR", "--timestamps")

    day = time.strftime("%Y-%m-%d", time.gmtime())
    assert result.out.startswith(day[:4])
    assert result.out.endswith("Z  an ERROR\n")
    assert "nothing" not in result.out


def test_a_log_that_is_not_there_is_said(hello: Hello) -> None:
    result = hello.project.run("logs")

    assert result.out == ""
    assert f"logs      hello  no log yet ({GROUP})" in result.err


def test_of_several_functions_each_line_has_its_name(hello: Hello) -> None:
    hello.describe("forbidden")
    write(hello, "one\ntwo")

    result = hello.project.run("logs", code=1)

    assert result.out == "hello      one\nhello      two\n"
    assert "forbidden: Lambda could not read the log of forbidden." in result.err


def test_following_waits_for_the_log_and_prints_what_is_added_until_ctrl_c(hello: Hello) -> None:
    terminal = hello.project.terminal("logs", "--follow")
    terminal.expect_exact("no log yet")

    write(hello, "first event")
    terminal.expect_exact("first event")
    write(hello, "late event", seconds_ago=30, stream="b")
    terminal.expect_exact("late event")
    write(hello, "last event")
    terminal.expect_exact("last event")
    said = terminal.before
    terminal.sendintr()

    said += hello.project.finish(terminal)
    assert "event" not in said
    assert "no log yet" not in said
    assert "Traceback" not in said


def test_one_that_cannot_be_followed_is_told_at_once_and_hides_no_other(hello: Hello) -> None:
    hello.describe("forbidden")
    terminal = hello.project.terminal("logs", "--follow")
    terminal.expect_exact("could not read the log of forbidden")

    write(hello, "an event")
    terminal.expect_exact("hello      an event")
    terminal.sendintr()

    assert "1 of 2 functions failed." in hello.project.finish(terminal, code=1)


def test_a_reader_that_has_seen_enough_is_no_error(hello: Hello) -> None:
    write(hello, *(f"event {number}" for number in range(5000)))
    command = f"{sys.executable} -m invoke logs --follow | head -1"

    result = subprocess.run(
        ["sh", "-c", command],
        cwd=hello.project.folder,
        env=hello.project.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert result.stdout == "event 0\n"
    assert "BrokenPipe" not in result.stderr


def test_a_time_that_is_none_is_told_before_any_call(project: Project) -> None:
    assert "`--since` must be a duration" in project.run("logs", "--since", "soon", code=1).err


@pytest.fixture
def log() -> Iterator[tuple[Log, Stubber]]:
    account = account_in("", "eu-west-1", key="x")
    api = {key: value for key, value in SETTINGS.items() if key[0].isupper()}
    api["LoggingConfig"] = {"LogGroup": "/shared"}
    function = Function(name="hello", key="aws.functions.hello", parameters=api)
    with Stubber(account.client("logs")) as aws:
        yield (
            Log(parameters=validate_function(function), account=account, since=1000, follow=True),
            aws,
        )


def event(identity: str, timestamp: int) -> dict[str, Any]:
    return {"eventId": identity, "timestamp": timestamp, "message": "tick"}


def test_events_are_told_apart_by_their_id_on_all_pages_of_the_group_of_the_settings(
    log: tuple[Log, Stubber], capsys: pytest.CaptureFixture[str]
) -> None:
    reading, aws = log
    asked: dict[str, Any] = {"logGroupName": "/shared", "startTime": ANY}
    for token, events in (
        ("more", [event("1", 2_000_000), event("2", 2_000_000)]),
        (None, [event("3", 2_000_001)]),
    ):
        answer = {"events": events, **({"nextToken": token} if token else {})}
        aws.add_response("filter_log_events", answer, asked)
        asked = {**asked, "nextToken": "more"}
    reading.start()
    reading.print_new()
    assert capsys.readouterr().out == "tick\n" * 3

    # The next look goes back a minute, for what came late.
    late = [event("0", 1_950_000), event("2", 2_000_000), event("3", 2_000_001)]
    aws.add_response(
        "filter_log_events",
        {"events": late},
        {"logGroupName": "/shared", "startTime": 2_000_001 - 60_000},
    )
    reading.start()
    reading.print_new()

    assert capsys.readouterr().out == "tick\n"


def test_what_is_remembered_of_a_log_does_not_grow_with_it(
    log: tuple[Log, Stubber], capsys: pytest.CaptureFixture[str]
) -> None:
    reading, aws = log
    number = 5000
    hour = [event(str(each), 2_000_000 + each * 3_600_000 // number) for each in range(number)]
    for follow in (True, False):
        reading.follow = follow
        aws.add_response("filter_log_events", {"events": hour})
        reading.start()
        reading.print_new()

        assert len(reading._seen) <= number / 60 + 1  # a minute of the hour
    assert capsys.readouterr().out.count("tick") == 2 * number
