"""`local`: an AWS of your own for the rest of the command line.

It starts MiniStack with permissions enforced, creates a user who may do nothing but assume one
role, that role with the least that a deploy needs, and a HOME with AWS config files; it points
everything that follows at them. When invoke ends, however it ends, all of it is gone.
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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

if TYPE_CHECKING:
    from filelock import FileLock

ACCOUNT = "000000000000"
REGION = "us-east-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:hello"
MAPPINGS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:*"
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/hello"
PREFIX = "local-aws-"
PATIENCE_SECONDS = 30


@dataclass(frozen=True)
class LocalAws:
    """A running MiniStack; it ends when `process.stdin` is closed, by us or by our end."""

    endpoint: str
    home: Path
    process: subprocess.Popen[bytes]
    lock: FileLock  # held while we live

    def stop(self) -> None:
        """Stop it and wait until nothing of it is left."""
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()
        self.process.wait(PATIENCE_SECONDS)
        shutil.rmtree(self.home, ignore_errors=True)
        self.lock.release()


@task
def local(c: Context) -> None:
    """Start a local AWS for the tasks that follow."""
    began = time.monotonic()
    aws = start()
    # Python's own answer to these signals would skip atexit.
    _answer_signals(lambda number, frame: sys.exit(128 + number))
    atexit.register(_end, aws)
    use(aws)
    write_config(aws.home, *seed(aws.endpoint))
    took = (time.monotonic() - began) * 1000
    print(f"local     MiniStack on {aws.endpoint}, {took:.0f} ms", file=sys.stderr, flush=True)


def _end(aws: LocalAws) -> None:
    _answer_signals(signal.SIG_IGN)  # we are ending already
    aws.stop()


def _answer_signals(answer: Any) -> None:
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), answer)


def start() -> LocalAws:
    """Start MiniStack on a free port of the loopback interface."""
    home, lock = make_home()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = home / "ministack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, __file__, str(home)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={
                **without_aws(os.environ),
                "AUTH": "true",
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "TMPDIR": str(home),
            },
            start_new_session=True,  # Ctrl-C is for invoke; we end when invoke has ended
        )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return LocalAws(f"http://127.0.0.1:{port}", home, process, lock)
        time.sleep(0.02)
    said = log.read_text().strip().splitlines()[-1:] if log.exists() else []
    process.kill()
    shutil.rmtree(home, ignore_errors=True)
    raise Exit("MiniStack did not start. " + " ".join(said), code=1)


def make_home() -> tuple[Path, FileLock]:
    """Make a HOME, locked while this process lives; remove those of processes that were killed."""
    from filelock import FileLock, Timeout

    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError, Timeout), FileLock(left / ".lock", timeout=0):
            shutil.rmtree(left, ignore_errors=True)
    home = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = FileLock(home / ".lock")
    lock.acquire()
    home.chmod(0o700)  # somebody may have removed it before it was locked, and the lock made it
    return home, lock


def seed(endpoint: str) -> tuple[str, str]:
    """Create a user, the role to deploy with, and the role of the function; return keys."""
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
        "lambda:ListLayers",  # MiniStack wants it for listing the versions of one
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
            # AWS would take the function's ARN for creating it, too; MiniStack wants the star.
            {"Action": ["lambda:CreateFunction", "lambda:ListFunctions"], "Resource": "*"},
            # These two are for no resource in particular.
            {
                "Action": ["lambda:ListEventSourceMappings", "logs:DescribeLogGroups"],
                "Resource": "*",
            },
            {"Action": "iam:PassRole", "Resource": f"arn:aws:iam::{ACCOUNT}:role/hello"},
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


def root_client(endpoint: str, service: str, region: str = REGION) -> Any:
    """Return a client of MiniStack that may do everything."""
    import boto3  # here, so that listing the tasks stays fast

    session: Any = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")  # noqa: S106
    return session.client(service, endpoint_url=endpoint, region_name=region)


def policy(*statements: dict[str, object]) -> str:
    """Return a policy document that allows what the statements say."""
    allowed = [{"Effect": "Allow", **each} for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def write_config(home: Path, key: str, secret: str) -> None:
    """Write the AWS config files of the user into a HOME that will be thrown away."""
    folder = home / ".aws"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text(f"[profile developer]\nregion = {REGION}\n")
    (folder / "credentials").write_text(
        f"[developer]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    )
    (folder / "credentials").chmod(0o600)


def use(aws: LocalAws) -> None:
    """Point everything that follows at the local AWS and its HOME."""
    kept = without_aws(os.environ)
    home = Path(kept.get("HOME", "~")).expanduser()
    # Caches and configuration of pip and uv stay where they are.
    kept.setdefault("XDG_CACHE_HOME", str(home / ".cache"))
    kept.setdefault("XDG_CONFIG_HOME", str(home / ".config"))
    os.environ.clear()
    os.environ.update(kept, HOME=str(aws.home), AWS_ENDPOINT_URL=aws.endpoint)


def without_aws(environ: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """Return an environment in which nothing leads to a real AWS account."""
    return {name: text for name, text in environ.items() if not name.startswith("AWS_")}


def serve(home: Path) -> None:
    """Be MiniStack until whoever started this process is gone."""
    from ministack.app import main

    def stop_with_parent() -> None:
        sys.stdin.read()  # returns when the other end is closed, even by SIGKILL
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=stop_with_parent, daemon=True).start()
    sys.argv = ["ministack"]
    try:
        main()
    finally:
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
