"""The JSON Schema of invoke.yaml: what it takes is what `settings --check` takes."""

from __future__ import annotations

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from jsonschema import Draft202012Validator

import tasks_aws
from tasks_aws.aws_lambda.schema import make_schema
from tasks_aws.config.functions import ARCHIVE_PARAMETERS, FUNCTION_KEYS, LAYER_KEYS
from tasks_aws.config.references import FROM_AWS, KINDS
from tasks_aws.config.settings import SECTIONS, SETTINGS
from tests.documents import PAGES, ROOT, blocks, text
from tests.support import Project, of_registries

SHIPPED = Path(tasks_aws.__file__).parent / "schema.json"
SAMPLE = ROOT / "sample_project" / "invoke.yaml"
SCHEMA = make_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
ROLE = "arn:aws:iam::123456789012:role/hello"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:jobs"
NONE = (["none"], ["none", []])  # removes what a key describes
HELLO = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13", "Role": ROLE}


def mistakes(aws: dict[str, Any]) -> list[str]:
    """Return the paths of what is wrong, according to the schema."""
    return [each.json_path for each in VALIDATOR.iter_errors({"aws": aws})]


def ours(schema: dict[str, Any]) -> Any:
    """Return what of a schema does not depend on the version of botocore."""
    definitions = schema["$defs"]
    return {
        **{name: definitions[name] for name in ("aws", "reference", "local-reference")},
        "function": {key: definitions["function"]["properties"][key] for key in FUNCTION_KEYS},
        "layer": {key: definitions["layer"]["properties"][key] for key in LAYER_KEYS},
    }


def test_the_file_in_the_package_is_made_from_the_declared_settings() -> None:
    shipped = json.loads(SHIPPED.read_text(encoding="utf-8"))
    made = json.loads(json.dumps(SCHEMA))

    assert ours(shipped) == ours(made), "run `python docs/generate.py`"
    if shipped["$comment"] == made["$comment"]:  # the same botocore
        assert shipped == made, "run `python docs/generate.py`"
    assert SHIPPED.stat().st_size < 150_000


def test_check_jsonschema_accepts_the_schema_and_every_example(
    project: Project, tmp_path: Path
) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text(project.run("settings", "--schema").out)
    examples = [each for page in PAGES for each in blocks("yaml", text(page)) if "\naws:" in each]
    files = [SAMPLE]
    for number, example in enumerate(examples):
        files.append(tmp_path / f"{number}.yaml")
        files[-1].write_text(example)
    assert len(files) > 10

    check_jsonschema("--check-metaschema", schema)
    check_jsonschema("--schemafile", schema, *files)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(f"aws: {{regoin: x, functions: {{hello: {json.dumps(HELLO)}}}}}")
    assert "regoin" in check_jsonschema("--schemafile", schema, wrong, code=1)


def check_jsonschema(*words: str | Path, code: int = 0) -> str:
    program = [sys.executable, "-m", "check_jsonschema", *map(str, words)]
    result = subprocess.run(program, capture_output=True, text=True)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout


def test_everything_that_may_be_set_is_in_the_schema_and_explained() -> None:
    definitions = SCHEMA["$defs"]
    assert {*definitions["aws"]["properties"]} == {*SETTINGS, *SECTIONS}
    function = definitions["function"]["properties"]
    assert function.keys() > {*FUNCTION_KEYS, "MemorySize", "ReservedConcurrentExecutions"}
    assert not {"Publish", "Qualifier"} & function.keys()
    assert "ImageUri" in function["Code"]["properties"]
    assert "ZipFile" not in function["Code"]["properties"]
    for name, each in {**definitions["aws"]["properties"], **function}.items():
        assert len(each["description"]) > 3, name
        assert "<" not in re.sub("<[a-z]", "", each["description"]), name


