"""What STS refuses is told in plain sentences, with what to do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from email.utils import formatdate

import pytest

from tests.proxy import Answer, Proxy
from tests.strict_sts import RefusalError, Role, StrictSts
from tests.support import Project

DENIED = "AccessDenied"
ROLE = "AWS does not let these credentials obtain the role"
UNKNOWN = "AWS refused the request for the role"
TABLE = [
    (DENIED, "with invalid MFA one time pass code.", "AWS refused the MFA code"),
    (DENIED, "unable to validate MFA code.", "AWS does not know the MFA device"),
    (DENIED, "User: x is not authorized to perform: sts:AssumeRole", ROLE),
    ("AccessDeniedException", "no", ROLE),
    ("ValidationError", "DurationSeconds exceeds the MaxSessionDuration", "cannot last as long"),
    ("ValidationError", "DurationSeconds exceeds the 1 hour session limit", "cannot last as long"),
    ("ValidationError", "1 validation error detected", UNKNOWN),
    ("PackedPolicyTooLarge", "120%", "The session policies and tags are too large"),
    ("MalformedPolicyDocument", "Syntax error", "AWS cannot read the session policy"),
    ("RegionDisabledException", "no", "STS is not active in this region"),
    ("ExpiredToken", "expired", "The source credentials for"),
    ("ExpiredTokenException", "expired", "The source credentials for"),
    ("RequestExpired", "expired", "The source credentials for"),
    ("InvalidIdentityToken", "Incorrect token audience", "does not accept the web identity token"),
    ("InvalidClientTokenId", "invalid", "AWS does not know the access key"),
    ("SignatureDoesNotMatch", "Signature not yet current", "This computer's clock is"),
    ("SignatureDoesNotMatch", "does not match", "AWS rejects the signature"),
    ("Throttling", "Rate exceeded", "Run this again later"),
    ("ServiceUnavailable", "Please try again", "Run this again later"),
    ("SomethingNew", "of tomorrow", UNKNOWN),
]


@pytest.mark.parametrize(("code", "text", "says"), TABLE)
def test_a_refusal_is_a_sentence(
    project: Project, sts: StrictSts, role: Role, code: str, text: str, says: str
) -> None:
    sts.refuse = RefusalError(403, code, text)

    result = project.run("assume", "noop", code=1)

    assert says in result.err
    assert ("fix: " in result.err) is (says != UNKNOWN)
    assert "Traceback" not in result.err
    assert "noop ran" not in result.out


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("<ErrorResponse><Error/></ErrorResponse>", "does not come from AWS"),
        ("<ErrorResponse><Error>no</Error></ErrorResponse>", "does not come from AWS"),
        ("<ErrorResponse/>", "AWS refused the request for the role {role}: unknown error."),
        (
            "<E><Error><Code/><Message>no</Message></Error></E>",
            "AWS refused the request for the role {role}: unknown error.\n  why: no\n",
        ),
        (
            "<E><Error><Code>Some\nthing</Code></Error></E>",
            "AWS refused the request for the role {role}: Some thing.",
        ),
        ("", "does not come from AWS"),
    ],
)
def test_a_refusal_of_another_form_is_a_sentence_too(
    project: Project, sts: StrictSts, role: Role, body: str, says: str
) -> None:
    with Proxy(sts.url) as proxy:
        proxy.replace("^POST", lambda _: (403, {"Content-Type": "text/xml"}, body.encode()))

        result = project.run("assume", code=1, environ={"AWS_ENDPOINT_URL": proxy.url})

    assert says.format(role=role.arn) in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(
    ("date", "says"),
    [
        # Of the form "… -0000".
        (lambda: formatdate(time.time() - 5400), "clock is 1 h 30 min ahead of that of AWS."),
        (lambda: "Wed, 01 Jan 99999999999 00:00:00 GMT", "This computer's clock may be off."),
    ],
)
def test_a_date_of_another_form_tells_of_the_clock_if_it_can(
    project: Project, sts: StrictSts, role: Role, date: Callable[[], str], says: str
) -> None:
    sts.skew = 900
    with Proxy(sts.url) as proxy:

        def dated(answer: Answer | None) -> Answer:
            assert answer
            return answer[0], {**answer[1], "date": date()}, answer[2]

        proxy.replace("^POST", dated, ask=True)

        result = project.run("assume", code=1, environ={"AWS_ENDPOINT_URL": proxy.url})

    assert says in result.err
    assert "Traceback" not in result.err


@pytest.mark.parametrize(("attempts", "words"), [("1", ""), ("2", " (2 attempts)")])
@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (400, "Throttling", "AWS is throttling requests"),
        (503, "ServiceUnavailable", "AWS has an internal error"),
    ],
)
def test_attempts_are_counted_as_they_were_made(
    project: Project,
    sts: StrictSts,
    role: Role,
    status: int,
    code: str,
    says: str,
    attempts: str,
    words: str,
) -> None:
    sts.refuse = RefusalError(status, code, "sorry")

    result = project.run("assume", code=1, environ={"AWS_MAX_ATTEMPTS": attempts})

    assert f"AWS could not process the request for the role {role.arn}." in result.err
    assert f"why: {says}{words}: sorry\n" in result.err
    assert sts.count("AssumeRole") == int(attempts)


def test_get_session_token_with_a_session(project: Project, sts: StrictSts) -> None:
    key = sts.user_key()
    project.profile(
        "p", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region="eu-west-1"
    )
    sts.refuse = RefusalError(403, DENIED, "Cannot call GetSessionToken with session credentials")

    message = project.run("assume", "--profile", "p", code=1).err

    assert "A session of profile p cannot be obtained with temporary credentials" in message


@pytest.mark.parametrize("own_serial", [False, True])
def test_an_mfa_serial_in_the_source_profile_only_is_named(
    project: Project, sts: StrictSts, own_serial: bool
) -> None:
    key, device, role = sts.user_key(), sts.device(), sts.role("Guarded", mfa=True)
    base = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
    project.profile("base", **base, mfa_serial=device.serial, region="eu-west-1")
    own = {"mfa_serial": device.serial} if own_serial else {}
    project.profile("deploy", role_arn=role.arn, source_profile="base", region="eu-west-1", **own)

    if own_serial:
        project.run("assume", "--profile", "deploy", "--mfa-code", device.code())
        return
    message = project.run("assume", "--profile", "deploy", code=1).err

    assert f"AWS does not let these credentials obtain the role {role.arn}." in message
    assert "mfa_serial is set in [profile base], but not in [profile deploy]" in message
    assert "set `aws.mfa_serial`, or put mfa_serial in [profile deploy] as well" in message


def test_an_mfa_serial_deep_in_a_chain_is_named_for_the_role_that_lacks_it(
    project: Project, sts: StrictSts
) -> None:
    key, device, role = sts.user_key(), sts.device(), sts.role("First", mfa=True)
    base = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret}
    project.profile("base", **base, mfa_serial=device.serial)
    project.profile("first", role_arn=role.arn, source_profile="base")
    second = sts.role("Second").arn
    project.profile("second", role_arn=second, source_profile="first", region="eu-west-1")

    message = project.run("assume", "--profile", "second", code=1).err

    assert f"obtain the role {role.arn}." in message
    assert "mfa_serial is set in [profile base], but not in [profile first]" in message


@pytest.mark.parametrize(
    "proxy",
    [
        "http://al:s3cret@127.0.0.1:1",
        "socks5://al:s3cret@127.0.0.1:1",
        "http://al:s3cret@127.0.0.1:port",
        "http://al:s3/cret@127.0.0.1:1",
        "al:s3cret@127.0.0.1:1",
    ],
)
@pytest.mark.parametrize("words", [["assume"], ["-d", "console"]], ids=" ".join)
def test_the_password_of_a_proxy_is_never_shown(
    project: Project, sts: StrictSts, role: Role, proxy: str, words: list[str]
) -> None:
    if words[-1] == "console":
        project.run("assume")
    environ = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), proxy)

    result = project.run(*words, code=1, environ={**environ, "AWS_MAX_ATTEMPTS": "1"})

    shown = result.out + result.err
    assert "annot be reached" in shown or "Cannot reach" in shown
    assert not re.search("al:s3|s3cret|cret@", shown)


GITHUB = {"CI": "true", "GITHUB_ACTIONS": "true"}
GITHUB_TOKEN = {"ACTIONS_ID_TOKEN_REQUEST_URL": "http://x", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x"}
NO_PERMISSION = ("ACTIONS_ID_TOKEN_REQUEST_URL is not set", "`permissions: {id-token: write,")
NO_TOKEN_FILE = ("AWS_WEB_IDENTITY_TOKEN_FILE is not set", "AWS_ACCESS_KEY_ID")
ROLE_ARN = "arn:aws:iam::123456789012:role/Ci"


@pytest.mark.parametrize(
    ("environ", "settings", "says"),
    [
        (GITHUB, {}, NO_PERMISSION),
        ({**GITHUB, "AWS_ROLE_ARN": ROLE_ARN}, {}, NO_PERMISSION),
        (GITHUB, {"role_arn": ROLE_ARN}, NO_PERMISSION),
        ({**GITHUB, **GITHUB_TOKEN}, {}, ("no role is named", "Name the role")),
        ({"CI": "1"}, {}, NO_TOKEN_FILE),
        ({"CI": "1", "AWS_ROLE_ARN": ROLE_ARN}, {}, NO_TOKEN_FILE),
        ({"CI": "1"}, {"role_arn": ROLE_ARN}, NO_TOKEN_FILE),
    ],
)
def test_a_ci_job_without_credentials_is_told_how_it_gets_some(
    project: Project,
    sts: StrictSts,
    environ: dict[str, str],
    settings: dict[str, str],
    says: tuple[str, str],
) -> None:
    project.settings(region="eu-central-1", **settings)

    err = project.run("assume", code=1, environ=environ).err

    assert all(each in err for each in (*says, "the role in AWS_ROLE_ARN or `aws.role_arn`"))
    assert "profile`" not in err  # which no CI system has
    assert sts.calls == []
