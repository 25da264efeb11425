"""`invoke` runs what callers would get."""

from __future__ import annotations

import base64
import json
import struct
import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.aws_lambda.conftest import CODE, SETTINGS, Hello
from tests.proxy import Handler, Proxy, Rule
from tests.support import Project

WHICH = "def handler(event, context):\n    return context.function_version\n"


def test_the_version_behind_the_alias_answers_unless_another_is_asked_for(hello: Hello) -> None:
    hello.create(code=WHICH, versions=2)

    assert json.loads(hello.project.run("invoke").out) == "2"
    assert json.loads(hello.project.run("invoke", "--qualifier", "1").out) == "1"
    assert json.loads(hello.project.run("invoke", "--qualifier", "$LATEST").out) == "$LATEST"


def test_a_version_or_an_alias_that_is_not_there_is_to_be_corrected(hello: Hello) -> None:
    hello.create(versions=1)

    version = hello.project.run("invoke", "--qualifier", "9", code=1).err
    alias = hello.project.run("invoke", "--qualifier", "prod", code=1).err

    assert "hello:9" in version
    assert "fix: Name a version that is published with --qualifier" in version
    assert "hello:prod" in alias
    assert "fix: Deploy it first, or name an alias that it has with --qualifier." in alias


@pytest.mark.parametrize("option", ["--payload", "--client-context"])
@pytest.mark.parametrize(
    "text", ["{", "", "@broken.json", "-", '{"a": NaN}', "[-Infinity]", "@infinity.json"]
)
def test_what_is_not_json_is_told_before_any_call(project: Project, option: str, text: str) -> None:
    project.settings(functions={"hello": {"source": "src"}})
    (project.folder / "broken.json").write_text("{'a': 1}")
    (project.folder / "infinity.json").write_text('{"a": Infinity}')

    result = project.run("invoke", option, text, code=1)

    assert result.err.startswith(f"`{option}` is not JSON.")


def test_a_folder_in_place_of_a_file_is_called_one(project: Project) -> None:
    project.settings(functions={"hello": {"source": "src"}})
    (project.folder / "src").mkdir()

    assert (
        "src of `--payload` is a folder." in project.run("invoke", "--payload", "@src", code=1).err
    )


def test_nothing_is_run_under_dry(hello: Hello) -> None:
    hello.create(versions=1)

    result = hello.project.run("--dry", "invoke")

    assert result.out == ""
    assert "invoke    would invoke hello, live" in result.err


def test_one_that_fails_hides_no_other(hello: Hello) -> None:
    hello.describe("forbidden")
    hello.create()

    result = hello.project.run(
        "invoke", "--function", "forbidden", "--function", "hello", "--payload", "1", code=1
    )

    assert result.out == "1\n"
    assert "the log" in result.err
    assert "1 of 2 functions failed." in result.err


def event(kind: str, payload: bytes) -> bytes:
    """Return an event of a response stream: application/vnd.amazon.eventstream."""
    headers = b"".join(
        bytes([len(name)]) + name.encode() + b"\7" + struct.pack(">H", len(value)) + value.encode()
        for name, value in ((":message-type", "event"), (":event-type", kind))
    )
    head = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    head += struct.pack(">I", zlib.crc32(head)) + headers + payload
    return head + struct.pack(">I", zlib.crc32(head))


