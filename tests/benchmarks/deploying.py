"""Deploying beside the script of before, and many functions beside one.

AWS's own time is counted on neither side: here a function is ready at once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from sample_project import local_aws
from tasks_aws.config.settings import LAMBDA_QUOTAS
from tests.benchmarks.distance import distant
from tests.benchmarks.measure import Command, Comparison
from tests.benchmarks.trees import BIG, SMALL, change, python_tree
from tests.proxy import Proxy
from tests.quick_aws import start_quick_aws
from tests.support import clean_environment

INVOKE = [sys.executable, "-m", "invoke"]
ROLE = "arn:aws:iam::000000000000:role"
MANY = 20
VERY_MANY = 200
LATENCY_SECONDS = 0.1
ARCHIVE_MB = 45
BUCKET = "benchmark-artifacts"

# Assume a role, cut the answer with jq, zip everything, upload it.
SCRIPT = """
set -e
answer=$(aws sts assume-role --profile developer --role-arn {role} --role-session-name alice)
export AWS_ACCESS_KEY_ID=$(echo "$answer" | jq -r .Credentials.AccessKeyId)
export AWS_SECRET_ACCESS_KEY=$(echo "$answer" | jq -r .Credentials.SecretAccessKey)
export AWS_SESSION_TOKEN=$(echo "$answer" | jq -r .Credentials.SessionToken)
rm -f {archive}
(cd {tree} && zip -r -q {archive} .)
{upload}
"""
DIRECTLY = "aws lambda update-function-code --function-name script --zip-file fileb://{archive}"
CREATE = (
    "aws lambda create-function --function-name script --zip-file fileb://{archive} "
    "--handler handler.handler --runtime python3.13 --role {hello}"
)
THROUGH_S3 = (
    "aws s3 cp --quiet {archive} s3://{bucket}/script.zip && aws lambda update-function-code "
    "--function-name script --s3-bucket {bucket} --s3-key script.zip"
)


@dataclass(frozen=True)
class Bench:
    """The embedded AWS, and a folder for projects."""

    root: Path
    endpoint: str
    environ: dict[str, str]

    def client(self, service: str) -> Any:
        return local_aws.root_client(self.endpoint, service)

    def forget(self, name: str) -> None:
        client = self.client("lambda")
        for function in client.list_functions()["Functions"]:
            if function["FunctionName"] == name:
                client.delete_function(FunctionName=name)

    def project(self, name: str, functions: dict[str, Any], **aws: Any) -> Path:
        """Make a project whose functions are deployed by a role that may."""
        folder = self.root / name
        folder.mkdir()
        (folder / "tasks.py").write_text("from tasks_aws import *\n")
        settings = {"profile": "developer", "role_arn": f"{ROLE}/deployer", **aws}
        described = {
            key: {
                "Handler": "handler.handler",
                "Runtime": "python3.13",
                "Role": f"{ROLE}/hello",
                "requirements": "none",
                **values,
            }
            for key, values in functions.items()
        }
        text = yaml.safe_dump({"aws": {**settings, "functions": described}})
        (folder / "invoke.yaml").write_text(text)
        return folder

    def script(self, tree: Path, upload: str) -> Command:
        archive = self.root / f"{tree.name}.zip"
        upload = upload.format(archive=archive, bucket=BUCKET, hello=f"{ROLE}/hello")
        text = SCRIPT.format(role=f"{ROLE}/deployer", archive=archive, tree=tree, upload=upload)
        return Command(["bash", "-c", text], self.root, self.environ)

    def deploy(self, project: Path, *words: str, before: Any = lambda: None) -> Command:
        return Command([*INVOKE, "assume", "deploy", *words], project, self.environ, before)


def groups(cache: Path) -> Iterator[list[Comparison]]:
    """Yield the comparisons that share a function."""
    with TemporaryDirectory(dir=cache) as name:
        root = Path(name)
        aws = start_quick_aws()
        try:
            with distant(aws.endpoint, root) as (_, variables):
                bench = _seeded(root, aws.endpoint, variables)
                yield _small(bench, python_tree(cache / "small", SMALL))
                yield _large(bench, python_tree(cache / "big", BIG))
                yield _many_unchanged(bench)
                with distant(aws.endpoint, root) as (proxy, theirs):
                    yield _many_changed(bench, proxy, theirs)
                with Proxy(aws.endpoint, quotas=LAMBDA_QUOTAS) as proxy:
                    yield _under_quotas(bench, proxy)
                yield _memory(bench)
                yield _sam(bench)
        finally:
            aws.stop()


def _seeded(root: Path, endpoint: str, variables: dict[str, str]) -> Bench:
    keys = local_aws.seed(endpoint)
    home = root / "home"
    home.mkdir()
    local_aws.write_config(home, *keys)
    registries = ("PIP_", "UV_", "SSL_", "REQUESTS_", "HTTP", "XDG_CONFIG")
    environ = {
        **clean_environment(home),
        **{name: text for name, text in os.environ.items() if name.startswith(registries)},
        "XDG_CONFIG_HOME": os.environ.get("XDG_CONFIG_HOME", str(Path.home() / ".config")),
        **variables,
    }
    bench = Bench(root, endpoint, {**environ, "AWS_DEFAULT_REGION": local_aws.REGION})
    everything = local_aws.policy({"Action": "*", "Resource": "*"})
    bench.client("iam").put_role_policy(
        RoleName="deployer", PolicyName="everything", PolicyDocument=everything
    )
    bench.client("s3").create_bucket(Bucket=BUCKET)
    return bench


def _small(bench: Bench, tree: Path) -> list[Comparison]:
    project = bench.project("small", {"hello": {"source": str(tree)}})

    def anew() -> None:
        bench.forget("hello")
        shutil.rmtree(project / ".tasks_aws", ignore_errors=True)

    def created() -> None:
        bench.forget("script")

    def one_line() -> None:
        change(tree, str(time.time_ns()))

    script = bench.script(tree, DIRECTLY)
    first = bench.script(tree, CREATE)
    return [
        _row("first deploy / script", 0.45, bench.deploy(project, before=anew),
             Command(first.words, first.folder, first.environ, created)),
        _row("one line / script", 0.42, bench.deploy(project, before=one_line), script),
        _row("no change / script", 0.40, bench.deploy(project), script),
    ]  # fmt: skip


def _large(bench: Bench, tree: Path) -> list[Comparison]:
    project = bench.project("large", {"large": {"source": str(tree)}}, bucket=BUCKET)
    script = bench.script(tree, THROUGH_S3)
    bench.deploy(project)()

    def one_line() -> None:
        change(tree, str(time.time_ns()))

    return [
        _row("200 MB, one line / script", 0.16, bench.deploy(project, before=one_line), script),
        _row("200 MB, no change / script", 0.05, bench.deploy(project), script),
    ]


def _many_unchanged(bench: Bench) -> list[Comparison]:
    source = bench.root / "source"
    source.mkdir()
    (source / "handler.py").write_text("def handler(event, context): pass\n")
    names = [f"f{index}" for index in range(MANY)]
    many = bench.project("many", {name: {"source": str(source)} for name in names})
    one = bench.project("one", {"f0": {"source": str(source)}})
    bench.deploy(many)()
    bench.deploy(one)()
    name = f"{MANY} functions, no change / one"
    return [_row(name, 3.0, bench.deploy(many), bench.deploy(one), needs=())]


def _many_changed(bench: Bench, proxy: Proxy, variables: dict[str, str]) -> list[Comparison]:
    many, handler = bench.root / "many", bench.root / "source" / "handler.py"
    proxy.delay = max(proxy.delay, LATENCY_SECONDS)
    environ = {**bench.environ, **variables}

    def changed() -> None:
        handler.write_text(f"def handler(event, context): return {time.time_ns()}\n")

    def deploy(*words: str) -> Command:
        return Command([*INVOKE, "assume", "deploy", *words], many, environ, changed)

    name = f"{MANY} functions, changed / one by one"
    return [_row(name, 1 / 3, deploy(), deploy("--parallel", "1"), needs=())]


def _under_quotas(bench: Bench, proxy: Proxy) -> list[Comparison]:
    """Compare a deploy of very many changed functions with the time that Lambda's quotas allow."""
    source = bench.root / "limited"
    source.mkdir()
    function = {"source": str(source), "alias": "live"}
    functions = {f"limited{index}": function for index in range(VERY_MANY)}
    project = bench.project("under-quotas", functions)
    environ = {**bench.environ, "AWS_ENDPOINT_URL": proxy.url}

    def changed() -> None:
        change(source, str(time.time_ns()))
        proxy.requests.clear()

    deploy = Command([*INVOKE, "assume", "deploy"], project, environ, changed)
    deploy()
    name = f"{VERY_MANY} functions, changed / Lambda's quotas"
    floor = lambda: proxy.least_seconds() * 1000  # noqa: E731
    return [Comparison(name=name, goal=1.15, ours=deploy, rival=floor)]


