"""How archives get to Lambda: directly, or through S3."""

from __future__ import annotations

import base64
import os
from math import inf
from pathlib import Path
from typing import Any

import pytest

from tests.aws_lambda.describe import CODE, describe, write_source
from tests.conftest import EmbeddedAws
from tests.packaging.support import make_zip
from tests.proxy import Handler, Proxy, Rule
from tests.support import Project

BUCKET = "artifacts-of-tests"


@pytest.fixture(autouse=True)
def _large(project: Project, aws: EmbeddedAws) -> None:
    """A function of nine megabytes, which do not compress."""
    write_source(project)
    (project.folder / "src" / "large.bin").write_bytes(os.urandom(9 << 20))


@pytest.fixture
def s3(aws: EmbeddedAws) -> Any:
    client = aws.client("s3")
    client.create_bucket(Bucket=BUCKET)
    return client


def uploads(proxy: Proxy) -> list[str]:
    return [line for line in proxy.requests if BUCKET in line and not line.startswith("HEAD")]


def test_a_large_archive_goes_through_s3_under_its_own_digest(
    project: Project, aws: EmbeddedAws, s3: Any, proxy: Proxy
) -> None:
    describe(project, role="everything", bucket=BUCKET, key_prefix="lambda/")

    result = project.run("deploy")

    sha256 = aws.functions().get_function(FunctionName="hello")["Configuration"]["CodeSha256"]
    key = f"lambda/{base64.b64decode(sha256).hex()}.zip"
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == [key]
    assert f"to s3://{BUCKET}/{key}" in result.err
    assert any("partNumber=2" in line for line in uploads(proxy))


def test_what_is_in_s3_already_is_not_uploaded_again(
    project: Project, aws: EmbeddedAws, s3: Any, proxy: Proxy
) -> None:
    describe(project, role="everything", bucket=BUCKET)
    project.run("deploy")
    aws.functions().delete_function(FunctionName="hello")
    proxy.requests.clear()

    project.run("deploy")

    assert uploads(proxy) == []
    assert aws.functions().get_function(FunctionName="hello")


def test_of_a_versioned_bucket_the_version_is_named(
    project: Project, s3: Any, proxy: Proxy
) -> None:
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    describe(project, role="everything", bucket=BUCKET)

    assert project.run("deploy").code == 0


KEY = "arn:aws:kms:us-east-1:000000000000:key/one"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ({"SourceKMSKeyArn": KEY}, {"SourceKMSKeyArn": KEY}),
        ({"S3ObjectStorageMode": "REFERENCE"}, {"ResolvedS3Object": {"S3Bucket": BUCKET}}),
    ],
    ids=["key", "reference"],
)
def test_how_the_code_is_stored_can_change_later(
    project: Project, aws: EmbeddedAws, s3: Any, code: dict[str, str], found: dict[str, Any]
) -> None:
    (project.folder / "src" / "large.bin").unlink()
    describe(project, role="everything", bucket=BUCKET, alias="live")
    project.run("deploy")
    describe(project, role="everything", bucket=BUCKET, alias="live", Code=code)

    planned = project.run("plan")
    project.run("deploy")

    assert "plan      hello  update Code, alias live" in planned.err
    stored: Any = aws.functions().get_function(FunctionName="hello")["Code"]
    for key, value in found.items():
        assert stored[key] == value or value.items() <= stored[key].items()
    assert "hello  unchanged" in project.run("plan", "--exit-code").err


def test_the_bucket_may_belong_to_another_account(project: Project, s3: Any, proxy: Proxy) -> None:
    owners: set[str | None] = set()

    def look(handler: Handler) -> bool:
        owners.add(handler.headers.get("x-amz-expected-bucket-owner"))
        handler.headers.replace_header("x-amz-expected-bucket-owner", "000000000000")
        return False

    proxy.rules.append(Rule(f"/{BUCKET}/", look, float("inf")))
    describe(project, role="everything", bucket=BUCKET, bucket_owner="210987654321")

    project.run("deploy", code=None)

    assert owners == {"210987654321"}


def test_the_key_of_the_code_stays_if_no_setting_names_it(
    project: Project, aws: EmbeddedAws, s3: Any
) -> None:
    (project.folder / "src" / "large.bin").unlink()
    describe(project, role="everything", Code={"SourceKMSKeyArn": KEY})
    project.run("deploy")
    describe(project, role="everything")
    (project.folder / "src" / "new.py").write_text("")

    project.run("deploy")

    stored: Any = aws.functions().get_function(FunctionName="hello")["Code"]
    assert stored["SourceKMSKeyArn"] == KEY
    assert f"SourceKMSKeyArn: {KEY}" in project.run("init").out


def test_a_small_archive_goes_directly(project: Project, s3: Any, proxy: Proxy) -> None:
    (project.folder / "src" / "large.bin").unlink()
    describe(project, role="everything", bucket=BUCKET)

    project.run("deploy")

    assert not any(BUCKET in line for line in proxy.requests)


def test_above_the_direct_limit_a_bucket_is_needed(project: Project, aws: EmbeddedAws) -> None:
    (project.folder / "src" / "large.bin").write_bytes(os.urandom(51 << 20))
    describe(project, role="everything")

    result = project.run("deploy", code=1)

    assert "Lambda's limit for a direct upload is 50 MiB (52.4 MB)." in result.err
    assert "Set `aws.bucket`" in result.err
    assert aws.functions().list_functions()["Functions"] == []


def test_a_bucket_that_is_not_there_is_named(project: Project, aws: EmbeddedAws) -> None:
    describe(project, role="everything", bucket="no-such-bucket-here")

    result = project.run("deploy", code=1)

    assert "The bucket does not exist" in result.err
    assert "Traceback" not in result.err


def test_what_s3_refuses_is_refused_before_anything_has_changed(
    project: Project, aws: EmbeddedAws
) -> None:
    (project.folder / "src" / "large.bin").write_bytes(b"small")
    describe(project, role="everything")
    project.run("deploy")
    (project.folder / "src" / "large.bin").write_bytes(os.urandom(9 << 20))
    describe(project, role="everything", bucket="no-such-bucket-here", MemorySize=512)

    project.run("deploy", code=1)

    found = aws.functions().get_function(FunctionName="hello")["Configuration"]
    assert found["MemorySize"] == 256


def test_a_session_that_has_ended_is_told_from_a_bucket_elsewhere(
    project: Project, s3: Any, proxy: Proxy
) -> None:
    describe(project, role="everything", bucket=BUCKET)
    message = "The provided token has expired."
    body = f"<Error><Code>ExpiredToken</Code><Message>{message}</Message></Error>".encode()
    proxy.replace(f"^HEAD .*{BUCKET}", lambda _: (400, {}, b""), times=inf)
    proxy.replace(f"^GET .*{BUCKET}", lambda _: (400, {}, body), times=inf)

    result = project.run("deploy", code=1)

    assert f"The credentials are no longer valid: {message}" in result.err
    assert "assume --fresh" in result.err


def test_a_bar_shows_how_far_it_is(project: Project, s3: Any, proxy: Proxy) -> None:
    describe(project, role="everything", bucket=BUCKET)
    proxy.delay = 0.3
    terminal = project.terminal("deploy")

    terminal.expect(r"━+ +\d+ %")

    assert "create    hello" in project.finish(terminal)


def test_the_archive_may_be_made_by_others(
    project: Project, aws: EmbeddedAws, tmp_path: Path
) -> None:

    make_zip(project.folder / "made.zip", {"app.py": CODE})
    describe(project, role="everything", source=None, archive="made.zip")

    assert '"stage": "test"' in project.run("deploy", "invoke").out
