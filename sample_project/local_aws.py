"""`local`: an embedded AWS for the rest of the command line.

It starts MiniStack with permissions enforced and creates a user who can only assume one role,
that role with the least privileges that the tasks need, and a HOME with AWS config files, which
the tasks that follow use. When invoke ends, however it ends, all of it is removed.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

ACCOUNT = "000000000000"
REGION = "us-east-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:hello"
MAPPINGS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:*"
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/hello"
PREFIX = "tasks-aws-local-"
TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class LocalAws:
    """A running MiniStack. It ends when `process.stdin` is closed, which our own end does, too."""

    endpoint: str
    home: Path
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Stop it; it removes its files."""
        if self.process.returncode is None:
            self.process.communicate(timeout=TIMEOUT_SECONDS)


@task
def local(c: Context) -> None:
    """Start an embedded AWS for the tasks that follow."""
    began = time.monotonic()
    aws = start()
    # By default these signals would end Python without running atexit handlers.
    _handle_signals(lambda number, frame: sys.exit(128 + number))
    atexit.register(_end, aws)
    use(aws)
    write_config(aws.home, *seed(aws.endpoint))
    took = (time.monotonic() - began) * 1000
    print(f"local     MiniStack on {aws.endpoint}, {took:.0f} ms", file=sys.stderr, flush=True)


def _end(aws: LocalAws) -> None:
    _handle_signals(signal.SIG_IGN)  # invoke is ending already
    aws.stop()


def _handle_signals(handler: Any) -> None:
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), handler)