GOOD: list[dict[str, Any]] = [
    {},
    {"account_id": "123456789012", "duration_seconds": "90m", "keep_fresh": "endpoint"},
    {"policy": "policy.json", "policy_arns": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
    {"functions": {"hello": {**HELLO, "Runtime": "python4.0", "canary": "10% for 5m"}}},
    {"functions": {"hello": {**HELLO, "source": [{"common": "lib"}, "src"], "layers": "a"}}},
    {"functions": {"hello": {**HELLO, "url": {"AuthType": "NONE"}, "MaximumRetryAttempts": 0}}},
    {"functions": {"hello": {**HELLO, "events": {"EventSourceArn": QUEUE}}}},
    {"functions": {"hello": {**HELLO, "smoke": {"payload": [1], "expect": {"a": "${target}"}}}}},
    {"function_defaults": HELLO, "functions": {"hello": {"log_retention_days": 7}}},
    {"functions": {"hello": {"url": "none", "events": [], "MaximumRetryAttempts": "none"}}},
    {
        "functions": {
            "hello": {
                **HELLO,
                "schedules": {
                    "Name": "nightly",
                    "ScheduleExpression": "rate(1 day)",
                    "Target": {"RoleArn": ROLE},
                },
            }
        }
    },
    {"layers": {"lib": {"permissions": {"StatementId": "all", "Principal": "*"}}}},
    {"function_defaults": HELLO, "functions": {"hello": None}, "targets": {"prod": None}},
    {"layers": {"lib": {"source": "lib", "CompatibleRuntimes": ["python3.13"]}}},
    # Only together with what is below it, the overlay has all that is required.
    {"targets": {"prod": {"functions": {"hello": {"url": {"InvokeMode": "BUFFERED"}}}}}},
]


@pytest.mark.parametrize("aws", GOOD)
def test_good_settings_are_valid(aws: dict[str, Any]) -> None:
    assert mistakes(aws) == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"regoin": "x"}, "$.aws"),
    ({"region": "Frankfurt"}, "$.aws.region"),
    ({"account_id": 123456789012}, "$.aws.account_id"),
    ({"cache": "disk"}, "$.aws.cache"),
    ({"duration_seconds": 60}, "$.aws.duration_seconds"),
    ({"functions": {"a b": HELLO}}, "$.aws.functions"),
    ({"functions": {"hello": {**HELLO, "MemorySize": 1}}}, "$.aws.functions.hello.MemorySize"),
    ({"functions": {"hello": {**HELLO, "Memorysize": 256}}}, "$.aws.functions.hello"),
    ({"functions": {"hello": {**HELLO, "Role": "hello"}}}, "$.aws.functions.hello.Role"),
    ({"functions": {"hello": {**HELLO, "handler": "a.b"}}}, "$.aws.functions.hello"),
    (
        {"functions": {"hello": {**HELLO, "Environment": {"STAGE": "x"}}}},
        "$.aws.functions.hello.Environment",
    ),
    (
        {"functions": {"hello": {**HELLO, "Runtime": "${ssm:/runtime}"}}},
        "$.aws.functions.hello.Runtime",
    ),
    ({"region": "${ssm:/region}"}, "$.aws.region"),
    ({"region": "${env:A}${ssm:/region}"}, "$.aws.region"),
    ({"functions": {"hello": {**HELLO, "Handler": []}}}, "$.aws.functions.hello.Handler"),
    ({"functions": {"hello": {**HELLO, "smoke": "none"}}}, "$.aws.functions.hello.smoke"),
    (
        {"functions": {"hello": {**HELLO, "schedules": [{"Name": "nightly"}]}}},
        "$.aws.functions.hello.schedules",
    ),
    ({"targets": {"prod": {"targets": {}}}}, "$.aws.targets.prod"),
    (
        {"targets": {"prod": {"functions": {"hello": {"Timeout": "soon"}}}}},
        "$.aws.targets.prod.functions.hello.Timeout",
    ),
    ({"layers": {"lib": {"alias": "live"}}}, "$.aws.layers.lib"),
]


@pytest.mark.parametrize(("aws", "path"), WRONG)
def test_a_mistake_is_found_where_it_is(aws: dict[str, Any], path: str) -> None:
    assert mistakes(aws) == [path]


@pytest.mark.parametrize("definition", ["aws", "function"])
def test_references_are_valid_wherever_they_are_allowed(definition: str) -> None:
    declared = FUNCTION_KEYS if definition == "function" else SETTINGS
    checked = 0
    for name, each in SCHEMA["$defs"][definition]["properties"].items():
        validator = Draft202012Validator({**each, "$defs": SCHEMA["$defs"]})
        takes_aws = (
            declared[name].aws_references if name in declared else name not in ARCHIVE_PARAMETERS
        )
        for kind, (_, (form, *_), _) in KINDS.items():
            for value in values_with(f"a-{form}", each):
                checked += 1
                assert validator.is_valid(value) or (kind in FROM_AWS and not takes_aws), name
    assert checked > 100


def values_with(reference: str, schema: dict[str, Any]) -> Iterator[Any]:
    """Yield values with a reference that have the shape which a schema takes."""
    for each in (schema, *schema.get("anyOf", ())):
        types = {each["type"]} if isinstance(each.get("type"), str) else {*each.get("type", ())}
        if types & {"string", "integer", "boolean"} or each.get("enum", NONE[0]) not in NONE:
            yield reference
        if "items" in each:
            yield from ([value] for value in values_with(reference, each["items"]))


