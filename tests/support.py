"""A user's project in a temporary folder, and invoke run in it as users run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml
from botocore.loaders import Loader

from tests.taint import TAINT

TASKS = """
import sys
from invoke import Collection, task
from tasks_aws import *

@task
def noop(c):
    print("noop ran")

@task
def child(c):
    c.run(f"{sys.executable} child.py")
"""
CHILD = """
import json, os
secret = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
print(json.dumps({name: "***" if name in secret else text for name, text in os.environ.items()}))
"""


@dataclass(frozen=True)
class Result:
    """How a command line ended."""

    code: int
    out: str
    err: str


@dataclass
class Project:
    """A folder with tasks.py and invoke.yaml, and a HOME of its own."""

    folder: Path
    home: Path
    environ: dict[str, str]

    def tasks(self, text: str = TASKS) -> None:
        """Write tasks.py."""
        (self.folder / "tasks.py").write_text(text)
        (self.folder / "child.py").write_text(CHILD)

    def settings(self, **aws: Any) -> None:
        """Write invoke.yaml with the key `aws`."""
        (self.folder / "invoke.yaml").write_text(yaml.safe_dump({"aws": aws}))

    def profile(self, name: str, **values: str) -> None:
        """Add a profile to the AWS config file."""
        folder = self.home / ".aws"
        folder.mkdir(exist_ok=True)
        header = "default" if name == "default" else f"profile {name}"
        lines = [f"{key} = {text}" for key, text in values.items()]
        with (folder / "config").open("a") as file:
            file.write("\n".join([f"[{header}]", *lines, "", ""]))
        TAINT.own(Path(file.name), values.get("aws_secret_access_key", ""))

    def with_sts_model(self, model: Any) -> None:
        """Let botocore have another model of STS: one of the user's own comes before its own."""
        write_sts_model(self.home / ".aws" / "models", model)

    def run(
        self,
        *words: str,
        code: int | None = 0,
        environ: Mapping[str, str] = {},
        timeout: float = 60,
    ) -> Result:
        """Run ``python -m invoke`` and check its exit code."""
        process = subprocess.run(
            self._command(words),
            cwd=self.folder,
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            start_new_session=True,  # no controlling terminal, whoever runs the tests
        )
        result = Result(process.returncode, process.stdout, process.stderr)
        if code is not None:
            assert result.code == code, f"exit {result.code}\n{result.out}\n{result.err}"
        return result

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start ``python -m invoke`` and return at once."""
        return subprocess.Popen(
            self._command(words),
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=None if sys.platform == "win32" else _with_sigint,
        )

    def terminal(self, *words: str, columns: int = 200) -> Any:
        """Start ``python -m invoke`` in a terminal of its own."""
        return self.terminal_running(self._command(words), columns=columns)

    def python_in_terminal(self, program: str, *, columns: int = 200) -> Any:
        """Run a Python program in a terminal of its own."""
        return self.terminal_running([sys.executable, "-c", program], columns=columns)

    def terminal_running(self, command: list[str], *, columns: int = 200) -> Any:
        """Start a command in a terminal of its own."""
        if sys.platform == "win32":
            pytest.skip("Windows has no pseudo-terminals")
        terminal = pexpect.spawn(
            command[0],
            command[1:],
            cwd=str(self.folder),
            env=self.environ,
            encoding="utf-8",
            timeout=60,
            dimensions=(50, columns),
            preexec_fn=_with_sigint,
        )
        terminal.logfile_read = TAINT.terminal(command)
        return terminal

    def finish(self, terminal: Any, code: int = 0) -> str:
        """Wait for a terminal's command, check its exit code and return what it printed last."""
        terminal.expect(pexpect.EOF)
        terminal.close()
        text = str(terminal.before)
        assert terminal.exitstatus == code, text
        return text

    def exported(self, result: Result) -> dict[str, str]:
        """Return the environment that the task `child` printed, secrets masked."""
        line = next(line for line in result.out.splitlines() if line.startswith("{"))
        found: dict[str, str] = json.loads(line)
        return found

    def cache_files(self) -> list[Path]:
        """Return the cached sessions."""
        return sorted((self.home / ".aws" / "cli" / "cache").glob("*.json"))

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "invoke", *words]


def sts_model() -> Any:
    """Return botocore's model of STS, with GetScopedCredentials, which came with 1.44.8."""
    model: Any = Loader().load_service_model("sts", "service-2")
    if "GetScopedCredentials" in model["operations"]:
        return model
    members = {"Policy": "string", "DurationSeconds": "integer"}
    answer = {"Credentials": {"shape": "Credentials"}, "SessionInfo": {"shape": "ScopedInfo"}}
    model["shapes"] |= {
        "ScopedRequest": {
            "type": "structure",
            "members": {name: {"shape": f"Scoped{name}"} for name in members},
        },
        **{f"Scoped{name}": {"type": kind} for name, kind in members.items()},
        "ScopedResponse": {"type": "structure", "members": answer},
        "ScopedInfo": {"type": "structure", "members": {"Arn": {"shape": "arnType"}}},
    }
    model["operations"]["GetScopedCredentials"] = {
        "name": "GetScopedCredentials",
        "http": {"method": "POST", "requestUri": "/"},
        "input": {"shape": "ScopedRequest"},
        "output": {"shape": "ScopedResponse", "resultWrapper": "GetScopedCredentialsResult"},
    }
    return model


def write_sts_model(folder: Path, model: Any) -> None:
    """Write a model of STS into a folder of models."""
    folder = folder / "sts" / model["metadata"]["apiVersion"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "service-2.json").write_text(json.dumps(model))


def _with_sigint() -> None:
    """Heed Ctrl-C: whoever runs the tests in the background may have it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def clean_environment(home: Path) -> dict[str, str]:
    """Return an environment that leads to no AWS account and to no file of the developer's."""
    kept = ("PATH", "LANG", "LC_ALL", "TMPDIR", "COVERAGE_", "VIRTUAL_ENV", "SYSTEMROOT")
    environ = {name: text for name, text in os.environ.items() if name.startswith(kept)}
    return {
        **environ,
        "HOME": str(home),
        "LOGNAME": "alice",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "2",
        "BOTO_DISABLE_CRT": "true",  # few have awscrt, with which botocore signs in another way
    }


def nosy_repository(folder: Path, seen: Path) -> None:
    """Make a folder a repository of Git, with a filter that adds its environment to a file."""
    (folder / ".gitattributes").write_text("*.py filter=nosy\n")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
        ["config", "filter.nosy.clean", f"env >> '{seen}'; cat"],
        ["config", "core.fsmonitor", f"sh -c 'env >> \"{seen}\"'"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    for path in folder.rglob("*.py"):
        os.utime(path, (0, 0))  # so that Git has to compare


def of_registries(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which this computer reaches the registries of pip, uv and npm."""
    kept = ("PIP_", "UV_", "npm_", "SSL_", "REQUESTS_", "HTTP", "http", "NO_PROXY", "no_proxy")
    return {name: text for name, text in environ.items() if name.startswith(kept)}
