"""What type checkers and editors see of the package, and of every Python example in the docs.

Examples are complete modules. They import from `invoke.tasks` and `invoke.context`: for a type
checker, `invoke` itself exports nothing.

pyright is a program for Node: without one, mypy has to do.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.documents import PAGES, ROOT, blocks, text

RIGHT = """\
from __future__ import annotations
import boto3
from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import call, task
import tasks_aws
from tasks_aws import *
from tasks_aws import Credentials, Secret, TasksAwsError, assume, deploy, exec, invoke
from tasks_aws import Deployment, DeploymentChange, FunctionStatus, LayerDeployment
from typing_extensions import assert_type

@task(pre=[assume, call(assume, target="prod")])
def everything(c: Context) -> None:
    assert_type(assume(c, target="prod", for_="3h"), None)
    assert_type(deploy(c, function=["hello"], dry_run=True), list[Deployment])
    assert_type(plan(c, target="prod")[0].changes, tuple[DeploymentChange, ...])
    assert_type(plan(c)[0].layers, tuple[LayerDeployment, ...])
    invoke(c, function="hello", async_=True)
    exec(c)
    assert_type(credentials(c), Credentials)
    assert_type(credentials(c).secret_access_key, Secret)
    assert_type(environment(c), dict[str, str])
    assert_type(redshift(c, lasting="3h") + "'", Secret)
    assert_type(session(c), boto3.Session)
    try:
        assert_type(status(c), list[FunctionStatus])
    except SettingsError as error:
        assert_type([error.message, error.what, error.why, error.fix], list[str])
        assert_type(error.code, int)

ns = Collection(assume, tasks_aws)
ns.add_task(deploy)
"""
# In each of the last lines both checkers find one mistake.
WRONG = """\
from __future__ import annotations
from invoke.context import Context
from tasks_aws import Credentials, TasksAwsError, assume, credentials, deploy, redshift

def mistakes(c: Context) -> None:
    assume(c, targt="prod")
    assume()
    assume("prod")
    deploy(c, functions=["hello"])
    deploy(c, function=3)
    redshift(c, duration="3h")
    expiry: str = credentials(c).expiration
    credentials(c).access_key
    TasksAwsError()
    TasksAwsError("what", "why")
"""
FIRST_MISTAKE = WRONG.splitlines().index("def mistakes(c: Context) -> None:") + 2

Check = Callable[[Path], set[tuple[str, int, str]]]


def examples() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each Python example, as a module."""
    for page in PAGES:
        for index, block in enumerate(blocks("python", text(page))):
            yield f"{page.stem.lower().replace('-', '_')}_{index}.py", block


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with what is right, what is wrong, and the examples."""
    driver = "from typing import Any\ndef connect(**options: object) -> Any: ..."  # has no types
    ours = {"right.py": RIGHT, "wrong.py": WRONG, "redshift_connector.pyi": driver}
    for name, module in (*ours.items(), *examples()):
        (tmp_path / name).write_text(module, encoding="utf-8")
    return tmp_path


def with_mypy(folder: Path) -> set[tuple[str, int, str]]:
    """Return the file, line and text of each error that mypy finds."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "."]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert found.returncode in (0, 1), found.stdout + found.stderr
    errors = re.findall(r"^(\S+?):(\d+): error: (.*)$", found.stdout, re.MULTILINE)
    return {(name, int(line), text) for name, line, text in errors}


def with_pyright(folder: Path) -> set[tuple[str, int, str]]:
    """Return the file, line and text of each error that pyright finds."""
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "."]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return {
        (Path(each["file"]).name, each["range"]["start"]["line"] + 1, each["message"])
        for each in json.loads(found.stdout)["generalDiagnostics"]
        if each["severity"] == "error"
    }


needs_node = pytest.mark.skipif(
    not shutil.which("node"), reason="pyright would download a Node of its own"
)


@pytest.mark.parametrize("check", [with_mypy, pytest.param(with_pyright, marks=needs_node)])
def test_signatures_hold_and_the_examples_of_the_docs_are_right(folder: Path, check: Check) -> None:
    errors = check(folder)

    assert {each for each in errors if each[0] != "wrong.py"} == set()
    lines = {line for name, line, _ in errors if name == "wrong.py"}
    assert lines == set(range(FIRST_MISTAKE, len(WRONG.splitlines()) + 1))


class LanguageServer:
    """pyright as an editor runs it."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pyright.langserver", "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        folders = [{"uri": folder.as_uri(), "name": folder.name}]
        plain = {"textDocument": {"hover": {"contentFormat": ["plaintext"]}}}
        self.ask("initialize", processId=os.getpid(), capabilities=plain, workspaceFolders=folders)
        self._send(method="initialized", params={})

    def hover(self, path: Path, line: int) -> str:
        """Return what an editor shows for the name at the beginning of a line."""
        document = {"uri": path.as_uri(), "languageId": "python", "version": 1}
        document["text"] = path.read_text()
        self._send(method="textDocument/didOpen", params={"textDocument": document})
        position = {"line": line, "character": 0}
        found = self.ask("textDocument/hover", textDocument=document, position=position)
        return str(found["contents"]["value"])

    def ask(self, method: str, **params: Any) -> Any:
        """Return the answer to a request."""
        self._send(id=method, method=method, params=params)
        while True:
            message = self._read()
            if message.get("id") == method:
                return message["result"]
            if "id" in message:  # it asks us: no settings, no progress bar
                self._send(id=message["id"], result=None)

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _send(self, **message: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _read(self) -> Any:
        output = self._process.stdout
        assert output
        headers = dict(line.split(b": ") for line in iter(output.readline, b"\r\n"))
        return json.loads(output.read(int(headers[b"Content-Length"])))


@needs_node
def test_an_editor_shows_the_docstring_of_a_task(tmp_path: Path) -> None:
    path = tmp_path / "tasks.py"
    path.write_text("from tasks_aws import assume\nassume\n")
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT)]}))
    server = LanguageServer(tmp_path)
    try:
        shown = server.hover(path, line=1)
    finally:
        server.stop()

    assert "target: str | None = None" in shown
    assert "Provide temporary AWS credentials to the tasks that follow." in shown
