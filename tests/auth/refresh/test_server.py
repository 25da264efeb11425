"""The server answers children that have its token, and nobody else."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any

import pytest

from tasks_aws.auth.refresh.renewer import Renewer
from tasks_aws.auth.refresh.server import CredentialServer, running_server
from tasks_aws.auth.values import Credentials
from tests.auth.refresh.test_renewer import credentials, fail, renewer


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
    token = server.serve(renewer(600, fail))

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
    token: str = server.serve(renewer(600, fail))
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

    refused = request(server, server.serve(renewer(10, fail)))
    broken = request(server, server.serve(renewer(10, bug)))

    assert refused[0] == 400
    assert refused[1]["Message"].startswith("There is no code.")
    assert broken[0] == 500
    assert "secret" not in broken[1]["Message"]