def start() -> LocalAws:
    """Start MiniStack on a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, __file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={
            **without_aws(os.environ),
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",  # it would listen on every interface
        },
        start_new_session=True,  # Ctrl-C is for invoke; MiniStack ends after it
    )
    answer: Any = process.stdout
    home = Path(answer.readline().rstrip("\n"))
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return LocalAws(f"http://127.0.0.1:{port}", home, process)
        time.sleep(0.02)
    process.terminate()
    raise Exit(f"MiniStack did not start. {process.communicate()[0].strip()}", code=1)


def seed(endpoint: str) -> tuple[str, str]:
    """Create a user, the role to deploy with and the execution role; return the user's keys."""
    iam = root_client(endpoint, "iam")
    iam.create_user(UserName="developer")
    deployer = f"arn:aws:iam::{ACCOUNT}:role/deployer"
    iam.put_user_policy(
        UserName="developer",
        PolicyName="assume-deployer",
        PolicyDocument=policy({"Action": "sts:AssumeRole", "Resource": deployer}),
    )
    developer = f"arn:aws:iam::{ACCOUNT}:user/developer"
    iam.create_role(
        RoleName="deployer",
        AssumeRolePolicyDocument=policy(
            {"Action": "sts:AssumeRole", "Principal": {"AWS": developer}}
        ),
    )
    on_function = [
        "lambda:GetFunction",
        "lambda:InvokeFunction",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        # for `alias`, `rollback` and `prune`
        "lambda:CreateAlias",
        "lambda:GetAlias",
        "lambda:ListAliases",
        "lambda:ListVersionsByFunction",
        "lambda:PublishVersion",
        "lambda:UpdateAlias",
        # for `status`, `init` and `destroy`
        "lambda:DeleteFunction",
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetFunctionEventInvokeConfig",
        "lambda:GetFunctionRecursionConfig",
        "lambda:GetFunctionUrlConfig",
        "lambda:GetPolicy",
        "lambda:GetProvisionedConcurrencyConfig",
        "lambda:GetRuntimeManagementConfig",
        "lambda:ListFunctionUrlConfigs",
    ]
    on_mappings = [
        "lambda:DeleteEventSourceMapping",
        "lambda:GetEventSourceMapping",
        "lambda:ListTags",
    ]
    on_layers = [
        "lambda:GetLayerVersion",
        "lambda:ListLayers",  # MiniStack demands it for ListLayerVersions
        "lambda:ListLayerVersions",
        "lambda:PublishLayerVersion",
    ]
    iam.put_role_policy(
        RoleName="deployer",
        PolicyName="deploy",
        PolicyDocument=policy(
            {"Action": on_function, "Resource": [FUNCTION, f"{FUNCTION}:*"]},
            {"Action": on_layers, "Resource": "*"},
            {"Action": on_mappings, "Resource": MAPPINGS},
            {"Action": "logs:FilterLogEvents", "Resource": [LOG_GROUP, f"{LOG_GROUP}:*"]},
            # On AWS the function's ARN would do for CreateFunction; MiniStack demands `*`.
            {"Action": ["lambda:CreateFunction", "lambda:ListFunctions"], "Resource": "*"},
            # These two support no resource ARN.
            {
                "Action": ["lambda:ListEventSourceMappings", "logs:DescribeLogGroups"],
                "Resource": "*",
            },
            {
                "Action": [
                    "scheduler:CreateSchedule",
                    "scheduler:DeleteSchedule",
                    "scheduler:GetSchedule",
                    "scheduler:ListSchedules",
                    "scheduler:UpdateSchedule",
                ],
                "Resource": "*",
            },
            {
                "Action": "iam:PassRole",
                "Resource": [
                    f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("hello", "scheduler")
                ],
            },
        ),
    )
    iam.create_role(
        RoleName="hello",
        AssumeRolePolicyDocument=policy(
            {"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        ),
    )
    keys = iam.create_access_key(UserName="developer")["AccessKey"]
    return keys["AccessKeyId"], keys["SecretAccessKey"]


@cache
def root_client(endpoint: str, service: str, region: str = REGION) -> Any:
    """Return a MiniStack client with all permissions."""
    import boto3  # late, so that listing tasks stays fast

    session: Any = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
    return session.client(service, endpoint_url=endpoint, region_name=region)


def policy(*statements: dict[str, object]) -> str:
    """Return a policy document with these statements, each of which allows."""
    allowed = [{"Effect": "Allow", **each} for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def write_config(home: Path, key: str, secret: str) -> None:
    """Write the user's AWS config files into a temporary HOME."""
    folder = home / ".aws"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text(f"[profile developer]\nregion = {REGION}\n")
    (folder / "credentials").write_text(
        f"[developer]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    )
    (folder / "credentials").chmod(0o600)


def use(aws: LocalAws) -> None:
    """Point everything that follows at the embedded AWS and its HOME."""
    kept = without_aws(os.environ)
    home = Path(kept.get("HOME", "~")).expanduser()
    # pip and uv keep their caches and configuration.
    kept.setdefault("XDG_CACHE_HOME", str(home / ".cache"))
    kept.setdefault("XDG_CONFIG_HOME", str(home / ".config"))
    os.environ.clear()
    os.environ.update(kept, HOME=str(aws.home), AWS_ENDPOINT_URL=aws.endpoint)


def without_aws(environ: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """Return an environment without the variables that lead to a real AWS account."""
    return {name: text for name, text in environ.items() if not name.startswith("AWS_")}


def serve() -> None:
    """Run MiniStack with a new HOME until the process that started this one ends.

    This process makes and removes its files, since it survives whatever kills the other one. It
    prints where they are, and at the end the last line of the log.
    """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())  # until MiniStack has its own
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    log = home / "ministack.log"
    parent = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    try:
        print(home, file=parent, flush=True)
        os.environ["TMPDIR"] = tempfile.tempdir = str(home)
        with log.open("w") as output:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(output.fileno(), stream.fileno())
        threading.Thread(target=stop_with_parent, daemon=True).start()
        sys.argv = ["ministack"]
        from ministack.app import main

        main()
    except Exception:
        traceback.print_exc()
    finally:
        with suppress(OSError), parent:  # it may have ended
            print(*log.read_text().strip().splitlines()[-1:], file=parent)
        shutil.rmtree(home, ignore_errors=True)


def stop_with_parent() -> None:
    """Send this process SIGTERM when its parent has ended, even by SIGKILL."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    serve()
