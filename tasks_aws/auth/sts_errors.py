"""Errors of STS and botocore, explained to users."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import botocore.exceptions
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from ..errors import CredentialsError, TasksAwsError
from ..sdk.connections import UNREACHABLE
from ..text import as_typed
from ..text.terminal import is_ci
from ..ui.aws_errors import ErrorText, explain
from ..ui.output import format_duration
from .aws_config import AwsConfig, profile_header
from .environment import environment_before_assume
from .identity import Origin, StsSession
from .resolve import GITHUB_TOKEN
from .values import Credentials, in_utc


class SignInEndedError(CredentialsError):
    """A sign-in has ended, or there was none."""

    @classmethod
    def of(cls, profile: str, *, why: str, command: str, fix: str = "") -> SignInEndedError:
        """Return the error for the sign-in of a profile, which a command of the AWS CLI renews."""
        return cls(
            f"The sign-in of profile {profile} has expired or is missing.",
            why=why,
            fix=fix
            or f"Run `{as_typed.command('login')} --profile {profile}` in a terminal, or "
            f"`{command} --profile {profile}`; then run this again.",
        )


SSO_LOGIN = "aws sso login"  # signs in to IAM Identity Center
AWS_LOGIN = "aws login"  # signs in with the user of the web console

# Only botocore 1.41 and later have them.
_LOGIN_ERROR: Any = getattr(botocore.exceptions, "LoginError", ())
_LOGIN_NOT_PERMITTED: Any = getattr(botocore.exceptions, "LoginInsufficientPermissions", ())


_MFA_CODE = ErrorText(
    code="AccessDenied",
    message="invalid MFA one time pass code",
    what="AWS refused the MFA code for {serial}.",
    why="It was mistyped, is too old, or was already used, perhaps by another run: each code works "
    "only once.",
    fix="Wait for the next code and run this again; check the clock of the MFA device.",
)
_DURATION = ErrorText(
    code="ValidationError",
    message="DurationSeconds exceeds",
    what="{subject} cannot last as long as requested.",
    fix="Set a shorter `aws.duration_seconds`.",
)
_WITHOUT_MFA = ErrorText(
    code="AccessDenied.*",
    what="AWS does not let these credentials obtain {subject}.",
    why="mfa_serial is set in {with_serial}, but not in {without_serial}, whose role this is: no "
    "MFA code was asked for. AWS says: {message}",
    fix="If the role demands MFA, set `aws.mfa_serial`, or put mfa_serial in {without_serial} as "
    "well. Otherwise check the trust policy, `aws.external_id` and the role's name.",
)
_EXPIRED = "The source credentials for {subject} have expired."
_RENEW = "Sign in again, or remove stale AWS_* variables and profiles."
_CHECK_WHO_ANSWERS = "Check the proxy and AWS_ENDPOINT_URL, then run this again."
_RESPONSE_SECONDS = 60  # within which a response arrives
_NOT_PROCESSED = "AWS could not process the request for {subject}."

# Codes and messages as AWS sends them. The first row that matches counts.
_ERRORS = (
    _MFA_CODE,
    _DURATION,
    ErrorText(
        code="AccessDenied",
        message="unable to validate MFA code|verify your MFA serial number",
        what="AWS does not know the MFA device {serial} for this user.",
        why="The serial number is wrong, or the device belongs to another user.",
        fix="Set `aws.mfa_serial` to the device's ARN; it contains `:mfa/`, not `:user/`.",
    ),
    ErrorText(
        code="AccessDenied",
        message="Cannot call GetSessionToken with session credentials",
        what="{subject} cannot be obtained with temporary credentials.",
        why="GetSessionToken requires a long-term access key.",
        fix="Use the temporary credentials as they are, or set `aws.role_arn`.",
    ),
    ErrorText(
        code="AccessDenied.*",
        what="AWS does not let these credentials obtain {subject}.",
        why="{message} (The caller lacks the permission, the role's trust policy does not name the "
        "caller or demands MFA, or the external ID is missing or wrong.)",
        fix="Check the trust policy, `aws.mfa_serial`, `aws.external_id` and the role's name.",
    ),
    ErrorText(
        code="ForbiddenException|ResourceNotFoundException",
        operation="GetRoleCredentials",
        what="There is no access to {permission_set}.",
        why="{subject} names them, and this sign-in has no such assignment. IAM Identity Center "
        "says: {message}",
        fix="Correct sso_role_name and sso_account_id, or have an administrator assign it. "
        "`aws configure sso` lists what there is.",
    ),
    ErrorText(
        code="ExpiredToken|ExpiredTokenException|RequestExpired",
        what=_EXPIRED,
        why="",
        fix=_RENEW,
    ),
    ErrorText(
        code="InvalidIdentityToken|IDPRejectedClaim",
        what="AWS does not accept the web identity token of {subject}.",
        fix="Check the token's audience, the identity provider in IAM and the role's trust policy; "
        "the file must contain the token and nothing else, not even a line break.",
    ),
    ErrorText(
        code="InvalidClientTokenId|UnrecognizedClientException|InvalidAccessKeyId",
        what="AWS does not know the access key used for {subject}.",
        why="The key is wrong, deleted or inactive, or comes with a stale session token.",
        fix="Check the AWS_* variables that are set, and the profile's keys.",
    ),
    ErrorText(
        code="SignatureDoesNotMatch|InvalidSignatureException",
        message="Signature expired|not yet current",
        what="This computer's clock {offset}.",
        why="AWS rejects requests that were signed more than five minutes off: {message}",
        fix="Correct the clock, then run this again.",
    ),
    ErrorText(
        code="SignatureDoesNotMatch|InvalidSignatureException",
        what="AWS rejects the signature of the keys used for {subject}.",
        why="The secret access key does not belong to the access key ID.",
        fix="Correct the profile's keys or the AWS_* variables.",
    ),
    ErrorText(
        code="PackedPolicyTooLarge",
        what="The session policies and tags are too large for {subject}.",
        fix="Shorten `aws.policy`, `aws.policy_arns` or `aws.session_tags`.",
    ),
    ErrorText(
        code="MalformedPolicyDocument",
        what="AWS cannot read the session policy for {subject}.",
        fix="Correct `aws.policy`.",
    ),
    ErrorText(
        code="RegionDisabledException",
        what="STS is not active in this region for the account of {subject}.",
        fix="Choose another region, or have an administrator activate it.",
    ),
    ErrorText(
        code="Throttling.*|TooManyRequests.*|RequestLimitExceeded",
        what=_NOT_PROCESSED,
        why="AWS is throttling requests{attempts}: {message}",
        fix="Run this again later.",
    ),
    ErrorText(
        code="InternalFailure|InternalError|InternalServer.*|ServiceUnavailable.*|5\\d\\d",
        what=_NOT_PROCESSED,
        why="AWS has an internal error{attempts}: {message}",
        fix="Run this again later.",
    ),
    ErrorText(code=".*", what="AWS refused the request for {subject}: {code}."),
)


def code_refused(error: Exception) -> bool:
    """Return whether AWS refused the MFA code, so that another code may help."""
    return isinstance(error, ClientError) and _MFA_CODE.matches(error)


def duration_refused(error: Exception) -> bool:
    """Return whether the requested duration exceeds the role's own maximum."""
    return isinstance(error, ClientError) and _DURATION.matches(error)


