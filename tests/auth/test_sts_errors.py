"""What STS refuses is told in plain sentences, with what to do."""

from __future__ import annotations

import pytest

from tests.strict_sts import RefusalError, Role, StrictSts
from tests.support import Project

DENIED = "AccessDenied"
ROLE = "AWS does not let these credentials obtain the role"
TABLE = [
    (DENIED, "with invalid MFA one time pass code.", "AWS refused the MFA code"),
    (DENIED, "unable to validate MFA code.", "AWS does not know the MFA device"),
    (DENIED, "User: x is not authorized to perform: sts:AssumeRole", ROLE),
    ("AccessDeniedException", "no", ROLE),
    ("ValidationError", "DurationSeconds exceeds the MaxSessionDuration", "may not last as long"),
    ("ValidationError", "DurationSeconds exceeds the 1 hour session limit", "may not last as long"),
    ("ValidationError", "1 validation error detected", "AWS refused to give the role"),
    ("PackedPolicyTooLarge", "120%", "The session policies and tags are too large"),
    ("MalformedPolicyDocument", "Syntax error", "AWS cannot read the session policy"),
    ("RegionDisabledException", "no", "STS is not activated in this region"),
    ("ExpiredToken", "expired", "starts from have expired"),
    ("ExpiredTokenException", "expired", "starts from have expired"),
    ("RequestExpired", "expired", "starts from have expired"),
    ("InvalidIdentityToken", "Incorrect token audience", "does not accept the web identity token"),
    ("InvalidClientTokenId", "invalid", "AWS does not know the access key"),
    ("SignatureDoesNotMatch", "Signature not yet current", "This computer's clock is"),
    ("SignatureDoesNotMatch", "does not match", "AWS refuses the signature"),
    ("Throttling", "Rate exceeded", "Run it again later"),
    ("ServiceUnavailable", "Please try again", "Run it again later"),
    ("SomethingNew", "of tomorrow", "AWS refused to give the role"),
]


@pytest.mark.parametrize(("code", "text", "says"), TABLE)
def test_a_refusal_is_a_sentence(
    project: Project, sts: StrictSts, role: Role, code: str, text: str, says: str
) -> None:
    sts.refuse = RefusalError(403, code, text)

    result = project.run("assume", "noop", code=1)

    assert says in result.err
    assert "fix: " in result.err
    assert "Traceback" not in result.err
    assert "noop ran" not in result.out


def test_get_session_token_with_a_session(project: Project, sts: StrictSts) -> None:
    key = sts.user_key()
    project.profile(
        "p", aws_access_key_id=key.id, aws_secret_access_key=key.secret, region="eu-west-1"
    )
    sts.refuse = RefusalError(403, DENIED, "Cannot call GetSessionToken with session credentials")

    message = project.run("assume", "--profile", "p", code=1).err

    assert "A session of profile p cannot be made from credentials that are temporary" in message
