"""Any answer of STS, or of a container, over HTTP: one clear message, or a usable session."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tasks_aws
from tests.properties.sandbox import KEYS, sandbox
from tests.properties.values import json_values, words

ROLE = "arn:aws:iam::123456789012:role/x"
WEB_IDENTITY = {
    "AWS_ACCESS_KEY_ID": "",
    "AWS_ROLE_ARN": ROLE,
    "AWS_WEB_IDENTITY_TOKEN_FILE": __file__,  # any file that is there
}
SESSION = {"AWS_ACCESS_KEY_ID": "ASIAEXAMPLE", "AWS_SESSION_TOKEN": "token"}
KEY = "<AccessKeyId>ASIAISSUED</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
ARN = "<Arn>arn:aws:sts::123456789012:assumed-role/x/y</Arn>"
_OF_ROLE = (
    "<Credentials>{key}</Credentials>"
    f"<AssumedRoleUser><AssumedRoleId>A:y</AssumedRoleId>{ARN}</AssumedRoleUser>"
)
RESULTS = {
    "AssumeRole": _OF_ROLE,
    "AssumeRoleWithWebIdentity": _OF_ROLE,
    "GetFederationToken": f"<Credentials>{{key}}</Credentials><FederatedUser>{ARN}</FederatedUser>",
    "GetSessionToken": "<Credentials>{key}</Credentials>",
    "GetCallerIdentity": f"{ARN}<UserId>A:y</UserId><Account>123456789012</Account>",
}
ERROR = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>"
    "<Message>no</Message></Error><RequestId>r</RequestId></ErrorResponse>"
)
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """Answers each operation of STS, and each GET, with what a test sets."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = parse_qs(self.rfile.read(length).decode())
                status, headers, body = answers[asked.get("Action", ["GET"])[0]]
                self.send_response_only(status)
                for name, text in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    Thread(target=made.http.serve_forever, args=(0.01,), daemon=True).start()
    yield made
    made.http.shutdown()
    made.http.server_close()


def good(action: str) -> bytes:
    """Return an answer as STS gives it."""
    end = f"{datetime.now(timezone.utc) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    key = f"{KEY}<SessionToken>token</SessionToken><Expiration>{end}</Expiration>"
    result = RESULTS[action].format(key=key)
    return (
        f"<{action}Response><{action}Result>{result}</{action}Result></{action}Response>".encode()
    )


_times = st.sampled_from(
    [
        *("2999-01-01T00:00:00", "2999-01-01T00:00:00+09:00", "1999-01-01T00:00:00Z", "20:00"),
        *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "4102444800", "-1", "9" * 30),
        *("Fri, 01 Jan 2999 00:00:00 -0000", "2999-13-01T00:00:00Z", "nan", "inf"),
    ]
)
_texts = st.one_of(
    _times,
    st.sampled_from(["", "\n", "arn", "arn:::::", "a\nb", "\x9b2J", ROLE, "123", "10", "Error"]),
    words.map(lambda text: re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd]", "", text)),
)
_statuses = st.sampled_from([200] * 6 + [201, 204, 300, 301, 304, 307, 400, 403, 404, 500, 503])
_headers = st.fixed_dictionaries(
    {},
    optional={
        "Date": st.sampled_from(["", "now"]) | _times,
        "Content-Type": st.sampled_from(["text/xml", "text/html", "application/json", ""]),
        "x-amzn-RequestId": st.just("r"),
        "Location": st.just("/elsewhere"),
    },
)


@st.composite
def bodies(draw: st.DrawFn, action: str) -> bytes:
    """What STS answers, with one to three changes, or cut, or something else."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=40) | st.sampled_from([b"{}", b"<a/>", b"<html>x</html>"]))
    root = ElementTree.fromstring(draw(st.sampled_from([good(action)] * 4 + [ERROR.encode()])))
    for _ in range(draw(st.integers(1, 3))):
        parents = [each for each in root.iter() if len(each)]
        if not parents:
            break
        parent = draw(st.sampled_from(parents))
        child = draw(st.sampled_from(list(parent)))
        change = draw(
            st.sampled_from(["drop", "empty", "text", "text", "rename", "double", "nest"])
        )
        if change == "drop":
            parent.remove(child)
        elif change == "rename":
            child.tag = draw(st.sampled_from(["Arn", "Code", "Error", "Errors", "Other"]))
        elif change == "double":
            parent.append(child)
        elif change == "nest":
            ElementTree.SubElement(child, draw(st.sampled_from(["Code", "Other"]))).text = "x"
        else:
            child[:] = []
            child.text = "" if change == "empty" else draw(_texts)
    body: bytes = ElementTree.tostring(root, encoding="utf-8")
    end = draw(st.integers(0, len(body))) if draw(st.integers(0, 9)) == 0 else None
    return body[:end]


# The operation whose answer is anything, the settings that lead to it, and more variables.
CASES: list[tuple[str, dict[str, Any], dict[str, str]]] = [
    ("AssumeRole", {"role_arn": ROLE}, {}),
    ("AssumeRoleWithWebIdentity", {}, WEB_IDENTITY),
    ("GetFederationToken", {"policy_arns": ["arn:aws:iam::aws:policy/ReadOnlyAccess"]}, {}),
    ("GetSessionToken", {}, {}),
    ("GetCallerIdentity", {}, {}),
    ("GetCallerIdentity", {}, SESSION),
]


@given(st.sampled_from(CASES), st.data())
def test_any_answer_of_sts(
    server: Server, case: tuple[str, dict[str, Any], dict[str, str]], data: st.DataObject
) -> None:
    action, aws, keys = case
    for each in RESULTS:
        server.answers[each] = (200, {}, good(each))
    server.answers[action] = data.draw(st.tuples(_statuses, _headers, bodies(action)))

    with sandbox({**KEYS, **keys, "AWS_ENDPOINT_URL": server.url}, network=True) as box:
        message = box.refused(tasks_aws.whoami, aws)

        if message is None:
            assert_usable(os.environ)
        else:
            assert message.startswith(("AWS ", "The ", "This computer's clock"))
            assert "AWS_ACCOUNT_ID" not in os.environ
            assert os.environ["AWS_ACCESS_KEY_ID"] == {**KEYS, **keys}["AWS_ACCESS_KEY_ID"]


_fields = ["AccessKeyId", "SecretAccessKey", "Token", "Expiration"]


@given(st.dictionaries(st.sampled_from(_fields), json_values | _times, max_size=2), st.booleans())
def test_any_answer_of_a_container(server: Server, changes: dict[str, Any], whole: bool) -> None:
    answer = {**dict.fromkeys(_fields, "x"), "Expiration": "2999-01-01T00:00:00"} if whole else {}
    server.answers["GET"] = (200, {}, json.dumps({**answer, **changes}).encode())
    for each in RESULTS:
        server.answers[each] = (200, {}, good(each))
    environ = {
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": server.url,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}/",
    }

    with sandbox(environ, network=True) as box:
        if box.refused(tasks_aws.whoami, {}) is None:
            assert_usable(os.environ)
        else:
            assert "AWS_ACCESS_KEY_ID" not in os.environ


def assert_usable(exported: os._Environ[str]) -> None:
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    assert all(re.fullmatch(r"[\x21-\x7e]+", exported[name]) for name in keys)
    assert re.fullmatch(r"\d{12}|", exported.get("AWS_ACCOUNT_ID", ""), re.ASCII)
    end = exported.get("AWS_CREDENTIAL_EXPIRATION", "2999-01-01T00:00:00Z")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", end)
    assert end > f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
