"""An answer that is cut short is asked for again, and one that is not AWS's is a message."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from tasks_aws.auth.response_checks import check_responses
from tests.aws_lambda.describe import describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Answer, Proxy
from tests.strict_sts import Role, StrictSts
from tests.support import Project

NOT_AWS = "does not come from AWS: a proxy or a sign-in page may be in between."
PAGE = b"<!DOCTYPE html><html><head><meta charset=utf-8></head><body>Blocked<br></body></html>"


@pytest.mark.parametrize("status", [200, 403])
def test_a_web_page_instead_of_sts(
    project: Project, sts: StrictSts, role: Role, status: int
) -> None:
    with Proxy(sts.url) as proxy:
        proxy.replace("^POST", lambda _: (status, {"Content-Type": "text/html"}, PAGE))

        result = project.run("assume", code=1, environ={"AWS_ENDPOINT_URL": proxy.url})

    assert f"The response from {proxy.url} {NOT_AWS}" in result.err
    assert "Check the network, the proxy" in result.err
    assert "Traceback" not in result.err
    assert len(proxy.requests) == 1


def test_an_answer_of_aws_that_is_called_a_web_page(
    project: Project, sts: StrictSts, role: Role
) -> None:
    def as_html(answer: Answer | None) -> Answer:
        assert answer
        return answer[0], {**answer[1], "Content-Type": "text/html; charset=utf-8"}, answer[2]

    with Proxy(sts.url) as proxy:
        proxy.replace("^POST", as_html, times=9, ask=True)

        result = project.run("assume", "whoami", environ={"AWS_ENDPOINT_URL": proxy.url})

    assert "assumed-role/Deployer" in result.out


@pytest.mark.parametrize("command", ["plan", "deploy", "status", "logs"])
def test_a_web_page_instead_of_lambda(
    project: Project, aws: EmbeddedAws, proxy: Proxy, command: str
) -> None:
    write_source(project)
    describe(project, role="everything")
    page = (200, {"Content-Type": "text/html; charset=utf-8"}, PAGE)
    pattern = "/functions/hello|DescribeLogGroups|FilterLogEvents"
    proxy.replace(pattern, lambda _: page, times=inf)  # which of them comes first differs

    result = project.run(command, code=1)

    assert NOT_AWS in result.err
    assert result.err.count("  fix: ") == 1
    assert "Traceback" not in result.err


def test_an_answer_that_cannot_be_read_is_shown_to_nobody(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks("""
import traceback
from invoke import task
from tasks_aws import *

@task
def careless(c):
    try:
        credentials(c)
    except TasksAwsError:
        traceback.print_exc()
""")

    def damaged(answer: Answer | None) -> Answer:
        assert answer
        return answer[0], {}, answer[2][:-10]

    with Proxy(sts.url) as proxy:
        proxy.replace("AssumeRole", damaged, ask=True)

        result = project.run("careless", environ={"AWS_ENDPOINT_URL": proxy.url})

    assert NOT_AWS in result.err
    assert "Traceback" in result.err
    assert not any(secret in result.err for secret in sts.session_secrets())


@pytest.mark.parametrize(
    "body",
    [
        b"<a/>",
        b"<R><AssumeRoleResult><Credentials><Expiration>soon</Expiration></Credentials>"
        b"</AssumeRoleResult></R>",
        b"<R><AssumeRoleResult><Credentials><Expiration>999999999999999999</Expiration>"
        b"</Credentials></AssumeRoleResult></R>",
    ],
)
def test_an_answer_that_botocore_cannot_parse(
    project: Project, sts: StrictSts, role: Role, body: bytes
) -> None:
    with Proxy(sts.url) as proxy:
        proxy.replace("^POST", lambda _: (200, {}, body))

        result = project.run("assume", code=1, environ={"AWS_ENDPOINT_URL": proxy.url})

    assert NOT_AWS in result.err
    assert "Traceback" not in result.err


class Part:
    """A body of which this is what came."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._content


@pytest.fixture
def cuts(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How much comes of the next answers, as shares; all of it when the list is empty."""
    shares: list[float] = []
    send: Any = URLLib3Session.send

    def sent(session: URLLib3Session, request: Any) -> Any:
        whole = send(session, request)
        if not shares:
            return whole
        part = Part(whole.content[: int(len(whole.content) * shares.pop(0))])
        return AWSResponse(request.url, whole.status_code, whole.headers, part)

    monkeypatch.setattr(URLLib3Session, "send", sent)
    return shares


@pytest.fixture
def caller(sts: StrictSts, cuts: list[float]) -> Any:
    """A client whose botocore does not look whether an answer is whole, as `cuts` has it."""
    session, key = botocore.session.Session(), sts.user_key()
    check_responses(session)
    create: Any = session.create_client
    return create(
        "sts",
        region_name="eu-central-1",
        endpoint_url=sts.url,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
        config=Config(retries={"mode": "standard", "total_max_attempts": 2}),
    )


@pytest.mark.parametrize("share", [0, 0.5])
def test_an_answer_that_ends_early_is_asked_for_again(
    sts: StrictSts, caller: Any, cuts: list[float], share: float
) -> None:
    cuts.append(share)

    assert caller.get_caller_identity()["Account"]
    assert sts.count("GetCallerIdentity") == 2


def test_one_that_always_ends_early_is_a_broken_connection(
    sts: StrictSts, caller: Any, cuts: list[float]
) -> None:
    cuts += [0.5, 0.9]

    with pytest.raises(ConnectionClosedError, match="closed before we received a valid response"):
        caller.get_caller_identity()
