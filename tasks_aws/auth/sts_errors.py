"""What STS and botocore answer when they refuse, in sentences that say what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from ..errors import CredentialsError, TasksAwsError
from ..ui.output import format_duration


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: str  # patterns for the error's code and message
    message: str
    what: str
    why: str
    fix: str

    def error(self, **words: str | None) -> CredentialsError:
        """Return the error with its words filled in."""
        what = self.what.format(**words)
        return CredentialsError(
            what[:1].upper() + what[1:], why=self.why.format(**words), fix=self.fix.format(**words)
        )


_EXPIRED = _Refusal(
    "ExpiredToken|ExpiredTokenException|RequestExpired",
    "",
    "The credentials that {subject} starts from have expired.",
    "They were temporary, and their time is over.",
    "Renew them: sign in again, or remove stale AWS_* variables and profiles.",
)
# Codes and texts as seen in AWS's answers. The first row that matches counts.
_REFUSALS = (
    _Refusal(
        "AccessDenied",
        "invalid MFA one time pass code",
        "AWS refused the MFA code for {serial}.",
        "It was mistyped, is too old, or was already used.",
        "Wait for the next code and run it again; check the clock of the MFA device.",
    ),
    _Refusal(
        "AccessDenied",
        "unable to validate MFA code|verify your MFA serial number",
        "AWS does not know the MFA device {serial} for this user.",
        "The serial number is wrong, or the device belongs to another user.",
        "Set `mfa_serial` to the device's ARN; it contains `:mfa/`, not `:user/`.",
    ),
    _Refusal(
        "AccessDenied",
        "Cannot call GetSessionToken with session credentials",
        "{subject} cannot be made from credentials that are temporary already.",
        "GetSessionToken needs long-lived keys.",
        "Use the temporary credentials as they are, or name a role.",
    ),
    _Refusal(
        "AccessDenied.*",
        "",
        "AWS does not let these credentials obtain {subject}.",
        "The caller has no permission for it, the role's trust policy does not name the caller, "
        "the trust policy demands MFA, or the external ID is missing or wrong.",
        "Check the trust policy, `aws.mfa_serial`, `aws.external_id` and the role's name. "
        "AWS said: {message}",
    ),
    _EXPIRED,
    _Refusal(
        "InvalidIdentityToken|IDPRejectedClaim",
        "",
        "AWS does not accept the web identity token of {subject}.",
        "{message}",
        "Check the token's audience, the identity provider in IAM and the role's trust policy; "
        "the file has to hold the token and nothing else, not even a line break.",
    ),
    _Refusal(
        "InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId",
        "",
        "AWS does not know the access key that {subject} starts from.",
        "The key is wrong, deleted or inactive, or a stale session token goes with it.",
        "Check AWS_* variables that are still set, and the profile's keys.",
    ),
    _Refusal(
        "SignatureDoesNotMatch|InvalidSignatureException",
        "Signature expired|not yet current",
        "This computer's clock {offset}.",
        "AWS refuses requests that were signed more than five minutes off: {message}",
        "Set the clock, then run it again.",
    ),
    _Refusal(
        "SignatureDoesNotMatch|InvalidSignatureException",
        "",
        "AWS refuses the signature of the keys that {subject} starts from.",
        "The secret access key does not belong to the access key ID.",
        "Correct the profile's keys or the AWS_* variables.",
    ),
    _Refusal(
        "PackedPolicyTooLarge",
        "",
        "The session policies and tags are too large for {subject}.",
        "{message}",
        "Shorten `aws.policy`, `aws.policy_arns` or `aws.session_tags`.",
    ),
    _Refusal(
        "MalformedPolicyDocument",
        "",
        "AWS cannot read the session policy for {subject}.",
        "{message}",
        "Correct `aws.policy`.",
    ),
    _Refusal(
        "RegionDisabledException",
        "",
        "STS is not activated in this region for the account of {subject}.",
        "{message}",
        "Choose another region, or let an administrator activate it.",
    ),
    _Refusal(
        "ValidationError",
        "DurationSeconds exceeds",
        "{subject} may not last as long as was asked.",
        "{message}",
        "Set a shorter `aws.duration_seconds`.",
    ),
    _Refusal(
        "Throttling.*|TooManyRequests.*|RequestLimitExceeded",
        "",
        "AWS did not get to {subject}.",
        "It asks for fewer requests, and still does after several tries: {message}",
        "Run it again later.",
    ),
    _Refusal(
        "InternalFailure|InternalError|ServiceUnavailable.*|5\\d\\d",
        "",
        "AWS did not get to {subject}.",
        "It has a problem of its own, and still has it after several tries: {message}",
        "Run it again later.",
    ),
)


def code_refused(error: Exception) -> bool:
    """Tell whether it is the MFA code that was refused, so that another one may help."""
    return _matches(error, _REFUSALS[0].code, _REFUSALS[0].message)


def duration_refused(error: Exception) -> bool:
    """Tell whether the role's own maximum is shorter than the duration that was asked."""
    return _matches(error, "ValidationError", "DurationSeconds exceeds")


