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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tasks_aws.config.settings import LAMBDA_QUOTAS
from tests import local_aws
from tests.benchmarks.distance import ROUND_TRIPS_OF_A_HANDSHAKE, distant
from tests.benchmarks.measure import INVOKE, PYTHON, Command, Comparison
from tests.benchmarks.trees import BIG, SMALL, change, python_tree
from tests.proxy import Proxy
from tests.quick_aws import start_quick_aws
from tests.support import clean_environment

ROLE = "arn:aws:iam::000000000000:role"
MANY = 20
VERY_MANY = 200
LATENCY_SECONDS = 0.1
FAR_SECONDS = 0.2
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


# What is read of one function that has everything.
READ_EVERYTHING = """
import boto3
client, logs = boto3.client("lambda"), boto3.client("logs")
function = {"FunctionName": "everything"}
client.get_function(**function)
client.get_function(**function, Qualifier="live")
client.get_alias(**function, Name="live")
alias = {**function, "Qualifier": "live"}
client.get_function_event_invoke_config(**alias)
client.get_function_url_config(**alias)
client.get_policy(**alias)
client.list_event_source_mappings(FunctionName="everything:live")
logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/everything")
"""


@dataclass(frozen=True)
class Bench:
    """The embedded AWS, and a folder for projects."""

    root: Path
    endpoint: str
    environ: dict[str, str]

    def client(self, service: str) -> Any:
        return local_aws.root_client(self.endpoint, service)

    def forget(self, name: str) -> None:
        """Delete a function, if there is one, and what was uploaded."""
        client, s3 = self.client("lambda"), self.client("s3")
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=name)
        for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=each["Key"])

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
            with distant(aws.url, root) as (_, variables):
                bench = _seeded(root, aws.url, variables)
                yield _small(bench, python_tree(cache / "small", SMALL))
                yield _large(bench, python_tree(cache / "big", BIG))
                yield _many_unchanged(bench)
                with distant(aws.url, root) as (proxy, theirs):
                    yield _many_changed(bench, proxy, theirs)
                with distant(aws.url, root) as (proxy, theirs):
                    yield _everything(bench, proxy, theirs)
                yield _memory(bench)
                for each in _frameworks(bench):
                    yield [each]
                with Proxy(aws.url, quotas=LAMBDA_QUOTAS) as proxy:
                    yield _under_quotas(bench, proxy)
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
        _row("no change / script", 0.30, bench.deploy(project), script,
             caption=("deploy, nothing has changed", "AWS CLI, jq and zip")),
    ]  # fmt: skip


def _large(bench: Bench, tree: Path) -> list[Comparison]:
    project = bench.project("large", {"large": {"source": str(tree)}}, bucket=BUCKET)
    script = bench.script(tree, THROUGH_S3)
    bench.deploy(project)()

    def one_line() -> None:
        change(tree, str(time.time_ns()))

    return [
        _row("200 MB, one line / script", 0.16, bench.deploy(project, before=one_line), script,
             caption=("deploy 200 MB, one line has changed", "AWS CLI, jq and zip")),
        _row("200 MB, no change / script", 0.05, bench.deploy(project), script),
    ]  # fmt: skip


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
    return [_row(name, 1.5, bench.deploy(many), bench.deploy(one), needs=())]


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


def _everything(bench: Bench, proxy: Proxy, variables: dict[str, str]) -> list[Comparison]:
    """Compare reading all of one function from afar with a script that does so call by call."""
    sqs = bench.client("sqs")
    url = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    permission = {
        "StatementId": "bucket",
        "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::uploads",
    }
    function = {
        "source": str(bench.root / "source"),
        "alias": "live",
        "ReservedConcurrentExecutions": 5,
        "MaximumRetryAttempts": 0,
        "log_retention_days": 30,
        "url": {"AuthType": "AWS_IAM"},
        "events": [{"EventSourceArn": queue["Attributes"]["QueueArn"]}],
        "permissions": [permission],
    }
    project = bench.project("everything", {"everything": function})
    bench.deploy(project)()
    proxy.delay, proxy.handshake = FAR_SECONDS, ROUND_TRIPS_OF_A_HANDSHAKE * FAR_SECONDS
    environ = {**bench.environ, **variables}
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    ours = Command([*INVOKE, "assume", "deploy"], project, environ)
    script = Command([PYTHON, "-c", READ_EVERYTHING], project, {**environ, **keys})
    ours()  # from here on, the session is a cached one
    requests = []
    for each in (ours, script):
        proxy.requests.clear()
        each()
        requests.append(sorted(line.partition("?")[0] for line in proxy.requests))
    assert requests[0] == requests[1], requests
    name = f"all of one function, {FAR_SECONDS * 1000:.0f} ms / call by call"
    return [_row(name, 0.30, ours, script, needs=())]


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
    return [Comparison(name=name, goal=1.15, ours=deploy, rival=floor, once=True)]


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
        ("through S3", 25.0, {"bucket": BUCKET}),  # four parts at once, over TLS
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
    words = [PYTHON, "-c", program]
    found = subprocess.run(
        words, cwd=project, env=bench.environ, check=True, capture_output=True, text=True
    )
    peak = re.search(r"VmHWM:\s+(\d+) kB", found.stdout)
    assert peak
    return int(peak[1]) / 1000


