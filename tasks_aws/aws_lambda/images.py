"""Container images: what a tag means now.

Lambda resolves a tag once, when the function gets the image, and goes on with that image when the
tag moves.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from botocore.exceptions import ClientError

from ..sdk.connections import UNREACHABLE
from ..ui.aws_errors import error_message
from ..ui.output import warn
from .clients import Account
from .iam_actions import UNKNOWN, Scope, Subject, get_setting, need
from .parameters import Parameters


class _Image(NamedTuple):
    """An image in a private registry of ECR, by its URI."""

    registry: str
    region: str
    repository: str
    tag: str  # empty if the URI names a digest, which always means the same


def read_image_digest(parameters: Parameters, account: Account) -> str | None:
    """Return the digest of the image that a function's tag means now; None if nobody can tell.

    Of an index of several images, the function would have the digest of one of them.
    """
    uri = parameters.code.get("ImageUri")
    image = _parse(str(uri)) if uri else None
    if not (image and image.tag and image.region == account.region):
        return None
    try:
        found = account.client("ecr").batch_get_image(
            registryId=image.registry,
            repositoryName=image.repository,
            imageIds=[{"imageTag": image.tag}],
        )
    except (ClientError, *UNREACHABLE) as error:
        why = error_message(error) if isinstance(error, ClientError) else error
        warn(f"{uri} cannot be read, so a moved tag is not detected: {why}")
        return None
    return next(
        (
            str(each["imageId"]["imageDigest"])
            for each in found["images"]
            if not re.search("index|list", each.get("imageManifestMediaType", ""))
        ),
        None,
    )


def _parse(uri: str) -> _Image | None:
    host, path = r"(\d{12})\.dkr[.-]ecr[\w-]*\.([\w-]+)\.[\w.]+", r"([^:@]+)(?::([^@]+))?(@.+)?"
    found = re.fullmatch(f"{host}/{path}", uri)
    if not found:
        return None
    registry, region, repository, tag, digest = found.groups()
    return _Image(registry, region, repository, "" if digest else tag or "latest")


def _on_image(subject: Subject) -> Scope:
    image = _parse(str(get_setting(subject.layer, "Code.ImageUri")))
    registry, region, name, _ = image or _Image(UNKNOWN, UNKNOWN, UNKNOWN, "")
    return Scope("Images", (f"arn:{subject.partition}:ecr:{region}:{registry}:repository/{name}",))


# Lambda checks all of them on behalf of the caller: "Create a function using a container image",
# Lambda Developer Guide.
ACTIONS = (
    need("ecr:BatchGetImage", tasks=("plan", "deploy"), on=_on_image, settings=("Code.ImageUri",)),
    need(
        "ecr:GetDownloadUrlForLayer",
        "ecr:GetRepositoryPolicy",
        "ecr:SetRepositoryPolicy",
        tasks=("deploy",),
        on=_on_image,
        settings=("Code.ImageUri",),
    ),
)
