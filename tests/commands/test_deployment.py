"""Functions and layers are packaged and planned before anything changes, for all targets."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from tests import local_aws
from tests.aws_lambda.describe import CODE, HELLO, ROLE, describe, write_source
from tests.commands.test_jobs import functions, names, rows
from tests.conftest import REGION, EmbeddedAws
from tests.proxy import Proxy
from tests.support import Project

TARGETS: dict[str, Any] = {"here": {"region": local_aws.REGION}, "there": {"region": REGION}}


@pytest.fixture(autouse=True)
def _source(project: Project, aws: EmbeddedAws) -> None:
    write_source(project)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_is_changed_when_one_cannot_be_packaged(project: Project, aws: EmbeddedAws) -> None:
    broken = {"Handler": "missing.handler"}
    describe(project, role="everything", aws=functions(good={}, bad=broken, worse=broken))

    result = project.run("deploy", code=1)

    assert names(aws) == []
    assert result.err.count("the archive does not contain missing.py") == 2
    assert "2 of 3 functions cannot be deployed: nothing was changed." in result.err


def test_lambda_is_connected_while_functions_are_packaged(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    building, go = project.folder / "building", project.folder / "go"
    describe(project, build=f"touch '{building}'; until [ -e '{go}' ]; do sleep 0.05; done")
    project.run("assume")
    proxy.requests.clear()
    proxy.connections = 0

    deploying = project.start("assume", "deploy")
    wait_for(lambda: building.exists() and proxy.connections)
    asked = [*proxy.requests]
    go.touch()
    _, err = deploying.communicate(timeout=60)

    assert deploying.returncode == 0, err
    assert (asked, names(aws)) == ([], ["hello"])


def test_lambda_that_cannot_be_connected_is_an_error_once_functions_are_packaged(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project)
    project.run("assume")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        result = project.run("assume", "deploy", code=1, environ={"AWS_ENDPOINT_URL_LAMBDA": url})

    _, _, after = result.err.partition("zip       hello")
    assert after.splitlines()[1] == "Lambda could not read the function hello."
    assert "Traceback" not in result.err


def test_a_layer_that_cannot_be_packaged_is_counted_as_a_layer(
    project: Project, aws: EmbeddedAws
) -> None:
    layer = {"source": "no-lib", "CompatibleRuntimes": ["python3.13"]}
    hello = {**HELLO, "source": "no-src", "layers": ["common"]}
    settings = {"functions": {"hello": hello}, "layers": {"common": layer}}
    describe(project, role="everything", aws=settings)

    result = project.run("deploy", code=1)

    assert result.err.rstrip().endswith(
        "2 of 2 functions and layers cannot be deployed: nothing was changed."
    )


def test_targets_are_deployed_each_with_its_own_credentials(
    project: Project, aws: EmbeddedAws
) -> None:
    targets = {**TARGETS, "there": {**TARGETS["there"], "role_arn": f"{ROLE}/everything"}}
    describe(project, aws={"targets": targets})
    words = ["assume", "deploy", "--target", "here", "--target", "there", "child"]

    result = project.run(*words)

    assert (names(aws), names(aws, REGION)) == (["hello"], ["hello"])
    assert {key: row[0] for key, row in rows(result.err).items()} == {
        "hello@here": "created",
        "hello@there": "created",
    }
    assert "account   000000000000, us-east-1 (here), as arn:aws:sts::000000000000" in result.err
    assert "account   000000000000, eu-central-1 (there)" in result.err
    assert "assumed-role/everything" in result.err
    assert result.err.count("zip       hello") == 1  # one archive for both
    environ = json.loads(result.out.splitlines()[0])
    assert environ["AWS_REGION"] == local_aws.REGION  # of `assume`, which nobody has changed


@pytest.mark.parametrize("target", [[], ["--target", "here"]])
def test_options_of_assume_are_for_the_targets_of_later_tasks_too(
    project: Project, aws: EmbeddedAws, target: list[str]
) -> None:
    describe(project, role="everything", aws={"targets": {"here": {}}})

    refused = project.run("assume", "--read-only", *target, "deploy", "--target", "here", code=1)

    assert "--read-only" in refused.err
    assert names(aws) == []
    project.run("assume", "--region", REGION, *target, "deploy", "--target", "here")
    assert (names(aws), names(aws, REGION)) == ([], ["hello"])


def test_an_option_of_assume_and_a_target_that_contradict_each_other_are_refused(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project, role="everything", aws={"targets": TARGETS})

    words = ["assume", "--region", "eu-west-1", "deploy", "--target", "there"]
    refused = project.run(*words, code=1).err

    assert "`--region` of `assume` and `aws.targets.there.region` contradict each other." in refused
    assert "Pass `--target there` to `assume`, too, or leave out `--region`." in refused
    assert names(aws, "eu-west-1") == names(aws, REGION) == []


def test_targets_that_package_differently_get_an_archive_each(
    project: Project, aws: EmbeddedAws
) -> None:
    (project.folder / "src" / "debug.py").touch()
    there = {**TARGETS["there"], "functions": {"hello": {"exclude": ["debug.py"]}}}
    describe(project, role="everything", aws={"targets": {**TARGETS, "there": there}})

    project.run("deploy", "--target", "here", "--target", "there")

    sizes = {
        aws.functions(region).get_function(FunctionName="hello")["Configuration"]["CodeSize"]
        for region in (local_aws.REGION, REGION)
    }
    assert len(sizes) == 2
    assert (project.folder / ".tasks_aws" / "hello@there.zip").exists()


def test_targets_whose_secrets_differ_get_an_archive_each(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project, role="everything", aws={"targets": TARGETS})
    project.tasks(
        "from invoke import Collection\nimport tasks_aws\nfrom tasks_aws import Secret\n"
        "ns = Collection(*map(tasks_aws.ns.tasks.get, ('deploy', 'clean')))\n"
        "def build(text): return {'hello': {'build': Secret(f'echo {text} > built.txt')}}\n"
        "ns.configure({'aws': {'targets': {each: {'functions': build(each)} "
        "for each in ('here', 'there')}}})\n"
    )

    project.run("deploy", "--target", "here", "--target", "there", "--dry-run")

    output = project.folder / ".tasks_aws"
    built = {each.name: ZipFile(each).read("built.txt") for each in output.glob("*.zip")}
    assert built == {"hello.zip": b"here\n", "hello@there.zip": b"there\n"}
    project.run("clean", "--function", "hello")
    assert [*output.glob("hello*")] == []


@pytest.mark.parametrize("number", ["0", "17", "x", "-1"])
def test_how_many_at_once_is_checked_before_anything_else(project: Project, number: str) -> None:
    describe(project)

    assert "`--parallel` must be" in project.run("deploy", f"--parallel={number}", code=1).err


def test_values_are_not_asked_of_a_deploy_that_prints_none(project: Project) -> None:
    result = project.run("deploy", "--show-values", code=1)

    assert "`--show-values` needs `--dry-run` or `--json`" in result.err


def test_a_target_that_does_not_exist_stops_everything(project: Project, aws: EmbeddedAws) -> None:
    describe(project, role="everything", aws={"targets": TARGETS})

    result = project.run("deploy", "--target", "here", "--target", "ther", code=1)

    assert "Did you mean `there`?" in result.err
    assert names(aws) == []


def test_a_deploy_that_finds_nothing_costs_one_read_for_each(
    project: Project, proxy: Proxy
) -> None:
    describe(project, role="everything", aws=functions(one={}, two={}))
    project.run("deploy")
    proxy.requests.clear()

    assert "update" not in project.run("deploy").err

    assert sorted(proxy.requests) == [
        "GET /2015-03-31/functions/one",
        "GET /2015-03-31/functions/two",
    ]


def test_the_exit_code_of_a_plan_tells_whether_there_is_something_to_do(project: Project) -> None:
    describe(project, role="everything")
    assert "plan      hello  create" in project.run("plan", "--exit-code", code=2).err
    assert project.run("plan").code == 0
    project.run("deploy")
    write_source(project, CODE + "# changed\n")

    assert "plan      hello  update code" in project.run("plan", "--exit-code", code=2).err


def test_changed_in_the_console_is_changed_back(project: Project, aws: EmbeddedAws) -> None:
    describe(project, role="everything", alias="live")
    project.run("deploy")
    client = aws.functions()
    client.update_function_configuration(FunctionName="hello", MemorySize=1024)
    client.get_waiter("function_updated_v2").wait(
        FunctionName="hello", WaiterConfig={"Delay": 1, "MaxAttempts": 10}
    )

    result = project.run("deploy")

    assert "update    hello  MemorySize" in result.err
    found = client.get_function(FunctionName="hello", Qualifier="live")["Configuration"]
    assert found["MemorySize"] == 256


def test_a_container_image_is_deployed_by_its_uri(project: Project, aws: EmbeddedAws) -> None:
    uri = "000000000000.dkr.ecr.us-east-1.amazonaws.com/hello"
    image = {"source": None, "Handler": None, "Runtime": None}
    for tag in ("1", "2"):
        describe(project, role="everything", **image, Code={"ImageUri": f"{uri}:{tag}"})
        result = project.run("deploy")

    assert "update    hello  code, " in result.err
    found = aws.functions().get_function(FunctionName="hello")
    assert found["Code"]["ImageUri"] == f"{uri}:2"
    assert "unchanged" in project.run("plan", "--exit-code").err


def test_a_zip_cannot_take_the_place_of_an_image(project: Project, aws: EmbeddedAws) -> None:
    uri = "000000000000.dkr.ecr.us-east-1.amazonaws.com/hello:1"
    image = {"source": None, "Handler": None, "Runtime": None}
    describe(project, role="everything", **image, Code={"ImageUri": uri})
    project.run("deploy")
    describe(project, role="everything")

    err = project.run("deploy", code=1).err

    assert "hello has PackageType Image, but the settings say Zip." in err
    assert "Set another `aws.functions.hello.FunctionName`, or destroy" in err


# Deploys with the settings of two folders at once: both have planned before either changes a thing.
IN_THREADS = """
import sys, threading
from invoke import Config, Context
from tasks_aws import TasksAwsError, deploy
from tasks_aws.commands import deployment

