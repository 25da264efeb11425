"""How an archive gets to Lambda: in the request itself, or through S3."""

from __future__ import annotations

import base64
from typing import Any

from botocore.exceptions import ClientError

from ..config.functions import Layer
from ..packaging.archive import Archive
from ..ui.aws_errors import error_code
from ..ui.output import format_size, say
from ..ui.progress import ProgressLine
from .clients import Account, Kind
from .plan import Plan

# A request holds the archive in base64, several times over in memory; below this size that is
# still faster than a second client.
_THROUGH_S3_BYTES = 8 << 20
_PART_BYTES = 8 << 20
_QUICKLY_SENT_BYTES = 1 << 20
_PARTS_AT_ONCE = 4


def uploader(archive: Archive | None, account: Account) -> Any:
    """Return the Lambda client for a request with an archive in it, which may take long to send."""
    large = archive is not None and archive.size > _QUICKLY_SENT_BYTES
    return account.client("lambda", Kind.UPLOAD if large else Kind.CALLS)


def code_of(plan: Plan, account: Account, progress: ProgressLine) -> dict[str, Any]:
    """Return the parameters that say where the code is, uploaded to S3 if that is the way.

    An image's is among the function's own parameters.
    """
    if plan.archive is None:
        return {}
    return content_of(plan.parameters.function, plan.archive, account, progress)


def content_of(
    function: Layer, archive: Archive, account: Account, progress: ProgressLine
) -> dict[str, Any]:
    """Return an archive as `Code` and `Content` take it."""
    if function.bucket is None or archive.size < _THROUGH_S3_BYTES:
        return {"ZipFile": archive.path.read_bytes()}
    return _in_s3(function.bucket, function.key_prefix or "", archive, account, progress)


def _in_s3(
    bucket: str, prefix: str, archive: Archive, account: Account, progress: ProgressLine
) -> dict[str, Any]:
    """Return the place of an archive in S3, uploaded unless it is there already.

    Its key is its own SHA-256, so an upload that was made before, by whomever, is used again.
    """
    client = account.client("s3")
    owner = {"ExpectedBucketOwner": account.account_id}
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    where = {"Bucket": bucket, "Key": f"{folder}{base64.b64decode(archive.code_sha256).hex()}.zip"}
    found = _head(client, where, owner)
    if found is None:
        _upload(client, archive, where, owner, progress)
        found = _head(client, where, owner) or {}
        say("upload", f"{format_size(archive.size)} to s3://{bucket}/{where['Key']}")
    version = found.get("VersionId")
    return {
        "S3Bucket": where["Bucket"],
        "S3Key": where["Key"],
        **({"S3ObjectVersion": version} if version and version != "null" else {}),
    }


def _upload(
    client: Any,
    archive: Archive,
    where: dict[str, str],
    owner: dict[str, str],
    progress: ProgressLine,
) -> None:
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
    except S3UploadFailedError as error:  # which says only in words what S3 has answered
        raise error.__context__ or error from None


def _head(client: Any, where: dict[str, str], owner: dict[str, str]) -> dict[str, Any] | None:
    """Return what S3 has at a key; only its word that there is nothing means that."""
    try:
        return _described(client, {**where, **owner})
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchKey"):
            return None
        raise


def _described(client: Any, wanted: dict[str, str]) -> dict[str, Any]:
    """Return what S3 says of an object.

    To a GET it says why it refuses; a HEAD's answer has no body.
    """
    answer: dict[str, Any]
    try:
        answer = client.head_object(**wanted)
    except ClientError as error:
        if error_code(error) != "400":  # as for a session that has ended
            raise
        answer = client.get_object(**wanted, Range="bytes=0-0")
        answer["Body"].close()
    return answer
