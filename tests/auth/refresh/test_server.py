"""The server answers children that have its token, and nobody else."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.auth.refresh import server as module
from tasks_aws.auth.refresh.renewer import Renewer
from tasks_aws.auth.refresh.server import CredentialServer, running_server
from tasks_aws.auth.values import Credentials
from tests.auth.refresh.test_renewer import credentials, fail, renewer
from tests.forks import in_fork


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
    assert ("Unknown token" in answer["Message"]) is ("token" in change)
    assert ("Host" in answer["Message"]) is (change == "host")


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


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> CredentialServer:
    """A server that waits for half a second, in four threads."""
    monkeypatch.setattr(module, "_SECONDS", 0.5)
    monkeypatch.setattr(module, "_THREADS", 4)
    return CredentialServer()


def connected(server: CredentialServer) -> socket.socket:
    address, port = server.host.split(":")
    return socket.create_connection((address, int(port)), timeout=10)


def test_connections_that_say_nothing_keep_nobody_else_out(hasty: CredentialServer) -> None:
    token, threads = hasty.serve(renewer(600, fail)), threading.active_count()
    idle = [connected(hasty) for _ in range(40)]
    time.sleep(0.1)

    assert threading.active_count() <= threads + 4
    assert request(hasty, token)[0] == 200
    for each in idle:
        assert each.recv(1) == b""  # it was closed
        each.close()


def test_a_request_that_trickles_in_is_cut_off(hasty: CredentialServer) -> None:
    start = time.monotonic()
    with connected(hasty) as slow, suppress(OSError):
        slow.sendall(b"GET / HTTP/1.0\r\nX: ")
        while time.monotonic() < start + 5:
            slow.sendall(b"x")
            time.sleep(0.1)

    assert time.monotonic() < start + 3


# The latter is how Java connects: the system has it in another table.
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_other_users_are_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    if not Path("/proc/net/tcp").exists():
        pytest.skip("this system does not tell who is at the other end")
    server = running_server()
    token = server.serve(renewer(600, fail))
    headers = f"Host: {server.host}\r\nAuthorization: {token}"

    def is_refused() -> bool:
        with socket.create_connection((address, server.server_address[1]), timeout=10) as peer:
            with suppress(OSError):
                peer.sendall(f"GET / HTTP/1.0\r\n{headers}\r\n\r\n".encode())
                return peer.recv(100) == b""
            return True

    def is_refused_as_nobody() -> bool:
        os.setuid(65534)
        return is_refused()

    assert not is_refused()
    if os.geteuid() == 0:
        assert in_fork(is_refused_as_nobody)
    else:
        monkeypatch.setattr("os.geteuid", lambda: 12345)
        assert is_refused()


def test_a_fork_has_none_of_the_sockets() -> None:
    server = CredentialServer()
    with connected(server):
        time.sleep(0.1)  # so that the connection is accepted
        sockets = [server.socket, *server._connections]

        assert len(sockets) == 2
        assert in_fork(lambda: {each.fileno() for each in sockets} == {-1})
    assert request(server, server.serve(renewer(600, fail)))[0] == 200


def test_a_path_that_is_too_long_for_a_socket_is_an_error_where_only_linux_has_a_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_OWN_FILES", tmp_path / "proc")
    path = tmp_path / ("long" * 30)

    with pytest.raises(OSError, match="the path is too long for a socket"):
        module.SocketServer(path, renewer(600, fail))