def unused_mfa_serial(wanted: StsSession, profile: str, config: AwsConfig) -> dict[str, str] | None:
    """Return the headers of the profiles with and without the mfa_serial that a role may need.

    Only that of the role's own profile is used, by botocore, too; often it is only in the source's.
    """
    source = wanted.source.profile if isinstance(wanted.source, Origin) else None
    if wanted.mfa_serial or not source or "mfa_serial" not in config.profiles[source]:
        return None
    while following := config.profiles.get(profile, {}).get("source_profile"):
        if following == source:
            return {
                "with_serial": profile_header(source),
                "without_serial": profile_header(profile),
            }
        profile = following
    return None


def translate(
    error: Exception,
    *,
    subject: str,
    serial: str | None = None,
    permission_set: str | None = None,
    unused_mfa_serial: Mapping[str, str] | None = None,
) -> TasksAwsError:
    """Return the error that users see; raise it ``from`` botocore's.

    `subject` is what was requested: a role's ARN or words for another session.
    """
    if isinstance(error, ClientError):
        words = {
            "subject": subject,
            "serial": serial,
            "permission_set": permission_set,
            "offset": _offset(error.response),
        }
        if unused_mfa_serial and _WITHOUT_MFA.matches(error):
            return explain(error, [_WITHOUT_MFA], CredentialsError, **words, **unused_mfa_serial)
        return explain(error, _ERRORS, CredentialsError, **words)
    if isinstance(error, NoCredentialsError):
        return no_credentials()
    if isinstance(error, SSOError | TokenRetrievalError):
        profile = subject.removeprefix("profile ")
        return SignInEndedError.of(profile, why=str(error), command=SSO_LOGIN)
    if isinstance(error, _LOGIN_NOT_PERMITTED):
        return CredentialsError(
            f"AWS does not let the user of {subject} have credentials by `{AWS_LOGIN}`.",
            why="The permission signin:CreateOAuth2Token is missing.",
            fix="Have an administrator attach the managed policy SignInLocalDevelopmentAccess.",
        )
    if isinstance(error, _LOGIN_ERROR):
        profile = subject.removeprefix("profile ")
        return SignInEndedError.of(profile, why=str(error), command=AWS_LOGIN)
    if isinstance(error, UNREACHABLE):
        return CredentialsError(
            f"AWS cannot be reached to obtain {subject}.",
            why=str(error),
            fix="Check the network, the proxy, the region and AWS_ENDPOINT_URL.",
        )
    return CredentialsError(
        f"Credentials could not be obtained for {subject}.",
        why=str(error),
        fix="Run `aws sts get-caller-identity` with the same profile to see what the AWS CLI says.",
    )