def translate(error: Exception, *, subject: str, serial: str | None = None) -> TasksAwsError:
    """Return the sentence for an error of botocore; raise it ``from`` that error.

    `subject` is what was asked for: a role's ARN or words for another session.
    """
    if isinstance(error, ClientError):
        return _translate_answer(error, subject, serial)
    if isinstance(error, NoCredentialsError):
        return no_credentials()
    if isinstance(error, SSOError | TokenRetrievalError):
        login = f"aws sso login --{subject}" if subject.startswith("profile ") else "aws sso login"
        return CredentialsError(
            f"The single sign-on of {subject} has ended, or was never made.",
            why=str(error),
            fix=f"Run `{login}`, then run this again.",
        )
    if isinstance(error, BotocoreConnectionError | HTTPClientError):
        return CredentialsError(
            f"AWS cannot be reached to obtain {subject}.",
            why=str(error),
            fix="Check the network, the proxy, the region and AWS_ENDPOINT_URL.",
        )
    return CredentialsError(
        f"Credentials could not be obtained for {subject}.",
        why=str(error),
        fix="Correct what it names; `aws sts get-caller-identity` shows the same error.",
    )


def expired(subject: str) -> CredentialsError:
    """Return the error for source credentials whose time is known to be over."""
    return _EXPIRED.error(subject=subject)


def no_credentials() -> CredentialsError:
    """Return the error for a command line that starts with no credentials at all."""
    return CredentialsError(
        "No AWS credentials were found.",
        why="Neither `aws.profile` nor `aws.role_arn` says where to start, and AWS's own chain "
        "(environment, default profile, container, instance) has none.",
        fix="Set `aws.profile` in invoke.yaml or pass --profile; "
        "to use a role, also set `aws.role_arn` or pass --role-arn.",
    )


def _translate_answer(error: ClientError, subject: str, serial: str | None) -> TasksAwsError:
    message = error.response.get("Error", {}).get("Message", "")
    words = {"subject": subject, "serial": serial, "message": message, "offset": _offset(error)}
    for row in _REFUSALS:
        if _matches(error, row.code, row.message):
            return row.error(**words)
    code = error.response.get("Error", {}).get("Code", "unknown error")
    return CredentialsError(
        f"AWS refused to give {subject}: {code}.", why=message, fix="Correct what it names."
    )


def _offset(error: ClientError) -> str:
    """Say how far the clock is off, by the Date header of AWS's answer."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        theirs = parsedate_to_datetime(headers["date"])
    except (KeyError, TypeError, ValueError):
        return "differs from that of AWS"
    ahead = (datetime.now(timezone.utc) - theirs).total_seconds()
    return f"is {format_duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} that of AWS"


def _matches(error: Exception, code: str, message: str) -> bool:
    if not isinstance(error, ClientError):
        return False
    answer = error.response.get("Error", {})
    return bool(
        re.fullmatch(code, answer.get("Code", "")) and re.search(message, answer.get("Message", ""))
    )


# ValueError is what botocore makes of variables that it cannot read, such as AWS_ENDPOINT_URL;
# OSError of a program or a token file that is not there.
BOTOCORE_ERRORS = (BotoCoreError, ClientError, ValueError, OSError)
