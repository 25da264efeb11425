"""One example of bad input: a project of its own, in which nothing does harm and nothing hangs."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, NoReturn

import pytest
import yaml
from botocore.exceptions import EndpointConnectionError
from botocore.httpsession import URLLib3Session
from hypothesis import event
from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.program import Program

import tasks_aws
from tasks_aws.auth import environment
from tasks_aws.errors import SettingsError
from tests.support import clean_environment

LONGEST_SECONDS = 60  # of one example: far more than any takes, for a machine that is busy
OURS = str(Path(tasks_aws.__file__).parent)
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_REGION": "eu-central-1",
    "AWS_MAX_ATTEMPTS": "1",
}

examples = 0  # how many were tried in this process


class HarmlessPopen(subprocess.Popen[Any]):
    """Whatever program is asked for, `true` is run."""

    started: ClassVar[list[HarmlessPopen]] = []

    def __init__(self, args: Any, **options: Any) -> None:
        super().__init__(["true"], **{**options, "shell": False, "executable": None})
        self.started.append(self)

    @classmethod
    def tidy(cls) -> None:
        """Close the pipes of all programs: invoke leaves that to the end of the process."""
        while cls.started:
            process = cls.started.pop()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
            process.wait()


@dataclass(frozen=True)
class Sandbox:
    """A project and a HOME; `calls` counts what would have been sent to AWS."""

    project: Path
    home: Path
    calls: list[str]

    def refused(self, task: Callable[..., Any], aws: Any, **options: Any) -> str | None:
        """Run a task as Python does; return the message that ends it, or None if it goes well."""
        c = Context(Config(overrides={"aws": aws}, project_location=self.project))
        before = len(self.calls)
        try:
            task(c, **options)
        except Exit as error:
            ended = error
        else:
            return None
        assert ended.code
        if isinstance(ended, SettingsError):
            assert len(self.calls) == before
        return str(ended.message)

    def command(self, *words: str) -> tuple[int, str]:
        """Run a command line in this process; return its exit code and what it said on stderr."""
        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        err = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
        code = 0
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setattr(sys, "argv", ["invoke", *words])
            patch.setattr(sys, "path", [*sys.path])
            patch.setitem(sys.modules, "tasks", sys)  # so that it is put back
            try:
                Program().run(["invoke", *words])
            except SystemExit as end:
                code = int(end.code or 0)
            except Exception as error:
                if any(
                    frame.filename.startswith(OURS)
                    for frame in traceback.extract_tb(error.__traceback__)
                ):
                    raise
                event(f"invoke itself: {type(error).__name__}")
                code = 1
        out.flush()  # what cannot be encoded is an error here, as it is in a process of its own
        err.seek(0)
        return code, err.read()

    def settings(self, **aws: Any) -> None:
        """Write invoke.yaml."""
        (self.project / "invoke.yaml").write_text(yaml.safe_dump({"aws": aws}))


@contextmanager
def sandbox(environ: Mapping[str, str] = KEYS, *, network: bool = False) -> Iterator[Sandbox]:
    """Give one example a project; see to it that it ends, and that it changes nothing else.

    With a `network`, the endpoints that `environ` names are really asked.
    """
    global examples
    examples += 1
    before = dict(os.environ)
    calls: list[str] = []

    def unreachable(session: URLLib3Session, request: Any) -> NoReturn:
        calls.append(request.url)
        raise EndpointConnectionError(endpoint_url=request.url)

    with TemporaryDirectory(prefix="sandbox-") as root, pytest.MonkeyPatch.context() as patch:
        made = Sandbox(Path(root).resolve() / "project", Path(root).resolve() / "home", calls)
        made.project.mkdir()
        made.home.mkdir()
        (made.project / "tasks.py").write_text("from tasks_aws import *\n")
        patch.chdir(made.project)
        patch.setattr(environment, "_original", None)
        if not network:
            patch.setattr(URLLib3Session, "send", unreachable)
        patch.setattr(subprocess, "Popen", HarmlessPopen)
        patch.setattr("invoke.runners.Popen", HarmlessPopen)
        patch.setattr("tasks_aws.ui.prompt._is_there_a_terminal", lambda: False)
        os.environ.clear()
        os.environ.update({**clean_environment(made.home), **environ})
        try:
            with _ending():
                yield made
        finally:
            HarmlessPopen.tidy()
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def _ending() -> Iterator[None]:
    def too_long(number: int, frame: object) -> NoReturn:
        pytest.fail(f"It does not end within {LONGEST_SECONDS} seconds.")

    handler = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(LONGEST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