def _memory(bench: Bench) -> list[Comparison]:
    """Compare the peak of an upload with that of a deploy which uploads next to nothing."""
    tree = bench.root / "random"
    tree.mkdir()
    (tree / "handler.py").write_text("def handler(event, context): pass\n")
    (tree / "data").write_bytes(os.urandom(ARCHIVE_MB * 1_000_000))
    small = bench.root / "one"
    rows = []
    for way, goal, aws in (
        ("directly", 5.0 * ARCHIVE_MB, {}),
        ("through S3", 20.0, {"bucket": BUCKET}),
    ):
        name = "memory" + ("-s3" if aws else "")
        project = bench.project(name, {name: {"source": str(tree)}}, **aws)
        bench.deploy(project, "--dry-run")()  # the archive is made before

        def more(project: Path = project, name: str = name) -> float:
            bench.forget(name)
            bench.forget("f0")
            return _peak(bench, project) - _peak(bench, small)

        rows.append(
            Comparison(
                name=f"{ARCHIVE_MB} MB {way}: memory / {goal:.0f} MB",
                goal=1.0,
                ours=more,
                rival=lambda goal=goal: goal,  # type: ignore[misc]
                unit="MB",
            )
        )
    return rows


def _peak(bench: Bench, project: Path) -> float:
    """Return the largest resident size of a deploy, in MB; from its own /proc."""
    program = (
        "import atexit, runpy, sys\n"
        "atexit.register(lambda: print(open('/proc/self/status').read()))\n"
        "sys.argv = ['invoke', 'assume', 'deploy']\n"
        "runpy.run_module('invoke', run_name='__main__')\n"
    )
    words = [sys.executable, "-c", program]
    found = subprocess.run(
        words, cwd=project, env=bench.environ, check=True, capture_output=True, text=True
    )
    peak = re.search(r"VmHWM:\s+(\d+) kB", found.stdout)
    assert peak
    return int(peak[1]) / 1000