def _frameworks(bench: Bench) -> Iterator[Comparison]:
    """Yield comparisons with other tools that deploy the same function, which has not changed."""
    folder = bench.root / "frameworks"
    folder.mkdir()
    change(folder, "hello")
    (folder / "requirements.txt").write_text("\n".join(SMALL) + "\n")
    described = {"source": str(folder), "requirements": None}
    ours = bench.deploy(bench.project("framework", {"framework": described}))
    variables = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "NODE_EXTRA_CA_CERTS": bench.environ["AWS_CA_BUNDLE"],
        "SAM_CLI_TELEMETRY": "0",
        "SLS_TELEMETRY_DISABLED": "1",
    }
    rivals = (("chalice", 0.65, _chalice), ("osls", 0.25, _osls), ("sam", 0.13, _sam))
    for name, goal, make in rivals:
        project = bench.root / name
        project.mkdir()
        words = ["bash", "-euc", make(project)]
        rival = Command(words, project, {**bench.environ, **variables})
        yield _row(
            f"no change / {'sam build and deploy' if name == 'sam' else words[2]}",
            goal,
            ours,
            rival,
            needs=(name,),
            caption=("deploy, nothing has changed", "SAM") if name == "sam" else None,
        )


def _chalice(folder: Path) -> str:
    """Make a project, and return the command that deploys it."""
    (folder / ".chalice").mkdir()
    (folder / "app.py").write_text(
        "from chalice import Chalice\napp = Chalice('bench')\n"
        "@app.lambda_function()\ndef hello(event, context): return 'hello'\n"
    )
    (folder / "requirements.txt").write_text("\n".join(SMALL) + "\n")
    role = {"manage_iam_role": False, "iam_role_arn": f"{ROLE}/hello"}
    settings = {"version": "2.0", "app_name": "bench", "stages": {"dev": role}}
    (folder / ".chalice" / "config.json").write_text(json.dumps(settings))
    return "chalice deploy"


def _osls(folder: Path) -> str:
    """Make a project, and return the command that deploys it. It installs no requirements."""
    change(folder, "hello")
    provider = {
        "name": "aws",
        "runtime": "python3.13",
        "region": local_aws.REGION,
        "iam": {"role": f"{ROLE}/hello"},
        "deploymentBucket": BUCKET,
    }
    functions = {"hello": {"handler": "handler.handler"}}
    settings = {"service": "bench", "provider": provider, "functions": functions}
    (folder / "serverless.yml").write_text(json.dumps(settings))
    return "osls deploy"


def _sam(folder: Path) -> str:
    """Make a project, and return the command that deploys it."""
    source = folder / "src"
    source.mkdir()
    change(source, "hello")
    (source / "requirements.txt").write_text("\n".join(SMALL) + "\n")
    properties = {
        "FunctionName": "sam",
        "Code": "src",
        "Handler": "handler.handler",
        "Runtime": f"python3.{sys.version_info.minor}",
        "Role": f"{ROLE}/hello",
    }
    function = {"Type": "AWS::Lambda::Function", "Properties": properties}
    template = {"AWSTemplateFormatVersion": "2010-09-09", "Resources": {"Hello": function}}
    (folder / "template.json").write_text(json.dumps(template))
    return (
        "sam build --template template.json && sam deploy "
        f"--stack-name bench --s3-bucket {BUCKET} --region {local_aws.REGION} "
        "--capabilities CAPABILITY_IAM --no-confirm-changeset --no-fail-on-empty-changeset"
    )


def _row(
    name: str,
    goal: float,
    ours: Command,
    rival: Command,
    needs: Sequence[str] = ("aws", "jq", "zip"),
    caption: tuple[str, str] | None = None,
) -> Comparison:
    return Comparison(name=name, goal=goal, ours=ours, rival=rival, needs=needs, caption=caption)
