"""Uploading an archive to Lambda: in the request itself, or through S3."""

from __future__ import annotations

import base64
from typing import Any

from botocore.exceptions import ClientError

from ..config.functions import Layer
from ..packaging.archive import Archive
from ..process.importing import own_imports
from ..ui.aws_errors import error_code
from ..ui.output import format_size, say
from ..ui.progress import ProgressLine
from .clients import Account, Kind
from .iam_actions import Scope, Subject, get_setting, need
from .plan import Plan

# A request contains the archive in base64, and memory several copies of that; below this size it
# is still faster than a second client.
_THROUGH_S3_BYTES = 8 << 20
_PART_BYTES = 8 << 20
_QUICKLY_SENT_BYTES = 1 << 20
_PARTS_AT_ONCE = 4


def get_upload_client(archive: Archive | None, account: Account) -> Any:
    """Return the Lambda client for a request with an archive, which may take long to send."""
    large = archive is not None and archive.size > _QUICKLY_SENT_BYTES
    return account.client("lambda", Kind.UPLOAD if large else Kind.CALLS)


def upload_code(plan: Plan, account: Account, progress: ProgressLine) -> dict[str, Any]:
    """Upload the code of a plan, as `upload_archive` does; return its parameters.

    Those of a container image are among the function's own.
    """
    if plan.archive is None:
        return {}
    return upload_archive(plan.parameters.function, plan.archive, account, progress)


def upload_archive(
    function: Layer, archive: Archive, account: Account, progress: ProgressLine
) -> dict[str, Any]:
    """Return an archive as `Code` and `Content` take it.

    With a `bucket`, a large one is uploaded to S3, and one that Lambda is to leave there.
    """
    stays = get_setting(function, "Code.S3ObjectStorageMode") == "REFERENCE"
    if function.bucket is None or (archive.size < _THROUGH_S3_BYTES and not stays):
        return {"ZipFile": archive.path.read_bytes()}
    return _upload_to_s3(function, function.bucket, archive, account, progress)


def _upload_to_s3(
    function: Layer, bucket: str, archive: Archive, account: Account, progress: ProgressLine
) -> dict[str, Any]:
    """Return the location of an archive in S3, and upload it unless it is there already.

    The key is the archive's SHA-256, so that anybody's earlier upload is used again.
    """
    client = account.client("s3")
    owner = {"ExpectedBucketOwner": function.bucket_owner or account.account_id}
    folder = _get_folder(function.key_prefix or "")
    where = {
        "Bucket": bucket,
        "Key": f"{folder}{base64.b64decode(archive.code_sha256).hex()}.zip",
    }
    found = _find_object(client, where, owner)
    if found is None:
        _upload(client, archive, where, owner, progress)
        found = _find_object(client, where, owner) or {}
        say("upload", f"{format_size(archive.size)} to s3://{bucket}/{where['Key']}")
    version = found.get("VersionId")
    return {
        "S3Bucket": where["Bucket"],
        "S3Key": where["Key"],
        **({"S3ObjectVersion": version} if version and version != "null" else {}),
    }


def _get_folder(prefix: str) -> str:
    return f"{prefix.strip('/')}/" if prefix.strip("/") else ""


def _upload(
    client: Any,
    archive: Archive,
    where: dict[str, str],
    owner: dict[str, str],
    progress: ProgressLine,
) -> None:
    with own_imports():
        from boto3.exceptions import S3UploadFailedError
        from boto3.s3.transfer import S3Transfer, TransferConfig

    config: Any = TransferConfig(multipart_chunksize=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE)
    progress.total = archive.size
    try:
        S3Transfer(client, config).upload_file(
            str(archive.path),
            where["Bucket"],
            where["Key"],
            callback=progress.advance,
            extra_args={**owner, "ChecksumAlgorithm": "SHA256"},
        )
    except S3UploadFailedError as error:  # its only structured part is its context
        raise error.__context__ or error from None


def _find_object(
    client: Any, where: dict[str, str], owner: dict[str, str]
) -> dict[str, Any] | None:
    """Return what S3 has at a key, or None if S3 answers that there is nothing."""
    try:
        return _head_object(client, {**where, **owner})
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey"):
            return None
        raise


def _head_object(client: Any, wanted: dict[str, str]) -> dict[str, Any]:
    """Return HeadObject's answer, or that of GetObject where HeadObject gives no reason.

    The answer to a HEAD request has no body, and so no error message.
    """
    answer: dict[str, Any]
    try:
        answer = client.head_object(**wanted)
    except ClientError as error:
        if error_code(error) != "400":  # such as for an expired session
            raise
        answer = client.get_object(**wanted, Range="bytes=0-0")
        answer["Body"].close()
    return answer


def _on_bucket(subject: Subject) -> Scope:
    return _scope("Bucket", str(subject.layer.bucket), subject)


def _on_archives(subject: Subject) -> Scope:
    folder = _get_folder(subject.layer.key_prefix or "")
    return _scope("Archives", f"{subject.layer.bucket}/{folder}*", subject)


def _scope(purpose: str, resource: str, subject: Subject) -> Scope:
    image = get_setting(subject.layer, "Code.ImageUri")  # which is not uploaded
    return Scope(purpose, () if image else (subject.global_arn("s3", resource),))


# Of functions and of layers.
ACTIONS = (
    # Without ListBucket, S3 says 403 of an object that does not exist. Lambda reads the archive
    # with the caller's permissions.
    need("s3:ListBucket", tasks=("deploy",), on=_on_bucket, settings=("bucket",)),
    need(
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:PutObject",
        tasks=("deploy",),
        on=_on_archives,
        settings=("bucket",),
    ),
)
