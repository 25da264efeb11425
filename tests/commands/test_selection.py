"""Several machines package and deploy a project, each its shard."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.aws_lambda.describe import HELLO, describe, write_source
from tests.commands.test_jobs import functions, names
from tests.conftest import EmbeddedAws
from tests.proxy import Proxy
from tests.shards import name_in
from tests.support import Project

SHARDS = ("1/3", "2/3", "3/3")
BUCKET = "artifacts-of-shards"


def archives(project: Project) -> set[str]:
    return {path.stem for path in (project.folder / ".tasks_aws").glob("*.zip")}


def test_each_function_is_packaged_and_deployed_in_one_shard(
    project: Project, aws: EmbeddedAws
) -> None:
    every = [f"function-{number}" for number in range(7)]
    describe(project, role="everything", aws=functions(**{each: {} for each in every}))
    write_source(project)
    packaged, planned, deployed = [], [], []

    for shard in SHARDS:
        before = archives(project)
        result = project.run("package", "--shard", shard)
        packaged.append(sorted(archives(project) - before))
        assert f"shard     {shard}  {len(packaged[-1])} of 7 functions\n" in result.err
        found = json.loads(project.run("plan", "--shard", shard, "--json").out)
        planned.append(sorted(each["function"] for each in found))
        before_deploy = names(aws)
        project.run("deploy", "--shard", shard)
        deployed.append(sorted({*names(aws)} - {*before_deploy}))

    assert packaged == planned == deployed
    assert sorted(name for each in deployed for name in each) == every
    assert "of 7 functions" not in project.run("deploy", "--shard", "1/1").err
    chosen = ["--function", every[0], "--function", every[1]]
    found = [
        json.loads(project.run("plan", *chosen, "--shard", shard, "--json").out) for shard in SHARDS
    ]
    assert sorted(each["function"] for part in found for each in part) == every[:2]


def test_an_empty_shard_succeeds_and_asks_aws_nothing(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    describe(project, aws=functions(**{name_in("1/3"): {}}))
    write_source(project)

    for words in (["package"], ["plan", "--exit-code"], ["deploy"]):
        result = project.run(*words, "--shard", "2/3")
        assert result.err == "shard     2/3  0 of 1 function: nothing to do\n"
    assert json.loads(project.run("deploy", "--shard", "2/3", "--json").out) == []
    assert proxy.requests == []


@pytest.mark.parametrize("task", ["package", "plan", "deploy"])
def test_what_is_no_shard_is_an_error_before_anything_else(project: Project, task: str) -> None:
    describe(project, MemorySize="much")

    said = project.run(task, "--shard", "5/4", code=1).err

    assert said.startswith("`--shard` must be a shard such as 1/4, up to 4/4, got '5/4'.\n")
    assert "MemorySize" not in said


def test_a_mistake_in_one_shard_is_an_error_in_all(project: Project, aws: EmbeddedAws) -> None:
    good, bad = name_in("1/2"), name_in("2/2")
    describe(project, aws=functions(**{good: {}, bad: {"MemorySize": "much"}}))
    write_source(project)

    for task in ("package", "deploy"):
        said = project.run(task, "--shard", "1/2", code=1).err
        assert f"`aws.functions.{bad}.MemorySize`" in said
    describe(project, aws=functions(**{good: {}, bad: {"FunctionName": good}}))
    for shard in ("1/2", "2/2"):
        said = project.run("deploy", "--shard", shard, code=1).err
        assert f"are the same function: {good}" in said
    assert names(aws) == []


def test_watching_a_shard_is_refused(project: Project) -> None:
    describe(project)

    said = project.run("deploy", "--watch", "--shard", "1/2", code=1).err

    assert "`--watch` and `--shard` cannot be combined." in said


def test_what_one_shard_or_an_earlier_run_has_uploaded_is_not_uploaded_again(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    aws.client("s3").create_bucket(Bucket=BUCKET)
    write_source(project)
    (project.folder / "src" / "large.bin").write_bytes(os.urandom(9 << 20))
    both: dict[str, Any] = {name_in("1/2"): HELLO, name_in("2/2"): HELLO}
    describe(project, role="everything", aws={"functions": both, "bucket": BUCKET})
    uploads = []

    for shard in ("1/2", "2/2"):
        proxy.requests.clear()
        project.run("deploy", "--shard", shard)
        project.run("clean")  # as on another machine
        to_bucket = [line for line in proxy.requests if BUCKET in line]
        uploads.append([line for line in to_bucket if not line.startswith("HEAD")])
        assert to_bucket

    assert (bool(uploads[0]), uploads[1]) == (True, [])
    assert names(aws) == sorted(both)
