"""`console`: a sign-in URL, right for the partition, and no secret in it."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.auth.test_sources import serving
from tests.conftest import Company
from tests.proxy import Proxy
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
        ("eusc-de-east-1", "https://eusc-de-east-1.console.amazonaws-eusc.eu/"),
        ("us-isob-east-1", "https://us-isob-east-1.console.sc2shome.sgov.gov/"),
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

    assert "gave no sign-in token for these credentials (HTTP 401)." in message


def test_an_emulator_without_a_sign_in_service_does_not_blame_the_role(
    project: Project, sts: StrictSts, role: Role
) -> None:
    message, _ = run_console(project, "console", answer=404, code=1)

    assert re.search(r"The endpoint http://\S+ has no sign-in service \(HTTP 404\)\.", message)
    assert "Assume a role" not in message


def test_the_endpoint_may_be_the_profiles(project: Project, sts: StrictSts, user: Key) -> None:
    role, asked = sts.role("Deployer"), []

    def federation(path: str, headers: dict[str, str]) -> object:
        asked.append(path)
        return {"SigninToken": "x"}

    with serving(federation) as url:
        project.profile(
            "emulated",
            role_arn=role.arn,
            source_profile="dev",
            region="eu-central-1",
            endpoint_url=url,
        )
        project.settings(profile="emulated")
        project.environ["AWS_ENDPOINT_URL_STS"] = project.environ.pop("AWS_ENDPOINT_URL")
        project.run("console")

    assert len(asked) == 1


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-central-1", "signin.aws.amazon.com"),
        ("cn-north-1", "signin.amazonaws.cn"),
        ("us-gov-west-1", "signin.amazonaws-us-gov.com"),
        ("eusc-de-east-1", "eusc-de-east-1.signin.amazonaws-eusc.eu"),
        ("us-iso-east-1", "us-iso-east-1.signin.c2shome.ic.gov"),
        ("us-isob-east-1", "us-isob-east-1.signin.sc2shome.sgov.gov"),
        ("eu-isoe-west-1", "eu-isoe-west-1.signin.csphome.adc-e.uk"),
        ("us-isof-south-1", "us-isof-south-1.signin.csphome.hci.ic.gov"),
    ],
)
def test_a_session_is_sent_to_its_own_partition_through_the_proxy(
    project: Project, sts: StrictSts, role: Role, region: str, host: str
) -> None:
    with Proxy("") as proxy:
        proxy.refuse("CONNECT", 403, "Forbidden", "no")
        message = project.run(
            *("assume", "--region", region, "console"),
            code=1,
            environ={
                "AWS_ENDPOINT_URL": "",
                "AWS_ENDPOINT_URL_STS": sts.url,
                "HTTPS_PROXY": proxy.url,
            },
        ).err

    assert proxy.requests == [f"CONNECT {host}:443"]
    assert f"Cannot reach https://{host}/federation (ProxyConnectionError)." in message


@pytest.mark.parametrize("named_by", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "ca_bundle"])
def test_the_sign_in_is_trusted_as_sts_is(
    project: Project, sts: StrictSts, user: Key, company: Company, named_by: str
) -> None:
    in_profile = {"ca_bundle": company.bundle} if named_by == "ca_bundle" else {}
    project.profile(
        "company",
        source_profile="dev",
        role_arn=sts.role("Deployer").arn,
        region="eu-central-1",
        **in_profile,
    )
    certificate = company.authority.issue_cert("127.0.0.1")
    with serving(lambda *_: {"SigninToken": "x"}, certificate) as url:
        environ = {"AWS_ENDPOINT_URL_SIGNIN": url}
        named = {} if in_profile else {named_by: company.bundle}
        trusted = project.run(
            "assume", "--profile", "company", "console", environ={**environ, **named}
        )
        project.settings(profile="dev", role_arn=sts.role("Other").arn)
        refused = project.run("console", environ=environ, code=1)

    assert "SigninToken=x" in trusted.out
    assert f"Cannot reach {url}/federation (SSLError)." in refused.err


def test_the_sign_in_has_the_proxy_that_sts_has(
    project: Project, sts: StrictSts, role: Role
) -> None:
    environ = {"AWS_ENDPOINT_URL_SIGNIN": "http://signin.invalid", "NO_PROXY": "127.0.0.1"}
    with Proxy("") as proxy:
        proxy.replace("", lambda _: (200, {}, b'{"SigninToken": "x"}'))
        out = project.run("console", environ={**environ, "HTTP_PROXY": proxy.url}).out

    assert "SigninToken=x" in out
    (request,) = proxy.requests
    assert request.startswith("GET http://signin.invalid/federation?")


def test_a_session_is_sent_nowhere_from_a_region_that_nobody_knows(
    project: Project, sts: StrictSts, role: Role
) -> None:
    words = ["assume", "--region", "zz-central-1", "console"]

    message, asked = run_console(project, *words, answer={"SigninToken": "x"}, code=1)

    assert "The partition of the region zz-central-1 is unknown." in message
    assert asked == {}


def test_debug_output_shows_no_request(project: Project, sts: StrictSts, role: Role) -> None:
    out, _ = run_console(project, "-d", "console", answer={"SigninToken": "x"})

    assert "SigninToken=x" in out


def test_an_endpoint_that_is_not_there_shows_no_secret(
    project: Project, sts: StrictSts, role: Role
) -> None:
    environ = {"AWS_ENDPOINT_URL_SIGNIN": "http://127.0.0.1:1"}

    message = project.run("console", code=1, environ=environ).err

    assert "Cannot reach http://127.0.0.1:1/federation (EndpointConnectionError)." in message
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