def _sam(bench: Bench) -> list[Comparison]:
    """Compare with `sam build` and a deploy of the same function, unchanged."""
    folder = bench.root / "sam"
    (folder / "src").mkdir(parents=True)
    change(folder / "src", "hello")
    (folder / "src" / "requirements.txt").write_text("\n".join(SMALL) + "\n")
    template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Hello": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "sam",
                    "Code": "src",
                    "Handler": "handler.handler",
                    "Runtime": f"python3.{sys.version_info.minor}",
                    "Role": f"{ROLE}/hello",
                },
            }
        },
    }
    (folder / "template.json").write_text(json.dumps(template))
    options = (
        f"--stack-name bench --s3-bucket {BUCKET} --region {local_aws.REGION} "
        "--capabilities CAPABILITY_IAM --no-confirm-changeset --no-fail-on-empty-changeset"
    )
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    environ = {**bench.environ, **keys, "SAM_CLI_TELEMETRY": "0"}
    text = f"sam build --template template.json && sam deploy {options}"
    rival = Command(["bash", "-euc", text], folder, environ)
    described = {"source": str(folder / "src"), "requirements": None}
    ours = bench.deploy(bench.project("installed", {"installed": described}))
    ours()
    return [_row("no change / sam build and deploy", 0.1, ours, rival, needs=("sam",))]


def _row(
    name: str,
    goal: float,
    ours: Command,
    rival: Command,
    needs: Sequence[str] = ("aws", "jq", "zip"),
) -> Comparison:
    return Comparison(name=name, goal=goal, ours=ours, rival=rival, needs=needs)
