"""Secrets of the process are masked in all that it shows, however they are written there."""

from __future__ import annotations

import base64
import html
import json
import logging
import traceback
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from botocore.exceptions import ClientError, ParamValidationError
from hypothesis import assume, given
from hypothesis import strategies as st

from tasks_aws import FunctionError
from tasks_aws.aws_lambda.error_messages import translating
from tasks_aws.text.masking import join_secret, keep_secret, without_secrets
from tasks_aws.ui.output import print_diff, print_table, say, track
from tests.taint import TAINT, _traces

PASSWORD = 'Tr0ub4dor&3 "quo\\ted"/<ünïcode>\''
LONG = "q7Zr/" + "xK+4vB9=mW" * 6


@pytest.fixture(autouse=True)
def _kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process have these secrets, and no other test have those of these tests."""
    monkeypatch.setattr("tasks_aws.text.masking._KEPT", set())
    for secret in (PASSWORD, LONG):
        TAINT.collect(keep_secret(secret))


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in a URL": lambda text: f"postgres://app:{quote(text, safe='')}@db/app",
    "in a query": quote_plus,
    "in JSON": json.dumps,
    "in JSON in JSON": lambda text: json.dumps({"body": json.dumps({"password": text})}),
    "in JSON of others": lambda text: json.dumps(text, ensure_ascii=False).replace("/", "\\/"),
    "repr": lambda text: repr({"password": text}),
    "repr of bytes": lambda text: repr(text.encode()),
    "HTML": html.escape,
    "hex": lambda text: text.encode().hex(),
    "Basic authorization": lambda text: base64.b64encode(f"app:{text}".encode()).decode(),
    "base64 in a URL": lambda text: base64.urlsafe_b64encode(f"to:{text}".encode()).decode(),
}


@pytest.mark.parametrize("secret", [PASSWORD, LONG], ids=["short", "long"])
@pytest.mark.parametrize("way", WRITTEN)
def test_a_secret_is_masked_in_every_way_it_may_be_written(way: str, secret: str) -> None:
    shown = without_secrets(f"The value {WRITTEN[way](secret)} is refused")

    assert "***" in shown
    assert shown.startswith("The value ")
    assert shown.endswith(" is refused")
    traces = [(how, trace) for how, trace in _traces(secret) if trace in shown.encode()]
    assert not traces


@given(secret=st.text(min_size=6), way=st.sampled_from(sorted(WRITTEN)))
def test_any_secret_is_masked(secret: str, way: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks_aws.text.masking._KEPT", set())
        kept = keep_secret(secret)
        assume(len(secret.strip()) >= 6)

        assert kept.strip() not in without_secrets(f"The value {WRITTEN[way](secret)} is refused")


@pytest.mark.parametrize("piece", [LONG[:20], LONG[-20:], LONG[:12], LONG[-12:], LONG[:-1]])
def test_what_is_left_of_a_secret_that_was_cut_is_masked(piece: str) -> None:
    assert without_secrets(f"Value '{piece}… failed") == "Value '***… failed"


def test_what_only_starts_or_ends_like_a_secret_is_shown() -> None:
    keep_secret("arn:aws:iam::123456789012:role/reader-of-all")

    other = "arn:aws:iam::123456789012:role/hello is no writer-of-all"
    assert without_secrets(other) == other


def test_the_lines_of_a_secret_and_its_values_in_json_are_masked() -> None:
    keep_secret("-----BEGIN KEY-----\nfirst/line+of\nsecond/line+of\n")
    keep_secret(json.dumps({"engine": {"password": "deep-in-it"}, "pin": 4711_0815, "on": True}))

    shown = without_secrets("first/line+of, second/line+of, deep-in-it, 47110815, true")

    assert shown == "***, ***, ***, ***, true"


def test_a_secret_that_contains_another_one_is_masked_as_a_whole() -> None:
    keep_secret("shared-start-of-two")
    keep_secret("shared-start-of-two-and-more")

    assert without_secrets("a shared-start-of-two-and-more b") == "a *** b"


def test_a_short_secret_is_masked_with_the_text_around_it_and_spares_other_words() -> None:
    joined = join_secret(["Bearer ", keep_secret("true")])

    assert without_secrets("'Bearer true' is true") == "'***' is true"
    assert repr(joined) == "'***'"


def refusal(message: str) -> ClientError:
    error = {"Code": "InvalidParameterValueException", "Message": message}
    return ClientError({"Error": error}, "UpdateFunctionConfiguration")  # type: ignore[typeddict-item]


def test_a_message_of_aws_is_masked_before_it_is_cut() -> None:
    message = f"{'x' * 480}{LONG}"

    with pytest.raises(FunctionError) as caught, translating("hello", "update"):
        raise refusal(message)

    assert caught.value.why.endswith("***")


@pytest.mark.parametrize(
    "cause",
    [
        refusal(f"Value {json.dumps(PASSWORD)} at 'x' failed"),
        ParamValidationError(report=f"Invalid length for x, value: {PASSWORD}"),
        json.JSONDecodeError(f"not {PASSWORD}", PASSWORD, 0),
    ],
    ids=["refusal", "validation", "JSON"],
)
def test_the_cause_of_an_error_is_masked_for_tracebacks_and_logs(
    cause: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    try:
        with translating("hello", "update"):
            raise cause
    except FunctionError as error:
        logging.exception("The deploy failed")
        shown = "".join(traceback.format_exception(error))

    for text in (caplog.text, shown, repr(vars(cause))):
        assert "***" in text
        assert PASSWORD not in text
        assert json.dumps(PASSWORD) not in text
    assert type(cause).__name__ in shown


def test_every_line_that_is_printed_is_masked(capsys: pytest.CaptureFixture[str]) -> None:
    say("event", f"has {PASSWORD}")
    print_diff([f"+ Description  {PASSWORD}"])
    print_table(("name",), [(PASSWORD,)])
    print_table(("name",), [(PASSWORD,)], result=True)
    with track("event", PASSWORD) as line:
        line.result = PASSWORD

    shown = "".join(capsys.readouterr())
    assert shown.count("***") == 6
    assert PASSWORD not in shown
