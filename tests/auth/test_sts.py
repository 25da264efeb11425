"""An answer of STS that cannot be used is an error, and nothing is exported."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from tests.proxy import Answer, Proxy
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project

CUTS = [
    ("<Credentials>.*</Credentials>", "", "it has no Credentials"),
    ("<SessionToken>.*</SessionToken>", "", "its SessionToken is missing or malformed"),
    ("<SessionToken>[^<]*", "<SessionToken>", "its SessionToken is missing or malformed"),
    ("<SecretAccessKey>[^<]*", "<SecretAccessKey>a b", "its SecretAccessKey is missing or"),
    ("(<AccessKeyId>.*</AccessKeyId>)", r"\1\1", "its AccessKeyId is missing or malformed"),
    ("<Expiration>.*</Expiration>", "", "its Expiration is missing or malformed"),
]


@pytest.fixture
def proxy(project: Project, sts: StrictSts) -> Iterator[Proxy]:
    """A proxy between the project and STS."""
    with Proxy(sts.url) as server:
        project.environ["AWS_ENDPOINT_URL"] = server.url
        yield server


def edit(proxy: Proxy, action: str, found: str, put: str, date: str | None = None) -> None:
    """Let the answers to an operation be changed, and have another date."""

    def changed(answer: Answer | None) -> Answer:
        assert answer
        status, headers, body = answer
        text, count = re.subn(found, put, body.decode())
        assert count
        return status, {**headers, **({"date": date} if date else {})}, text.encode()

    proxy.replace(action, changed, times=float("inf"), ask=True)


def refused(project: Project, *words: str) -> str:
    """Run a command that fails, and return what it says; no task that follows is run."""
    result = project.run(*words, "noop", code=1)
    assert "Traceback" not in result.err
    assert "noop ran" not in result.out
    assert project.cache_files() == []
    return result.err


@pytest.mark.parametrize(
    ("found", "put", "says"),
    [*CUTS, ("<Arn>.*</Arn>", "<Arn>arn</Arn>", "the Arn of its AssumedRoleUser is malformed")],
)
def test_an_answer_without_a_usable_session_of_a_role(
    project: Project, role: Role, proxy: Proxy, found: str, put: str, says: str
) -> None:
    edit(proxy, "AssumeRole", found, put)

    message = refused(project, "assume")

    assert f"The response for the role {role.arn} cannot be used: {says}" in message
    assert message.count("  why: ") == message.count("  fix: ") == 1


def test_an_answer_without_a_usable_session_of_keys(
    project: Project, user: Key, proxy: Proxy
) -> None:
    edit(proxy, "GetSessionToken", *CUTS[0][:2])

    message = refused(project, "assume", "--profile", "dev")

    assert "The response for a session of profile dev cannot be used:" in message


@pytest.mark.parametrize(
    ("found", "put"),
    [
        ("<Arn>.*</Arn>", "<Arn>arn</Arn>"),
        ("<Arn>.*</Arn>", ""),
        ("<Account>.*</Account>", ""),
        ("<Account>.*</Account>", "<Account>999999999999</Account>"),  # not that of the Arn
        ("<UserId>.*</UserId>", "<UserId/>"),
    ],
)
def test_an_answer_that_does_not_say_who_the_caller_is(
    project: Project, user: Key, proxy: Proxy, found: str, put: str
) -> None:
    edit(proxy, "GetCallerIdentity", found, put)

    message = refused(project, "assume", "--profile", "dev")

    assert "The response for GetCallerIdentity cannot be used" in message


def test_an_element_that_is_there_twice_stops_no_cache(
    project: Project, role: Role, proxy: Proxy
) -> None:
    twice = r"<AssumedRoleId>A</AssumedRoleId><AssumedRoleId>B</AssumedRoleId>"
    edit(proxy, "AssumeRole", "<AssumedRoleId>.*</AssumedRoleId>", twice)

    assert "noop ran" in project.run("assume", "noop").out
    assert len(project.cache_files()) == 1


def test_an_expiry_without_a_time_zone_is_in_utc(
    project: Project, role: Role, proxy: Proxy
) -> None:
    end = datetime.now(timezone.utc) + timedelta(minutes=30)
    edit(proxy, "AssumeRole", "(?<=<Expiration>)[^<]*", f"{end:%Y-%m-%dT%H:%M:%S}")
    project.environ["TZ"] = "Asia/Tokyo"

    for _ in range(2):  # the second is from the cache
        assert "30 min left, until" in project.run("assume", "whoami").out
    assert proxy.requests.count("POST / AssumeRole") == 1


@pytest.mark.parametrize(
    ("date", "says"),
    [
        (None, "fix: Check the proxy"),
        ("yesterday", "This computer's clock may be off."),
        ("{an_hour_ago}", "This computer's clock is 1 h ahead of that of AWS."),
    ],
)
def test_a_session_that_has_already_ended_is_not_exported(
    project: Project, role: Role, proxy: Proxy, date: str | None, says: str
) -> None:
    an_hour_ago = format_datetime(datetime.now(timezone.utc) - timedelta(hours=1))
    date = date and date.format(an_hour_ago=an_hour_ago.replace("+0000", "-0000"))
    ended = "<Expiration>2020-01-01T00:00:00Z</Expiration>"
    edit(proxy, "AssumeRole", "<Expiration>.*</Expiration>", ended, date)

    message = refused(project, "assume")

    assert f"AWS gave a session for the role {role.arn} that ended" in message
    assert says in message
