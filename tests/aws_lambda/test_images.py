"""What a tag of a container image means now, in the embedded registry."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.aws_lambda.describe import ROLE
from tests.conftest import EmbeddedAws
from tests.proxy import Proxy
from tests.support import Project

REPOSITORY = "000000000000.dkr.ecr.us-east-1.amazonaws.com/hello"
READ = r"^GET /2015-03-31/functions/hello$"
ASK = r"^POST / AmazonEC2ContainerRegistry_V20150921.BatchGetImage$"


@pytest.fixture(autouse=True)
def _deployed(project: Project, aws: EmbeddedAws, proxy: Proxy) -> None:
    """A function with the image `hello:1`."""
    aws.client("ecr").create_repository(repositoryName="hello")
    push(aws, "first")
    describe(project, f"{REPOSITORY}:1")
    project.run("deploy")
    proxy.requests.clear()


def push(aws: EmbeddedAws, text: str) -> str:
    """Push an image with the tag 1, and return its digest."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"digest": "sha256:" + text.encode().hex().ljust(64, "0")},
        "layers": [],
    }
    pushed = aws.client("ecr").put_image(
        repositoryName="hello", imageTag="1", imageManifest=json.dumps(manifest)
    )
    return str(pushed["image"]["imageId"]["imageDigest"])


def describe(project: Project, uri: str) -> None:
    project.settings(
        profile="developer",
        role_arn=f"{ROLE}/everything",
        functions={"hello": {"Code": {"ImageUri": uri}, "Role": f"{ROLE}/hello"}},
    )


def resolve_to(proxy: Proxy, digest: str, *, times: int = 1) -> None:
    """Let Lambda say which image it has, as MiniStack does not."""

    def change(found: Any) -> None:
        found["Code"]["ResolvedImageUri"] = f"{REPOSITORY}@{digest}"

    proxy.edit(READ, change, times=times)


def test_a_tag_that_has_moved_is_deployed_again(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    before = push(aws, "first")
    resolve_to(proxy, before)
    assert "hello  unchanged" in project.run("plan").err
    after = push(aws, "second")
    resolve_to(proxy, before, times=2)

    planned = project.run("plan")
    project.run("deploy")

    assert f"~ code  {before} -> {after}" in planned.err
    assert any(line.startswith("PUT") and "/code" in line for line in proxy.requests)


def test_a_digest_is_not_asked_for(project: Project, proxy: Proxy) -> None:
    describe(project, f"{REPOSITORY}@sha256:{'a' * 64}")

    project.run("plan")

    assert not any("ContainerRegistry" in line for line in proxy.requests)


def test_an_index_of_images_has_not_moved(project: Project, aws: EmbeddedAws, proxy: Proxy) -> None:
    resolve_to(proxy, push(aws, "first"))
    push(aws, "second")

    def index(found: Any) -> None:
        for each in found["images"]:
            each["imageManifestMediaType"] = "application/vnd.oci.image.index.v1+json"

    proxy.edit(ASK, index)

    assert "hello  unchanged" in project.run("plan").err


def test_who_may_not_read_the_registry_is_told_so(project: Project, proxy: Proxy) -> None:
    proxy.refuse(ASK, 400, "AccessDeniedException", "not authorized: ecr:BatchGetImage")

    result = project.run("plan")

    assert f"warning   {REPOSITORY}:1 cannot be read" in result.err
    assert "not authorized: ecr:BatchGetImage" in result.err
    assert "hello  unchanged" in result.err
