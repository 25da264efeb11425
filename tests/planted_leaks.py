"""Leaks of each kind. Each of these tests has to fail; `test_taint.py` runs them and looks.

Their assertions hold: it is the harness that lets them fail. Some break the product itself, from
a tasks.py, and so show that it is the product's care that keeps the other tests clean.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

import pytest

from tests.aws_lambda.describe import describe
from tests.conftest import EmbeddedAws
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project
from tests.taint import TAINT

TASKS = """
import base64, logging, subprocess, sys, zipfile
from pathlib import Path
from urllib.parse import quote
import tasks_aws.auth.active as state, tasks_aws.ui.logs as records
from invoke import task
from tasks_aws import *
from tasks_aws.secret import Secret
{broken}

@task
def leak(c):
    secret = str(credentials(c).session_token)
    {body}
"""

# What a task does, and where the harness has to find it.
DEEDS = {
    "print(secret)": "(plain) is in stdout of",
    "print(secret, file=sys.stderr)": "(plain) is in stderr of",
    "print((Path.home() / '.aws' / 'config').read_text())": "aws_secret_access_key = ",
    "Path('plain').write_text(secret)": "(plain) is in the file {}/plain:",
    "Path('start').write_text(secret[:16])": "(plain) is in the file {}/start:",
    "Path('end').write_text(secret[-16:])": "(plain) is in the file {}/end:",
    "Path('url').write_text(quote(secret, safe=''))": "(URL-encoded) is in the file {}/url:",
    "Path('json').write_text(secret.replace('/', chr(92) + '/'))": (
        "(JSON-encoded) is in the file {}/json:"
    ),
    "Path('hex').write_text(secret.encode().hex())": "(hex) is in the file {}/hex:",
    **{
        f"Path('{size}').write_bytes(base64.encodebytes(b'x' * {size} + secret.encode()))": (
            f"(base64) is in the file {{}}/{size}:"
        )
        for size in (60, 61, 62)  # so many bytes before it
    },
    "zipfile.ZipFile('zip', 'w', 8).writestr('member', secret * 9)": (
        "(plain) is in member in the file {}/zip:"
    ),
    "Path(quote(secret, safe='')).touch()": "(URL-encoded) is in the name of a file",
    "[path.chmod(0o644) for path in Path.home().glob('.aws/cli/cache/*.json')]": (
        "/.aws/cli/cache/"
    ),
    "subprocess.run([sys.executable, '-c', 'import time; time.sleep(1)', secret])": (
        "(plain) is in the command line"
    ),
    "subprocess.run(['./npm'])": "(plain) is in the environment of",
}

# What is broken in the product, and how `leak` then shows it.
BREAKAGES = {
    "invoke -d": (
        "Secret.__repr__ = str.__repr__; state.State.__repr__ = lambda self: repr(self.active)",
        ["-d", "assume", "whoami"],
    ),
    "botocore's log": (
        "records._mask = lambda record: None",
        ["-d", "assume", "whoami"],
    ),
    "traceback": (
        "Secret.__repr__ = str.__repr__",
        ["assume", "leak"],
    ),
}


def test_deeds(project: Project, role: Role) -> None:
    project.tasks(TASKS.format(broken="", body="\n    ".join(DEEDS)))
    (project.folder / "npm").write_text("#!/bin/sh\nsleep 1\n")
    (project.folder / "npm").chmod(0o755)

    project.run("leak")


@pytest.mark.parametrize("broken", BREAKAGES)
def test_breakage(project: Project, role: Role, broken: str) -> None:
    text, words = BREAKAGES[broken]
    project.tasks(TASKS.format(broken=text, body="raise ValueError(credentials(c))"))

    project.run(*words, code=1 if broken == "traceback" else 0)


def test_an_mfa_code_in_debug_output(project: Project, sts: StrictSts, user: Key) -> None:
    device, role = sts.device(), sts.role("Guarded", mfa=True)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial)
    broken = "records._mask = lambda record: None"
    project.tasks(TASKS.format(broken=broken, body="pass"))

    project.run("-d", "assume", "--mfa-code", device.code())


@pytest.mark.parametrize("name", ["botocore.auth", "botocore.endpoint", "botocore.parsers"])
def test_a_logger_that_a_task_switches_on(project: Project, role: Role, name: str) -> None:
    body = f"import boto3; boto3.set_stream_logger({name!r})"
    project.tasks(TASKS.format(broken="records._mask = lambda record: None", body=body))

    project.run("leak", "assume", "--fresh", "whoami")


def test_the_url_of_a_request(project: Project, sts: StrictSts, role: Role) -> None:
    body = "import boto3; boto3.set_stream_logger('urllib3.connectionpool')"
    project.tasks(TASKS.format(broken="records._mask = lambda record: None", body=body))

    project.run("leak", "console", code=1)


def test_a_terminal(project: Project, role: Role) -> None:
    project.tasks(TASKS.format(broken="", body="print(secret)"))

    project.finish(project.terminal("leak"))


def test_a_secret_of_ministack_that_is_kept_nowhere(project: Project, aws: EmbeddedAws) -> None:
    describe(project, aws={"cache": "none"})
    project.tasks(TASKS.format(broken="", body="print(secret)"))

    project.run("assume", "leak")


def test_a_log_record(sts: StrictSts, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("tasks_aws").warning("a secret: %s", sts.issue("arn", 900).secret)


def test_an_exemption_is_for_stdout_alone(project: Project, role: Role) -> None:
    project.tasks(TASKS.format(broken="", body="print(secret, file=sys.stderr)"))

    with TAINT.prints_secrets("it does not"):
        project.run("leak")


def test_what_is_another_tests_own_file(project: Project, sts: StrictSts, tmp_path: Path) -> None:
    secret = sts.issue("arn", 900).secret
    for name in ("own", "other"):
        (tmp_path / name).write_text(secret)

    TAINT.own(tmp_path / "own", secret)


def test_clean(project: Project, role: Role) -> None:
    program = "import os; print(os.environ['AWS_SESSION_TOKEN'])"

    with TAINT.prints_secrets("this program does"):
        project.run("assume", "exec", "--", sys.executable, "-c", program)
