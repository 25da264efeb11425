"""Start-up and `assume`, beside an empty tasks.py and beside what people did before."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.distance import distant
from tests.benchmarks.measure import INVOKE, PYTHON, Command, Comparison
from tests.strict_sts import StrictSts
from tests.support import Project, clean_environment

EMPTY = "from invoke import task\n@task\ndef noop(c): pass\n"
OURS = "from invoke import task\nfrom tasks_aws import *\n@task\ndef noop(c): pass\n"

# Assume the role with the AWS CLI, cut the answer with jq, export.
SCRIPT = """
set -e
answer=$(aws sts assume-role --profile dev --role-arn {role} --role-session-name alice \
    --endpoint-url {url} --region eu-central-1 --output json)
export AWS_ACCESS_KEY_ID=$(echo "$answer" | jq -r .Credentials.AccessKeyId)
export AWS_SECRET_ACCESS_KEY=$(echo "$answer" | jq -r .Credentials.SecretAccessKey)
export AWS_SESSION_TOKEN=$(echo "$answer" | jq -r .Credentials.SessionToken)
"""


def groups(cache: Path) -> Iterator[list[Comparison]]:
    """Yield the comparisons one by one."""
    with (
        tempfile.TemporaryDirectory() as name,
        StrictSts() as sts,
        distant(sts.url, Path(name)) as (proxy, variables),
    ):
        root = Path(name)
        projects = {}
        for kind, text in (("empty", EMPTY), ("ours", OURS)):
            folder = root / kind
            folder.mkdir()
            projects[kind] = Project(folder, root, clean_environment(root))
            projects[kind].tasks(text)
        ours, empty = projects["ours"], projects["empty"]
        key, role = sts.user_key(), sts.role("Deployer")
        ours.profile(
            "dev", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region="eu-central-1"
        )
        ours.profile("deployer", role_arn=role.arn, source_profile="dev", region="eu-central-1")
        ours.settings(profile="dev", role_arn=role.arn)
        environ = {**ours.environ, **variables}

        def invoke(project: Project, *words: str, cold: bool = False) -> Command:
            sessions = root / ".aws" / "cli"
            forget = (lambda: shutil.rmtree(sessions, ignore_errors=True)) if cold else lambda: None
            return Command([*INVOKE, *words], project.folder, environ, forget)

        python = Command([PYTHON, "-c", "pass"], root, environ)
        yield [
            Comparison(
                name="invoke --list / with an empty tasks.py",
                goal=1.05,
                ours=invoke(ours, "--list"),
                rival=invoke(empty, "--list"),
                limit=python,
            )
        ]
        yield [
            Comparison(
                name="invoke assume noop, cached / invoke noop",
                goal=1.08,
                ours=invoke(ours, "assume", "noop"),
                rival=invoke(ours, "noop"),
                limit=python,
            )
        ]
        assume = invoke(ours, "assume", cold=True)
        yield [
            Comparison(
                name="invoke assume, cold / AWS CLI and three jq",
                goal=0.75,
                ours=assume,
                rival=Command(
                    ["bash", "-c", SCRIPT.format(role=role.arn, url=proxy.url)],
                    ours.folder,
                    environ,
                ),
                limit=python,
                needs=("aws", "jq"),
                caption=("assume a role", "AWS CLI and jq"),
            ),
            Comparison(
                name="invoke assume, cold / awsume",
                goal=0.80,
                ours=assume,
                rival=Command(["awsumepy", "deployer"], ours.folder, environ),
                limit=python,
                needs=("awsumepy",),
            ),
        ]
