"""Clients share what takes long in TLS, and none of them trusts or shows more for that."""

from __future__ import annotations

import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, SSLError
from botocore.httpsession import URLLib3Session
from trustme import CA

from tasks_aws.auth.boto_session import botocore_session
from tasks_aws.sdk.connections import share_context
from tests.conftest import Company

_EMPTY = b"<GetCallerIdentityResponse><GetCallerIdentityResult/></GetCallerIdentityResponse>"


@contextmanager
def serving(authority: CA, clients: CA | None = None) -> Iterator[str]:
    """Serve over TLS, to those who have a certificate of `clients` only, if one is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(_EMPTY)))
            self.end_headers()
            self.wfile.write(_EMPTY)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *words: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # in which a handshake fails at once
    authority.issue_cert("127.0.0.1").configure_cert(context)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
        clients.configure_trust(context)
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"https://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def get(url: str, **options: Any) -> int:
    http = URLLib3Session(**options)
    share_context(http)
    return int(http.send(AWSRequest("GET", url).prepare()).status_code)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The CA bundles that are read, each time that one is."""
    found: list[str] = []
    load = ssl.SSLContext.load_verify_locations

    def counted(self: Any, cafile: Any = None, *others: Any) -> None:
        found.append(str(cafile))
        load(self, cafile, *others)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    return found


def test_a_bundle_is_read_once_for_all_clients_and_connections(
    company: Company, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", company.bundle)
    read.clear()

    with serving(company.authority) as url:
        for _ in range(3):
            create: Any = botocore_session(None, ["none", "none"]).create_client
            client = create(
                "sts",
                region_name="eu-central-1",
                endpoint_url=url,
                aws_access_key_id="x",
                aws_secret_access_key="x",
            )
            threads = [threading.Thread(target=client.get_caller_identity) for _ in range(4)]
            for each in threads:
                each.start()
            for each in threads:
                each.join()

    assert read == [company.bundle]


def test_each_bundle_is_trusted_by_those_that_name_it_only(
    company: Company, tmp_path: Path
) -> None:
    other, bundle = CA(), tmp_path / "other.pem"
    other.cert_pem.write_to_path(str(bundle))

    with serving(company.authority) as theirs, serving(other) as others:
        for _ in range(2):
            assert get(theirs, verify=company.bundle) == 200
            assert get(others, verify=str(bundle)) == 200
            for url, verify in ((theirs, str(bundle)), (others, company.bundle), (theirs, True)):
                with pytest.raises(SSLError):
                    get(url, verify=verify)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_who_verifies_nothing_does_not_change_that_for_others(company: Company) -> None:
    with serving(CA()) as url:
        for _ in range(2):
            assert get(url, verify=False) == 200
            with pytest.raises(SSLError):
                get(url, verify=company.bundle)


def test_a_client_certificate_is_that_of_one_client(company: Company, tmp_path: Path) -> None:
    clients, file = CA(), tmp_path / "client.pem"
    clients.issue_cert("me").private_key_and_cert_chain_pem.write_to_path(str(file))

    with serving(company.authority, clients) as url:
        for _ in range(2):
            assert get(url, verify=company.bundle, client_cert=str(file)) == 200
            with pytest.raises(BotoCoreError):
                get(url, verify=company.bundle)


def test_a_bundle_that_is_replaced_is_read_again(company: Company, tmp_path: Path) -> None:
    other, bundle = CA(), tmp_path / "bundle.pem"
    shutil.copy(company.bundle, bundle)

    with serving(company.authority) as theirs, serving(other) as others:
        assert get(theirs, verify=str(bundle)) == 200
        other.cert_pem.write_to_path(str(bundle))

        assert get(others, verify=str(bundle)) == 200
        with pytest.raises(SSLError):
            get(theirs, verify=str(bundle))


def test_a_bundle_that_is_missing_stays_an_error(company: Company, tmp_path: Path) -> None:
    with serving(company.authority) as url, pytest.raises(BotoCoreError):
        get(url, verify=str(tmp_path / "missing.pem"))


def test_a_session_of_another_botocore_is_left_as_it_is() -> None:
    share_context(SimpleNamespace(_verify=True))
