"""Who asks for credentials gets good ones or a reason; the server gives them to nobody else."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from http.client import HTTPConnection
from typing import Any

import pytest

from tasks_aws.auth.refresh.renewer import Renewer
from tasks_aws.auth.refresh.server import CredentialServer, running_server
from tasks_aws.auth.values import Credentials
from tasks_aws.errors import CredentialsError
from tasks_aws.secret import Secret

LIFETIME = 900


def credentials(name: str, left: float | None) -> Credentials:
    end = None if left is None else datetime.now(timezone.utc) + timedelta(seconds=left)
    return Credentials(
        access_key_id=name,
        secret_access_key=Secret("secret"),
        session_token=Secret("token"),
        expiration=end,
        lifetime=LIFETIME,
    )


def keeper(left: float | None, renew: Callable[[], Credentials]) -> Renewer:
    return Renewer(credentials("OLD", left), renew, min_ttl_seconds=300)


def fail() -> Credentials:
    raise CredentialsError("There is no code.")


def test_good_credentials_are_handed_out_as_they_are() -> None:
    assert keeper(301, fail).usable().access_key_id == "OLD"


def test_those_that_end_soon_are_renewed() -> None:
    kept = keeper(299, lambda: credentials("NEW", LIFETIME))

    assert kept.usable().access_key_id == "NEW"
    assert kept.renewed().access_key_id == "NEW"


def test_what_is_told_ends_before_the_credentials_do() -> None:
    told = keeper(600, fail).usable()

    assert 535 < told.seconds_left() < 540  # an SDK may use them to the last second


def test_an_end_that_nobody_knows_is_told_as_a_time_to_ask_again() -> None:
    assert 895 < keeper(None, fail).usable().seconds_left() <= 900


def test_the_old_serve_on_while_a_renewal_fails(capfd: pytest.CaptureFixture[str]) -> None:
    kept = keeper(200, fail)

    assert [kept.usable().access_key_id for _ in range(3)] == ["OLD"] * 3
    assert capfd.readouterr().err == (
        "warning   The credentials end in 3 min and could not be renewed: There is no code.\n"
    )
    with pytest.raises(CredentialsError, match="There is no code"):
        kept.renewed()  # whoever wants them with time left


def test_in_their_last_minute_the_reason_is_given_instead() -> None:
    with pytest.raises(CredentialsError, match="There is no code"):
        keeper(59, fail).usable()


def test_the_old_serve_on_while_somebody_types_a_code() -> None:
    typed = threading.Event()

    def ask() -> Credentials:
        typed.wait(10)
        return credentials("NEW", LIFETIME)

    kept = keeper(200, ask)

    assert kept.usable().access_key_id == "OLD"
    typed.set()
    assert kept.renewed().access_key_id == "NEW"
    assert kept.usable().access_key_id == "NEW"


def test_one_renewal_serves_all_who_ask() -> None:
    asked: list[int] = []

    def ask() -> Credentials:
        asked.append(1)
        time.sleep(0.1)
        return credentials("NEW", LIFETIME)

    kept, got = keeper(-5, ask), []
    threads = [
        threading.Thread(target=lambda: got.append(kept.usable().access_key_id)) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got == ["NEW"] * 20
    assert asked == [1]


def test_a_failed_renewal_is_not_tried_at_every_request() -> None:
    asked: list[int] = []

    def ask() -> Credentials:
        asked.append(1)
        return fail()

    kept = keeper(10, ask)
    for _ in range(3):
        with pytest.raises(CredentialsError):
            kept.usable()

    assert asked == [1]


def request(
    server: CredentialServer, token: str, host: str | None = None, method: str = "GET"
) -> tuple[int, dict[str, Any]]:
    connection = HTTPConnection(server.host, timeout=10)
    headers = {"Authorization": token, "Host": host or server.host}
    connection.request(method, "/", headers=headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_the_server_answers_as_a_container_and_as_a_process() -> None:
    server = running_server()
    token = server.serve(keeper(600, fail))

    status, answer = request(server, token)

    assert status == 200
    assert {name: answer[name] for name in ("AccessKeyId", "Token", "SessionToken", "Version")} == {
        "AccessKeyId": "OLD",
        "Token": "token",
        "SessionToken": "token",
        "Version": 1,
    }
    assert answer["Expiration"].endswith("Z")


def test_each_token_leads_to_its_own_credentials() -> None:
    server = running_server()
    tokens = [
        server.serve(Renewer(credentials(name, 900), fail, min_ttl_seconds=300))
        for name in ("FIRST", "SECOND")
    ]

    assert [request(server, token)[1]["AccessKeyId"] for token in tokens] == ["FIRST", "SECOND"]


@pytest.mark.parametrize("change", ["token", "no token", "host", "method"])
def test_nobody_else_gets_an_answer(change: str) -> None:
    server = running_server()
    token: str = server.serve(keeper(600, fail))
    host = None
    if change == "token":
        token = token[:-1] + ("A" if token[-1] != "A" else "B")
    elif change == "no token":
        token = ""
    elif change == "host":
        host = f"evil.example:{server.server_address[1]}"

    status, answer = request(server, token, host, "POST" if change == "method" else "GET")

    assert status == (501 if change == "method" else 403)
    assert set(answer) == {"Code", "Message"}


def test_the_server_gives_the_reason_and_no_detail_of_a_bug() -> None:
    server = running_server()

    def bug() -> Credentials:
        raise ValueError("holds a secret")

    refused = request(server, server.serve(keeper(10, fail)))
    broken = request(server, server.serve(keeper(10, bug)))

    assert refused[0] == 400
    assert refused[1]["Message"].startswith("There is no code.")
    assert broken[0] == 500
    assert "secret" not in broken[1]["Message"]
