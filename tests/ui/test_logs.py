"""Log records of invoke and of the libraries that send credentials show no secret."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tasks_aws.secret import Secret
from tasks_aws.ui.logs import keep_secrets_out_of_logs
from tests.strict_sts import Key, Role, StrictSts
from tests.support import Project

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
TOKEN = "FwoGZXIvYXdzEBYaDkdZbWV0ZXJzLi4uLi4uLi4uLi4uLi4u+/=="
CODE = "492039"


@pytest.fixture(autouse=True)
def _masking() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    keep_secrets_out_of_logs()
    yield
    logging.setLogRecordFactory(before)


def logged(caplog: pytest.LogCaptureFixture, name: str, *args: Any, **options: Any) -> str:
    """Log something on a logger that is switched on only now; return all that a handler shows."""
    with caplog.at_level(logging.DEBUG, logger=name):
        logging.getLogger(name).debug(*args, **options)
    return caplog.text.strip()


class Request:
    method = "GET"
    url = f"https://alice:hunter2@signin.aws.amazon.com/federation?Session={KEY}"


class Unreadable:
    @property
    def method(self) -> str:
        raise ValueError(KEY)


PARAMETERS = {
    "method": "POST",
    "body": {"Action": "AssumeRole", "TokenCode": CODE, "WebIdentityToken": TOKEN},
    "headers": {"X-Amz-Security-Token": TOKEN, "Content-Type": "text/xml"},
    "context": {"retries": True, "signing": [{"key": KEY}]},
}
RECORDS: list[tuple[str, tuple[Any, ...], str]] = [
    # Whatever came from or goes to AWS.
    ("botocore.parsers", ("Response body:\n%r", f"<SessionToken>{TOKEN}".encode()), "'***'"),
    ("botocore.parsers", ("Response body:\n%s", f"<a>\n<SecretAccessKey>{KEY}"), "***"),
    ("botocore.parsers", ("Response body: %s", f'{{"x": "{KEY}"}}'), "Response body: ***"),
    (
        "botocore.parsers",
        ("Response headers: %r", {"Set-Cookie": TOKEN, "x-amzn-RequestId": "6c-7f"}),
        "{'Set-Cookie': '***', 'x-amzn-RequestId': '6c-7f'}",
    ),
    (
        "botocore.endpoint",
        ("Making request for %s with params: %s", "AssumeRole", PARAMETERS),
        "AssumeRole with params: {'method': 'POST', 'body': {'Action': 'AssumeRole', "
        "'TokenCode': '***', 'WebIdentityToken': '***'}, 'headers': {'X-Amz-Security-Token': "
        "'***', 'Content-Type': 'text/xml'}, 'context': {'retries': True, 'signing': '***'}}",
    ),
    (
        "botocore.endpoint",
        ("Sending http request: %s", Request()),
        "GET https://***@signin.aws.amazon.com/federation?***",
    ),
    ("botocore.auth", ("Signature:\n%s", "5d672d79c15b13162d9279b0855cfba6" * 2), "***"),
    ("botocore.auth", ("CanonicalRequest:\n%s", f"GET\n/\nx:{TOKEN}"), "***"),
    ("botocore.a.module.of.tomorrow", ("Loaded %s", Secret("hunter2")), "Loaded ***"),
    ("botocore.hooks", ("calling handler %s", partial(print, KEY)), "calling handler partial"),
    ("boto3.resources.action", ("Response: %r", [{"Value": KEY}]), "[{'Value': '***'}]"),
    ("s3transfer.tasks", (f"Executing with kwargs {{'SSECustomerKey': '{KEY}'}}",), "***"),
    ("urllib3.connectionpool", ('"%s %s"', "GET", f"/x?Session={KEY}&a=b"), '"GET /x?***"'),
    ("urllib3.util.retry", (f"X-Amz-Security-Token: {TOKEN}, next",), "Token: ***, next"),
    ("urllib3", ("Authorization=%s", f"AWS4 Credential=a, Signature={TOKEN}"), "Signature=***"),
    ("botocore", ("%s", Unreadable()), "***"),
    # What users look for.
    ("botocore.hooks", ("Event %s", "before-call.sts.AssumeRole"), "before-call.sts.AssumeRole"),
    ("botocore.loaders", ("Loading JSON file: %s", p := "/a/b3/python3.11/botocore/data/sts"), p),
    (
        "botocore.retryhandler",
        ("sleeping for %.2f seconds, %d of %d", 1.5, 2, 5),
        "1.50 seconds, 2",
    ),
    ("botocore.regions", ("Region %(region)s", {"region": "eu-west-1"}), "Region eu-west-1"),
]


@pytest.mark.parametrize(("name", "args", "shown"), RECORDS, ids=lambda value: str(value)[:40])
def test_a_record_shows_what_cannot_be_a_secret(
    caplog: pytest.LogCaptureFixture, name: str, args: tuple[Any, ...], shown: str
) -> None:
    text = logged(caplog, name, *args)

    assert shown in text
    assert not [each for each in (KEY, TOKEN, CODE, "hunter2") if each[:12] in text]


def test_a_traceback_shows_where_and_no_value(caplog: pytest.LogCaptureFixture) -> None:
    try:
        try:
            raise OSError(f"Max retries exceeded with url: /federation?Session={KEY}")
        except OSError as error:
            raise ValueError(f"body:\n{TOKEN}") from error
    except ValueError:
        text = logged(caplog, "botocore.httpsession", "It failed.", exc_info=True)

    assert "OSError: Max retries exceeded with url: /federation?***" in text
    assert "ValueError: ***" in text
    assert "test_logs.py" in text


def test_other_loggers_are_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    assert "{'a': 'b'}" in logged(caplog, "mine", "%s", {"a": "b"})
    assert logging.makeLogRecord({"msg": "x"}).getMessage() == "x"


def test_an_mfa_code_is_masked_in_the_log_of_invoke(caplog: pytest.LogCaptureFixture) -> None:
    text = logged(caplog, "invoke", "argv: %r", ["--mfa-code", "123 456", "12345678"])

    assert text.endswith("argv: ['--mfa-code', '******', '12345678']")


def test_a_factory_that_is_set_later_is_called_and_masked(caplog: pytest.LogCaptureFixture) -> None:
    class Record(logging.LogRecord):
        """That of another library."""

    logging.setLogRecordFactory(Record)
    keep_secrets_out_of_logs()
    keep_secrets_out_of_logs()

    text = logged(caplog, "botocore", "Signature: %s", KEY)

    assert isinstance(caplog.records[-1], Record)
    assert "Signature: ***" in text


SWITCHED_ON = """
import logging.config
from invoke import task
from tasks_aws import *

