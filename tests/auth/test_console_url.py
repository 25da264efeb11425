"""`console`: a sign-in URL, right for the partition, and no secret in it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.auth.test_sources import serving
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project


def run_console(
    project: Project, *words: str, answer: Any = None, code: int = 0
) -> tuple[str, dict[str, str]]:
    """Run `console` with a federation endpoint of our own; return its output and the request."""
    asked: dict[str, str] = {}

    def federation(path: str, headers: dict[str, str]) -> object:
        asked.update({name: texts[0] for name, texts in parse_qs(urlsplit(path).query).items()})
        return answer

    with serving(federation) as url:
        environ = {"AWS_ENDPOINT_URL_SIGNIN": url}
        result = project.run(*words, environ=environ, code=code)
    return (result.err if code else result.out), asked


@pytest.mark.parametrize(
    ("region", "destination"),
    [
        ("eu-central-1", "https://console.aws.amazon.com/"),
        ("cn-north-1", "https://console.amazonaws.cn/"),
        ("us-gov-west-1", "https://console.amazonaws-us-gov.com/"),
    ],
)
def test_the_url_is_right_for_the_partition(
    project: Project, sts: StrictSts, role: Role, region: str, destination: str
) -> None:
    words = ["assume", "--region", region, "console"]

    out, asked = run_console(project, *words, answer={"SigninToken": "sign-in"})

    login = {name: texts[0] for name, texts in parse_qs(urlsplit(out.strip()).query).items()}
    assert urlsplit(out).path == "/federation"
    assert login == {
        "Action": "login",
        "Issuer": "tasks-aws",
        "Destination": destination,
        "SigninToken": "sign-in",
    }
    assert asked["Action"] == "getSigninToken"
    assert 3500 < int(asked["SessionDuration"]) <= 3600
    session = json.loads(asked["Session"])
    assert sts.keys[session["sessionId"]].token == session["sessionToken"]


def test_a_service_is_a_page_of_its_own(project: Project, sts: StrictSts, role: Role) -> None:
    words = ["console", "--service", "lambda"]

    out, _ = run_console(project, *words, answer={"SigninToken": "x"})

    page = "https://console.aws.amazon.com/lambda/home?region=eu-central-1"
    assert parse_qs(urlsplit(out).query)["Destination"] == [page]


def test_a_chained_role_asks_for_no_duration(project: Project, sts: StrictSts, user: Key) -> None:
    inner, outer = sts.role("Inner"), sts.role("Outer")
    project.profile("inner", role_arn=inner.arn, source_profile="dev", region="eu-west-1")
    project.settings(profile="inner", role_arn=outer.arn)

    _, asked = run_console(project, "console", answer={"SigninToken": "x"})

    assert "SessionDuration" not in asked


def test_credentials_that_the_console_refuses(project: Project, sts: StrictSts, role: Role) -> None:
    message, _ = run_console(project, "console", answer=None, code=1)

    assert "AWS gave no sign-in token for these credentials (HTTP 401)." in message


def test_debug_output_shows_no_request(project: Project, sts: StrictSts, role: Role) -> None:
    out, _ = run_console(project, "-d", "console", answer={"SigninToken": "x"})

    assert "SigninToken=x" in out


def test_an_endpoint_that_is_not_there_shows_no_secret(
    project: Project, sts: StrictSts, role: Role
) -> None:
    environ = {"AWS_ENDPOINT_URL_SIGNIN": "http://127.0.0.1:1"}

    message = project.run("console", code=1, environ=environ).err

    assert "Cannot reach http://127.0.0.1:1/federation." in message
    assert "Traceback" not in message


def test_a_module_of_the_project_does_not_replace_pythons(project: Project, role: Role) -> None:
    (project.folder / "webbrowser.py").write_text("raise RuntimeError('not this one')")
    project.environ["BROWSER"] = "true"

    out, _ = run_console(project, "console", "--open", answer={"SigninToken": "x"})

    assert out == ""


def test_without_a_browser_the_url_is_printed(project: Project, role: Role) -> None:
    project.environ["BROWSER"] = "false"

    out, _ = run_console(project, "console", "--open", answer={"SigninToken": "x"})

    assert "SigninToken=x" in out
