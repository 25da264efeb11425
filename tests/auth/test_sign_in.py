"""Signing in to IAM Identity Center: once, in the way that suits, and in the AWS CLI's files."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from typing import Any
from urllib.request import urlopen

import pytest

from tests import chromium
from tests.oidc import ACCOUNT, REGION, SCOPE, START_URL, IdentityCenter, token_file, write_token
from tests.strict_sts import StrictSts
from tests.support import Project

# The file of the client that the AWS CLI v2 registers for this sso-session.
REGISTRATION = "fdcad60aaabbae07299d375d185dc582b97f32f1"


@pytest.fixture(autouse=True)
def _profile(project: Project, center: IdentityCenter) -> None:
    project.settings(profile="sso")


def kept(project: Project, name: str = "corp") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(token_file(project, name).read_text())
    return found


def confirm(terminal: Any) -> None:
    """Do what the terminal says: open the page for the code."""
    terminal.expect(r"enter the code \S+, or open (\S+)\s")
    urlopen(terminal.match[1]).close()


@pytest.mark.skipif(not (chromium.PROGRAM and chromium.DRIVER), reason="needs Chromium")
def test_a_real_browser_signs_in(project: Project, center: IdentityCenter) -> None:
    center.asks = True
    project.environ["BROWSER"] = f"{sys.executable} {chromium.__file__} %s"

    text = project.finish(project.terminal("assume", "whoami"))

    assert "assumed-role/AWSReservedSSO_Dev_0123/alice" in text
    assert center.pages == ["/authorize"]
    assert center.calls == ["register", "create_token", "get_role_credentials"]


@pytest.mark.skipif(not (chromium.PROGRAM and chromium.DRIVER), reason="needs Chromium")
@pytest.mark.parametrize("typed", [False, True])
def test_a_real_browser_confirms_a_code(
    project: Project, center: IdentityCenter, typed: bool
) -> None:
    project.settings(profile="sso", sign_in="code")
    center.asks = True
    terminal = project.terminal("assume", "whoami")
    terminal.expect(r"open (\S+) on any device and enter the code (\S+), or open (\S+)\s")
    short, code, complete = terminal.match.groups()

    with chromium.browser() as page:
        page.open(short if typed else complete)
        if typed:
            page.type("[name=user_code]", code)
        page.click("button")
        page.wait_for("Request approved")
    text = project.finish(terminal)

    assert "AWSReservedSSO_Dev" in text
    assert center.pages == ["/device"]


@pytest.mark.parametrize("ended", [False, True])
def test_the_browser_signs_in_by_pkce(
    project: Project, center: IdentityCenter, ended: bool
) -> None:
    if ended:
        write_token(project, center.token(), ends_in=-10)

    text = project.finish(project.terminal("assume", "whoami"))

    assert "assumed-role/AWSReservedSSO_Dev_0123/alice" in text
    assert center.pages == ["/authorize"]
    assert center.calls == ["register", "create_token", "get_role_credentials"]
    assert center.errors == []


def test_the_token_is_kept_as_the_aws_cli_keeps_it(
    project: Project, center: IdentityCenter
) -> None:
    project.finish(project.terminal("assume"))

    token = kept(project)
    [(client_id, client)] = center.clients.items()
    assert [*token] == [
        "startUrl",
        "region",
        "accessToken",
        "expiresAt",
        "clientId",
        "clientSecret",
        "registrationExpiresAt",
        "refreshToken",
    ]
    assert (token["startUrl"], token["region"]) == (START_URL, REGION)
    assert token["accessToken"] in center.tokens
    assert center.refresh_tokens[token["refreshToken"]] == token["clientId"] == client_id
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", token["expiresAt"])
    folder = token_file(project).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    files = [file for file in folder.iterdir() if file.suffix == ".json"]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    [registration] = [file for file in files if file != token_file(project)]
    told = json.loads(registration.read_text())
    assert registration.stem == REGISTRATION
    assert told["clientSecret"] == client.secret
    assert told["scopes"] == [SCOPE]
    assert told["grantTypes"] == ["authorization_code", "refresh_token"]


def test_a_registered_client_is_used_again(project: Project, center: IdentityCenter) -> None:
    project.finish(project.terminal("login"))
    project.finish(project.terminal("login"))

    assert center.calls == ["register", "create_token", "create_token"]


@pytest.mark.parametrize("mode", ["browser", "code"])
def test_a_client_that_aws_has_deleted_is_registered_again(
    project: Project, center: IdentityCenter, mode: str
) -> None:
    project.settings(profile="sso", sign_in=mode)
    for _ in range(2):
        terminal = project.terminal("login")
        if mode == "code":
            confirm(terminal)
        project.finish(terminal)
        center.deleted |= set(center.clients)

    assert center.errors.count("InvalidClientException") == 1
    assert center.count("register") == 2


def test_a_token_that_has_ended_is_refreshed_without_a_page(
    project: Project, center: IdentityCenter
) -> None:
    center.token_seconds = 3
    project.finish(project.terminal("login"))
    before = kept(project)
    center.token_seconds = 3600
    time.sleep(3)

    project.run("assume")  # without a terminal

    assert center.pages == ["/authorize"]
    assert kept(project)["accessToken"] != before["accessToken"]
    assert kept(project)["refreshToken"] != before["refreshToken"]


def test_a_refresh_token_that_has_ended_as_well_opens_the_page(
    project: Project, center: IdentityCenter
) -> None:
    center.token_seconds = 3
    project.finish(project.terminal("login"))
    center.refresh_tokens.clear()
    center.token_seconds = 3600
    time.sleep(3)

    project.finish(project.terminal("assume"))

    assert len(center.pages) == 2


def test_a_token_that_aws_has_ended_before_its_time_opens_the_page(
    project: Project, center: IdentityCenter
) -> None:
    write_token(project, "a-token-that-was-revoked")

    project.finish(project.terminal("assume"))

    assert center.pages == ["/authorize"]


def test_a_role_that_starts_from_a_sign_in_asks_for_it(
    project: Project, center: IdentityCenter, sts: StrictSts
) -> None:
    role = sts.role("Deployer")
    project.profile("deploy", role_arn=role.arn, source_profile="sso", region=REGION)

    text = project.finish(project.terminal("assume", "--profile", "deploy", "whoami"))

    assert "assumed-role/Deployer" in text
    assert center.pages == ["/authorize"]


def test_another_role_in_the_same_command_line_signs_in_with_the_users_variables(
    project: Project, center: IdentityCenter, sts: StrictSts
) -> None:
    key = sts.user_key()
    project.profile(
        "dev", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region=REGION
    )
    seen = project.home / "seen"
    browser = project.home / "browser.py"
    names = "[n for n in os.environ if n.startswith('AWS_') and 'KEY' in n]"
    browser.write_text(
        f"import os\nopen({str(seen)!r}, 'w').write(str({names}))\n{browser.read_text()}"
    )

    words = ["assume", "--profile", "dev", "assume", "--profile", "sso", "whoami"]
    text = project.finish(project.terminal(*words))

    assert "AWSReservedSSO_Dev" in text
    assert seen.read_text() == "[]"


@pytest.mark.parametrize("why", ["setting", "ssh", "no browser", "no sso-session"])
def test_a_code_signs_in_where_a_browser_cannot(
    project: Project, center: IdentityCenter, why: str
) -> None:
    name = "corp"
    if why == "setting":
        project.settings(profile="sso", sign_in="code")
    elif why == "ssh":
        project.environ["SSH_CONNECTION"] = "192.0.2.1 50000 192.0.2.2 22"
    elif why == "no browser":
        project.environ["BROWSER"] = "false"
    else:
        name = START_URL
        place = {"sso_start_url": START_URL, "sso_region": REGION}
        role = {"sso_account_id": ACCOUNT, "sso_role_name": "Dev"}
        project.profile("old", **place, **role, region=REGION)
        project.settings(profile="old")

    terminal = project.terminal("assume", "whoami")
    if why != "no sso-session":  # its page opens by itself
        confirm(terminal)
    text = project.finish(terminal)

    assert "AWSReservedSSO_Dev" in text
    assert center.pages == ["/device"]
    assert center.errors.count("AuthorizationPendingException") == len(center.errors)
    assert kept(project, name)["accessToken"] in center.tokens


def test_who_is_told_to_slow_down_polls_less_often(
    project: Project, center: IdentityCenter
) -> None:
    project.settings(profile="sso", sign_in="code")
    center.slow_downs = 1
    terminal = project.terminal("login")
    confirm(terminal)

    project.finish(terminal)

    assert center.errors == ["SlowDownException"]


def test_a_code_that_nobody_confirms_ends(project: Project, center: IdentityCenter) -> None:
    project.settings(profile="sso", sign_in="code")
    center.code_seconds = 3

    text = project.finish(project.terminal("login"), code=1)

    assert "The sign-in was not confirmed within 3.0 s." in text
    assert "Traceback" not in text


@pytest.mark.parametrize("mode", ["browser", "code"])
def test_a_sign_in_that_the_user_denies_is_an_error(
    project: Project, center: IdentityCenter, mode: str
) -> None:
    project.settings(profile="sso", sign_in=mode)
    center.page_error = "access_denied"
    terminal = project.terminal("assume", "noop")
    if mode == "code":
        confirm(terminal)

    text = project.finish(terminal, code=1)

    assert "The sign-in was not confirmed." in text
    assert "access_denied" in text
    assert "noop ran" not in text


def test_an_answer_with_another_state_is_not_taken(
    project: Project, center: IdentityCenter
) -> None:
    center.state = "another-state-that-is-long-enough"

    terminal = project.terminal("assume", "noop")
    confirm(terminal)  # the browser has failed, so a code takes its place
    project.finish(terminal)

    assert center.calls.count("create_token") == len(center.errors) + 1
    assert all("code" not in each for each in center.errors)


@pytest.mark.parametrize("why", ["no terminal", "never", "CI"])
def test_who_cannot_be_asked_gets_an_error_at_once(
    project: Project, center: IdentityCenter, why: str
) -> None:
    if why == "never":
        project.settings(profile="sso", sign_in="never")
    if why == "CI":
        project.environ["CI"] = "true"

    start = time.monotonic()
    if why == "no terminal":
        text = project.run("assume", "noop", code=1).err
    else:
        text = project.finish(project.terminal("assume", "noop"), code=1)

    assert "sign-in of profile sso has expired or is missing" in text
    assert "invoke login --profile sso" in text
    assert "aws sso login --profile sso" in text
    assert {"CI": "when CI is set", "never": "`never`"}.get(why, "there is no terminal") in text
    assert ("no terminal" in text) is (why == "no terminal")
    assert center.calls == center.pages == []
    assert time.monotonic() - start < 30


def test_login_signs_in_for_a_target_ahead_of_time(
    project: Project, center: IdentityCenter
) -> None:
    project.settings(sign_in="never", targets={"prod": {"profile": "sso"}})

    text = project.finish(project.terminal("login", "--target", "prod"))
    project.run("assume", "--target", "prod")

    assert f"signed in at {START_URL}" in text
    assert center.pages == ["/authorize"]


def test_login_needs_a_terminal_and_something_to_sign_in_to(
    project: Project, center: IdentityCenter, sts: StrictSts
) -> None:
    key = sts.user_key()
    project.profile(
        "dev", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region=REGION
    )

    assert "no terminal" in project.run("login", code=1).err
    assert "starts from profile dev" in project.run("login", "--profile", "dev", code=1).err
    assert center.calls == []


def test_many_processes_open_one_page(project: Project, center: IdentityCenter) -> None:
    center.roles |= {(ACCOUNT, "Admin"), (ACCOUNT, "Reader")}
    for name in ("Admin", "Reader"):
        place = {"sso_session": "corp", "sso_account_id": ACCOUNT, "sso_role_name": name}
        project.profile(name, **place, region=REGION)
    names = ["sso", "Admin", "Reader", "sso"]
    terminals = [project.terminal("assume", "--profile", each, "whoami") for each in names]

    for terminal in terminals:
        assert "AWSReservedSSO" in project.finish(terminal)

    assert center.pages == ["/authorize"]
    assert center.count("get_role_credentials") == 3


@pytest.mark.parametrize("mode", ["browser", "code"])
def test_ctrl_c_ends_the_wait_and_leaves_nothing(
    project: Project, center: IdentityCenter, mode: str
) -> None:
    project.settings(profile="sso", sign_in=mode)
    project.environ["BROWSER"] = f"{sys.executable} -c pass %s"
    terminal = project.terminal("assume", "noop")
    terminal.expect("sign-in ")
    terminal.expect(START_URL if mode == "browser" else "enter the code")
    time.sleep(1)

    terminal.sendintr()
    text = project.finish(terminal, code=130)

    assert "Traceback" not in text
    assert "KeyboardInterrupt" not in text
    assert not [*token_file(project).parent.glob("*.json")]


def test_what_to_do_is_on_the_terminal_when_stderr_leads_elsewhere(
    project: Project, center: IdentityCenter
) -> None:
    project.settings(profile="sso", sign_in="code")
    command = f"exec {sys.executable} -m invoke assume 2> {os.devnull}"

    terminal = project.terminal_running(["/bin/sh", "-c", command])
    confirm(terminal)

    project.finish(terminal)


def test_a_broken_token_file_is_no_sign_in(project: Project, center: IdentityCenter) -> None:
    write_token(project, center.token())
    token_file(project).write_text('{"accessToken": ')

    project.finish(project.terminal("assume"))

    assert center.pages == ["/authorize"]


@pytest.mark.parametrize("path", ["/client/register", "/device_authorization", "/token"])
def test_an_answer_without_what_it_must_have_is_an_error(
    project: Project, center: IdentityCenter, path: str
) -> None:
    project.settings(profile="sso", sign_in="code" if "device" in path else "browser")
    center.empty = path

    text = project.finish(project.terminal("assume", "noop"), code=1)

    assert f"the sign-in at {START_URL}" in text
    assert "Traceback" not in text


def test_a_service_that_cannot_be_reached_is_an_error(
    project: Project, center: IdentityCenter
) -> None:
    project.environ["AWS_ENDPOINT_URL_SSO_OIDC"] = "http://127.0.0.1:1"

    text = project.finish(project.terminal("assume", "noop"), code=1)

    assert "AWS cannot be reached to obtain the sign-in" in text