@task
def stream(c, name):
    import boto3
    boto3.set_stream_logger(name)

@task
def levels(c):
    names = ["botocore.parsers", "botocore.endpoint", "botocore.auth", "urllib3.connectionpool"]
    logging.config.dictConfig({
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"all": {"class": "logging.StreamHandler"}},
        "loggers": {name: {"level": "DEBUG", "handlers": ["all"]} for name in names},
    })

@task
def calls(c):
    import boto3
    boto3.client("sts").get_caller_identity()
    session(c).client("sts").get_caller_identity()
"""


@pytest.mark.parametrize("words", [["stream", "botocore"], ["stream", ""], ["levels"]])
def test_loggers_that_a_task_switches_on_show_requests_and_no_secret(
    project: Project, sts: StrictSts, user: Key, words: list[str]
) -> None:
    device, role = sts.device(), sts.role("Guarded", mfa=True)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial)
    project.tasks(SWITCHED_ON)

    result = project.run(*words, "assume", "--mfa-code", device.code(), "calls", "calls")

    assert "Making request for OperationModel(name=AssumeRole)" in result.err
    assert f"Sending http request: POST {sts.url}/" in result.err
    assert "Response body:\n" in result.err


def test_the_session_in_the_url_of_the_console_is_not_logged(
    project: Project, sts: StrictSts, role: Role
) -> None:
    project.tasks(SWITCHED_ON)

    result = project.run("stream", "urllib3", "assume", "console", code=1)

    assert '"GET /federation?*** HTTP/1.1"' in result.err


def test_the_import_of_a_library_is_not_needed(project: Project) -> None:
    program = "import sys, tasks_aws; print({'boto3', 'botocore', 'urllib3'} & {*sys.modules})"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout == "set()\n"