@contextmanager
def language_server(folder: Path, environ: dict[str, str]) -> Iterator[LanguageServer]:
    """Install the YAML language server, and run it in a folder."""
    npm = shutil.which("npm")
    assert npm, "needs Node"
    words = [npm, "install", "--silent", "--no-audit", "--no-fund", "yaml-language-server@2"]
    subprocess.run(words, cwd=folder, env=environ, check=True, timeout=300)
    program = folder / "node_modules" / ".bin" / "yaml-language-server"
    with subprocess.Popen(
        [program, "--stdio"],
        cwd=folder,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield LanguageServer(process, folder)
        finally:
            process.kill()


class LanguageServer:
    """Speaks the Language Server Protocol, as an editor does."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        assert process.stdin
        assert process.stdout
        self._in, self._folder = process.stdin, folder
        self._received: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._receive, args=[process.stdout], daemon=True).start()
        self._number = 1
        capabilities = {
            "textDocument": {
                "completion": {"completionItem": {"documentationFormat": ["markdown"]}},
                "publishDiagnostics": {},
            }
        }
        self.request(
            "initialize",
            processId=os.getpid(),
            rootUri=folder.as_uri(),
            capabilities=capabilities,
        )
        self._send({"method": "initialized", "params": {}})
        settings = {"yaml": {"schemaStore": {"enable": False}, "completion": True}}
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": settings}})

    def open(self, written: str) -> str:
        """Open a new file with this text, and return its URI."""
        self._number += 1
        uri = (self._folder / f"{self._number}.yaml").as_uri()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": written}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def change(self, uri: str, written: str) -> None:
        """Type: replace the text of the file."""
        self._number += 1
        document = {"uri": uri, "version": self._number}
        params = {"textDocument": document, "contentChanges": [{"text": written}]}
        self._send({"method": "textDocument/didChange", "params": params})

    def at_the_end(self, method: str, uri: str, written: str) -> Any:
        """Ask for completion, or what there is to know, where the text ends."""
        lines = written.split("\n")
        position = {"line": len(lines) - 1, "character": len(lines[-1])}
        return self.request(method, textDocument={"uri": uri}, position=position)

    def mistakes(self, written: str) -> list[str]:
        """Return what is marked in a file with this text."""
        uri = self.open(written)
        while True:
            message = self._received.get(timeout=60)
            params = message.get("params") or {}
            if message.get("method") != "textDocument/publishDiagnostics":
                self._answer(message)
            elif params["uri"] == uri:
                return [each["message"] for each in params["diagnostics"]]

    def request(self, method: str, **params: Any) -> Any:
        self._number += 1
        number = self._number
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._received.get(timeout=60)
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]
            self._answer(message)

    def _answer(self, message: dict[str, Any]) -> None:
        """Answer what the server asks; it asks for the settings of the editor."""
        if "id" in message and "method" in message:
            items = message.get("params", {}).get("items", [])
            self._send({"id": message["id"], "result": [None for _ in items] or None})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._in.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._in.flush()

    def _receive(self, stream: IO[bytes]) -> None:
        while header := stream.readline():
            length = int(header.split(b":")[1])
            while stream.readline().strip():
                pass
            self._received.put(json.loads(stream.read(length)))


@pytest.mark.registry
def test_an_editor_completes_explains_and_checks_settings(project: Project) -> None:
    schema = project.folder / ".aws-schema.json"
    schema.write_text(project.run("settings", "--schema").out)
    modeline = "# yaml-language-server: $schema=.aws-schema.json\n"
    function = "aws:\n  functions:\n    hello:\n      source: src\n"
    environ = {**project.environ, **of_registries(os.environ)}

    with language_server(project.folder, environ) as server:
        uri = server.open(modeline)

        def complete(written: str) -> dict[str, Any]:
            server.change(uri, modeline + written)
            found = server.at_the_end("textDocument/completion", uri, modeline + written)
            return {each["label"]: each for each in found["items"]}

        assert {"region", "functions", "targets"} <= complete("aws:\n  ").keys()
        assert {"browser", "code", "never"} <= complete("aws:\n  sign_in: ").keys()
        found = complete(f"{function}      Memo")
        assert "memory" in str(found["MemorySize"]["documentation"])
        assert {"python3.13", "nodejs22.x"} <= complete(f"{function}      Runtime: ").keys()
        overlay = "aws:\n  targets:\n    prod:\n      functions:\n        hello:\n          "
        assert {"alias", "Timeout"} <= complete(overlay).keys()
        written = modeline + f"{function}      Timeout"
        server.change(uri, written + ": 3\n")
        hover = server.at_the_end("textDocument/hover", uri, written)
        assert "seconds" in str(hover["contents"])

        timeout = f"{modeline}{function}      Timeout: "
        marked = [server.mistakes(f"{timeout}{each}\n") for each in ("x", "${env:T}", "0")]
        assert [bool(each) for each in marked] == [True, False, True]
        assert "regoin" in str(server.mistakes(f"{modeline}aws: {{regoin: x}}\n"))