def expired(subject: str) -> CredentialsError:
    """Return the error for source credentials that are known to have expired."""
    return CredentialsError(
        _EXPIRED.format(subject=subject),
        why="This computer's clock says so; it may be ahead.",
        fix=_RENEW,
    )


def unusable(subject: str, problem: str) -> CredentialsError:
    """Return the error for an answer of STS that lacks what every answer of AWS has."""
    return CredentialsError(
        f"The response for {subject} cannot be used: {problem}.",
        why="AWS sends no such answer: a proxy or another service may have sent it.",
        fix=_CHECK_WHO_ANSWERS,
    )


def ended(subject: str, session: Credentials, answer: Mapping[str, Any]) -> CredentialsError:
    """Return the error for a session that had already ended when STS gave it."""
    ahead = _seconds_ahead(answer)
    clock_is_right = ahead is not None and ahead < _RESPONSE_SECONDS
    return CredentialsError(
        f"AWS gave a session for {subject} that ended "
        f"{format_duration(-session.seconds_left())} ago.",
        why="" if clock_is_right else f"This computer's clock {_offset(answer)}.",
        fix=_CHECK_WHO_ANSWERS if clock_is_right else "Correct the clock, then run this again.",
    )


def no_credentials() -> CredentialsError:
    """Return the error for a command line without any credentials to start from."""
    why, fix = _how_to_start(environment_before_assume())
    return CredentialsError(
        "No AWS credentials were found.",
        why=f"{why}, and the default credential chain (environment, default profile, container, "
        "instance) has none.",
        fix=fix,
    )


def _how_to_start(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return what is missing where this runs, and what to do: CI has no profiles."""
    if environ.get("GITHUB_ACTIONS") == "true":
        if all(environ.get(name) for name in GITHUB_TOKEN):
            return (
                "GitHub gives this job a token, but no role is named for it",
                "Name the role in AWS_ROLE_ARN or `aws.role_arn`.",
            )
        return (
            f"This job may not ask GitHub for a token ({GITHUB_TOKEN[0]} is not set)",
            "Add `permissions: {id-token: write, contents: read}` to the workflow, so that the job "
            "can assume the role in AWS_ROLE_ARN or `aws.role_arn`.",
        )
    if is_ci():
        return (
            "AWS_WEB_IDENTITY_TOKEN_FILE is not set",
            "Write the OpenID Connect token of the job into a file, and name the file in "
            "AWS_WEB_IDENTITY_TOKEN_FILE and the role in AWS_ROLE_ARN or `aws.role_arn`. Or set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the secrets of the CI system.",
        )
    return (
        "`aws.profile` is not set",
        f"Set `aws.profile` in {as_typed.settings_file()}, or run "
        f"`{as_typed.command('assume --profile')}`; "
        "to use a role, also set `aws.role_arn` or pass --role-arn.",
    )


def _seconds_ahead(response: Mapping[str, Any]) -> float | None:
    """Return how far the clock is ahead, by the Date header of AWS's response if it has one."""
    headers = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        theirs = in_utc(parsedate_to_datetime(headers["date"]))
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    return (datetime.now(timezone.utc) - theirs).total_seconds()


def _offset(response: Mapping[str, Any]) -> str:
    """Return how far the clock is off, in words."""
    ahead = _seconds_ahead(response)
    if ahead is None:
        return "may be off"
    return f"is {format_duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} that of AWS"


# ValueError: a variable that botocore cannot read, such as AWS_ENDPOINT_URL; OSError: a program
# or a token file that does not exist.
BOTOCORE_ERRORS = (BotoCoreError, ClientError, ValueError, OSError)