@dataclass
class Stream:
    """A response stream: its parts are sent one by one, each when the test says so."""

    parts: Sequence[bytes]
    go_on: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(1))

    def send(self, handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/vnd.amazon.eventstream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (*self.parts, b""):
            assert self.go_on.acquire(timeout=60)
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            handler.wfile.flush()
        return True


def stream(proxy: Proxy, *parts: bytes) -> Stream:
    made = Stream(parts)
    rule = "POST .*/response-streaming-invocations.Qualifier=live"
    proxy.rules.append(Rule(rule, made.send))
    return made


def test_a_streamed_response_is_printed_as_it_comes(hello: Hello, proxy: Proxy) -> None:
    log = base64.b64encode(b"what it logs").decode()
    sent = stream(
        proxy,
        event("PayloadChunk", "one\nH\u00e9".encode()[:-1]),
        event("PayloadChunk", "\u00e9llo".encode()[1:]),
        event("InvokeComplete", json.dumps({"LogResult": log}).encode()),
    )

    with hello.project.start("invoke", "--stream") as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == "one\n"
        sent.go_on.release(3)
        out, err = process.stdout.read(), process.stderr.read()

    assert out == "H\u00e9llo"
    assert "what it logs" in err
    assert process.returncode == 0


def test_a_stream_may_end_with_an_error_of_the_function(hello: Hello, proxy: Proxy) -> None:
    failed = {"ErrorCode": "Runtime.HandlerError", "ErrorDetails": "no such order"}
    complete = event("InvokeComplete", json.dumps(failed).encode())
    stream(proxy, event("PayloadChunk", b"half of "), complete).go_on.release(3)

    result = hello.project.run("invoke", "--stream", code=1)

    assert result.out == "half of "
    assert "hello failed: Runtime.HandlerError." in result.err
    assert "why: no such order" in result.err


def test_a_stream_that_breaks_off_is_an_error(hello: Hello, proxy: Proxy) -> None:
    stream(proxy, event("PayloadChunk", b"half of ")).go_on.release(2)

    result = hello.project.run("invoke", "--stream", code=1)

    assert result.out == "half of "
    assert "The response of hello is incomplete" in result.err


def test_a_function_that_does_not_stream_may_be_asked_to(hello: Hello) -> None:
    hello.create(versions=1)

    assert hello.project.run("invoke", "--stream", "--payload", "7").out == "7"


CONTEXT = "def handler(event, context):\n    return context.client_context.custom\n"


def test_tenant_context_and_execution_name_are_sent(hello: Hello, proxy: Proxy) -> None:
    hello.create(code=CONTEXT, versions=1)
    seen: dict[str, str] = {}

    def look(handler: Handler) -> bool:
        seen.update(handler.headers)
        return False

    proxy.rules.append(Rule("POST .*/invocations", look))

    words = ("--tenant-id", "blue", "--execution-name", "order-1")
    hello.project.run("invoke", *words, "--client-context", '{"custom": {"a": 1}}', code=None)

    assert seen["X-Amz-Tenant-Id"] == "blue"
    assert seen["X-Amz-Durable-Execution-Name"] == "order-1"
    assert json.loads(base64.b64decode(seen["X-Amz-Client-Context"])) == {"custom": {"a": 1}}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--async", "--stream"], "`--async` and `--stream` cannot be combined."),
        (["--async", "--client-context", "{}"], "synchronous invocations only"),
        (["--stream", "--execution-name", "a"], "does not stream the responses of durable"),
        (["--stream"], "`--stream` prints the response of one function."),
        (["--client-context", "[]"], "`--client-context` must be a JSON object."),
        (["--client-context", json.dumps({"a": "b" * 3000})], "`--client-context` is too long."),
        (["--client-context", "{"], "`--client-context` is not JSON."),
        (["--client-context", "-", "--payload", "-"], "Only one of `--payload` and"),
        (["--tenant-id", "a b!"], "`--tenant-id` must match"),
        (["--execution-name", "a/b"], "`--execution-name` must match"),
        ([], "isolated is invoked for a tenant, and none is named."),
    ],
)
def test_a_call_that_lambda_would_refuse_or_not_heed_is_told_before_any_request(
    project: Project, words: list[str], told: str
) -> None:
    isolated = {**SETTINGS, "TenancyConfig": {"TenantIsolationMode": "PER_TENANT"}}
    project.settings(functions={"hello": SETTINGS, "isolated": isolated}, region="us-east-1")
    project.environ["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"  # nobody answers

    assert told in project.run("invoke", *words, code=1).err


def test_a_smoke_test_is_made_for_a_tenant(hello: Hello, proxy: Proxy) -> None:
    tenancy = {"TenantIsolationMode": "PER_TENANT"}
    project = hello.project
    (project.folder / "src" / "app.py").write_text(CODE)
    seen: dict[str, str] = {}

    def look(handler: Handler) -> bool:
        seen.update(handler.headers)
        return False

    proxy.rules.append(Rule("POST .*/invocations", look))

    hello.describe(TenancyConfig=tenancy, smoke={"payload": 1})
    missing = project.run("assume", "deploy", code=1).err
    hello.describe(TenancyConfig=tenancy, smoke={"payload": 1, "tenant": "blue"})
    project.run("assume", "deploy")

    assert "`aws.functions.hello.smoke.tenant` is missing" in missing
    assert seen["X-Amz-Tenant-Id"] == "blue"