planned, run_jobs, ends = threading.Barrier(2), deployment.run_jobs, {}

def run_when_both_have_planned(*args, **options):
    planned.wait(60)
    return run_jobs(*args, **options)

def run(number, folder):
    config = Config(project_location=folder)
    config.load_project()
    try:
        ends[number] = deploy(Context(config)) or "deployed"
    except TasksAwsError as error:
        ends[number] = error.what

deployment.run_jobs = run_when_both_have_planned
threads = [threading.Thread(target=run, args=each) for each in enumerate(sys.argv[1:])]
for each in threads: each.start()
for each in threads: each.join()
for number in range(2): print(ends[number] if isinstance(ends[number], str) else "deployed")
"""


def deploy_in_threads(project: Project, *folders: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", IN_THREADS, *map(str, folders)],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "Traceback" not in done.stderr
    return done.stdout.splitlines()


def test_two_threads_that_deploy_the_same_make_one_version(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project, role="everything", alias="live")

    for number in ("1", "2"):
        write_source(project, f"{CODE}# {number}")
        ends = deploy_in_threads(project, project.folder, project.folder)

        assert ends == ["deployed", "deployed"]
        found = aws.functions().get_alias(FunctionName="hello", Name="live")
        assert found["FunctionVersion"] == number


def test_of_two_threads_that_deploy_different_code_one_is_refused(
    project: Project, aws: EmbeddedAws, tmp_path: Path
) -> None:
    describe(project, role="everything")
    other = Project(tmp_path / "other", project.home, project.environ)
    other.folder.mkdir()
    describe(other, role="everything")

    for number, refusal in enumerate(("hello was not created", "Lambda could not update")):
        for each in (project, other):
            write_source(each, f"{CODE}# {number} {each.folder.name}")
        ends = deploy_in_threads(project, project.folder, other.folder)

        refused = [end for end in ends if end.startswith(refusal)]
        assert sorted(ends) == sorted(["deployed", *refused])
        assert len(refused) == 1
        winner = (project, other)[ends.index("deployed")]
        archive = (winner.folder / ".tasks_aws" / "hello.zip").read_bytes()
        found = aws.functions().get_function(FunctionName="hello")["Configuration"]
        assert found["CodeSha256"] == b64encode(sha256(archive).digest()).decode()
