"""Errors of Lambda, and of S3, SSM and the others that a deploy calls, explained to users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ..errors import FunctionError
from ..sdk.connections import UNREACHABLE
from ..ui.aws_errors import ErrorText, explain
from .denials import denial_in
from .parameters import Parameters
from .retry import ALREADY_EXISTS, CONFLICT, FAILED_AT_CREATION, NOT_READY, STALE_REVISION

_OTHER_REGION = "The bucket is in another region than the function."
_MOVE_BUCKET = "Set `bucket` to a bucket in the function's region; each target can have its own."

# Codes and messages as AWS sends them. The first row that matches counts.
_ERRORS = (
    ErrorText(
        code="AccessDenied.*",
        message="no session policy allows",
        fix="Allow {action} in `aws.policy` or `aws.policy_arns`, or run this without "
        "`assume --read-only`: they narrow what the role may do.",
    ),
    ErrorText(
        code="AccessDenied.*",
        message="explicit deny|no (service control|resource control|VPC endpoint) policy allows"
        "|no permissions boundary allows",
        fix="{narrowed}Change the policy that AWS names: whatever else allows {action}, that one "
        "refuses it.",
    ),
    ErrorText(
        code="AccessDenied.*",
        message="perform:? iam:(Get|List)",  # only `policy --check` reads from IAM
        fix="{narrowed}Assume another role that may use {action}, with `assume --role-arn ARN` "
        "before `policy`: the role that deploys does not need it. Or name a file with the "
        "policies.",
    ),
    ErrorText(
        code="AccessDenied.*",
        fix="{narrowed}Allow the role that deploys to use {action}.{explanation}",
    ),
    ErrorText(
        code="ParameterNotFound|ParameterVersionNotFound|ResourceNotFoundException|ValidationError",
        operation="GetParameter|GetSecretValue|DescribeStacks",
        why="It does not exist in this account and region: {message}",
        fix="Correct the name, or create it first.",
    ),
    ErrorText(
        code="NoSuchEntity",  # of IAM
        why="It does not exist in this account: {message}",
        fix="Correct the name, or create it first.",
    ),
    ErrorText(
        code="403|Forbidden",
        operation="HeadObject",  # the response has no body, and so no error code
        why="S3 denied access, which is also its answer for an object that does not exist.",
        fix="{narrowed}Allow the role that deploys s3:GetObject and s3:PutObject on the bucket's "
        "objects, and s3:ListBucket on the bucket. A bucket of another account needs "
        "`bucket_owner`.{explanation}",
    ),
    ErrorText(
        code="301|PermanentRedirect",
        why=_OTHER_REGION,
        fix=_MOVE_BUCKET,
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="S3 Error Code: PermanentRedirect",
        why=_OTHER_REGION,
        fix=_MOVE_BUCKET,
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="S3 Error Code",
        fix="Check `bucket`, and that the role that deploys may read from it.",
    ),
    ErrorText(
        code="NoSuchBucket|404",
        why="The bucket does not exist: {message}",
        fix="Set `bucket` to an existing one.",
    ),
    ErrorText(
        code=STALE_REVISION.code,
        why="The function has changed since it was read: by another deploy, or in the console.",
        fix="Run this again, or with --force to overwrite that change.",
    ),
    ErrorText(
        code=FAILED_AT_CREATION.code,
        message=FAILED_AT_CREATION.message,
        why="It failed at its creation: {message}",
        fix="Delete it with `destroy`, then deploy again.",
    ),
    ErrorText(
        code=CONFLICT,
        message="in progress|in the following state",
        why="Another change has not ended{waited}: {message}",
        fix="Wait until it has ended, then run this again.",
    ),
    ErrorText(
        code=NOT_READY.code,
        why="The function is not ready{waited}: {message}",
        fix="See its state with `status`, and run this again when it is Active.",
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="cannot be assumed|valid principal",
        fix="Let the role in `Role` trust lambda.amazonaws.com. If it is new, wait a minute and "
        "run this again.",
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="does not have permissions to call .*EC2",
        fix="Attach the policy AWSLambdaVPCAccessExecutionRole to the role in `Role`.",
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="does not have permissions to call|ensure the role can perform",
        fix="Allow these actions for the role in `Role`. If it is new, wait a minute and run this "
        "again.",
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="replicated function",
        why="CloudFront still has replicas of it: {message}",
        fix="Remove it from all distributions, and run this again some hours later.",
    ),
    ErrorText(
        code="InvalidParameterValueException|RequestEntityTooLargeException",
        message="Unzipped size|combined with layers",
        fix="Leave files out with `exclude`, or remove dependencies from the requirements; layers "
        "count, too.",
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="4KB limit",  # AWS's message goes on with the values themselves
        why="The environment variables are larger than 4 KB.",
        fix="Shorten them, or keep long values in SSM or Secrets Manager.",
    ),
    ErrorText(
        code="RequestEntityTooLargeException|InvalidParameterValueException|413",
        message="must be smaller than|Entity Too Large",
        fix="Set `bucket`, so that the archive goes through S3, or leave files out with `exclude`.",
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="Could not unzip|non-empty zip",
        fix="Run `clean` and deploy again.",
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="ImageUri when updating",
        fix="A function's package type cannot change: `destroy` it, or set another FunctionName.",
    ),
    ErrorText(
        code="InvalidParameterValueException",
        message="no longer supported",
        fix="Set `Runtime` to a newer version.",
    ),
    ErrorText(
        code="CodeStorageExceededException",
        fix="Delete old versions with `prune`, and set `keep_versions`.",
    ),
    ErrorText(
        code="CodeVerificationFailedException|InvalidCodeSignatureException|CodeSigningConfig.*",
        fix="Sign the archive with a profile that `CodeSigningConfigArn` trusts.",
    ),
    ErrorText(
        code="PublicPolicyException",
        why="The account blocks public access to functions: {message}",
        fix="Set AuthType to AWS_IAM, or allow public access in the account.",
    ),
    ErrorText(
        code="ExpiredToken.*|InvalidClientTokenId|UnrecognizedClientException",
        why="The credentials are no longer valid: {message}",
        fix="Run this again with `assume --fresh` before it.",
    ),
    ErrorText(
        code="TooManyRequests.*|Throttling.*|SlowDown",
        why="AWS is throttling requests{attempts}: {message}",
        fix="Run this again later.",
    ),
    ErrorText(
        code="ServiceException|ServiceUnavailable.*|InternalFailure|Internal(Server)?Error|5\\d\\d",
        why="AWS has an internal error{attempts}: {message}",
        fix="Run this again later.",
    ),
    ErrorText(
        code="ResourceNotFoundException",
        operation="Schedule",
        why="EventBridge Scheduler says: {message}",
        fix="Create the schedule group first, or correct `GroupName`.",
    ),
    ErrorText(
        code="ResourceNotFoundException",
        operation="^Invoke",
        message=r":function:[^:\s]+:(\d+|\$LATEST\.PUBLISHED)\b",
        fix="Name a version that is published with --qualifier, or leave it out.",
    ),
    ErrorText(
        code="ResourceNotFoundException",
        operation="^Invoke",
        message=r":function:[^:\s]+:\w",
        fix="Deploy it first, or name an alias that it has with --qualifier.",
    ),
    ErrorText(code="ResourceNotFoundException", fix="Deploy it first, or correct its name."),
    ErrorText(
        code=ALREADY_EXISTS.code,
        message=ALREADY_EXISTS.message,
        why="It exists already, but cannot be read yet: {message}",
        fix="Run this again in a minute.",
    ),
    ErrorText(
        code=f"{CONFLICT}|OperationAborted.*|409",
        why="Something else is changing the same resource: {message}",
        fix="Run this again.",
    ),
    ErrorText(code=".*", why="{code}: {message}"),
)

# What to do about the reason codes of a function's State and LastUpdateStatus.
_REASON_CODES = {
    "EniLimitExceeded": "Raise the VPC's quota of network interfaces.",
    "SubnetOutOfIPAddresses": "Set `VpcConfig.SubnetIds` to subnets with free addresses.",
    "InvalidSubnet": "Correct `VpcConfig.SubnetIds`.",
    "InvalidSecurityGroup": "Correct `VpcConfig.SecurityGroupIds`.",
    "InsufficientRolePermissions": "Give the role in `Role` the missing permissions.",
    "ImageAccessDenied": "Let Lambda pull the image: check the repository's policy.",
    "ImageDeleted": "Push the image again, or set `Code.ImageUri` to another one.",
    "InvalidImage": "Build the image for Lambda and the function's architecture.",
    "KMSKeyAccessDenied": "Let the role in `Role` use the key `KMSKeyArn`.",
    "DisabledKMSKey": "Enable the key `KMSKeyArn`.",
    "InvalidZipFileException": "Run `clean` and deploy again.",
}


@contextmanager
def translating(name: str, doing: str, *, who: str = "Lambda") -> Iterator[None]:
    """Turn botocore's errors into a `FunctionError`: "Lambda could not create hello."."""
    what = f"{who} could not {doing} {name}."
    try:
        yield
    except ClientError as error:
        denied = denial_in(error.response)._asdict()
        raise explain(error, _ERRORS, FunctionError, what=what, **denied) from error
    except UNREACHABLE as error:
        raise FunctionError(
            what,
            why=str(error),
            fix="Check the network, the proxy, the region and AWS_ENDPOINT_URL, then run this "
            "again.",
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise FunctionError(what, why=str(error)) from error


def has_failed_at_creation(configuration: Mapping[str, Any]) -> bool:
    """Return whether a function has never worked, and Lambda refuses to update it.

    One whose image is gone fails later, too: it has worked before, and another image mends it.
    """
    gone = ("ImageAccessDenied", "ImageDeleted")
    return (
        configuration.get("State") == "Failed"
        and configuration.get("Version", "$LATEST") == "$LATEST"
        and configuration.get("StateReasonCode") not in gone
    )


def explain_failed_state(parameters: Parameters, configuration: Mapping[str, Any]) -> FunctionError:
    """Return the error for what failed after Lambda accepted it.

    That is the creation of a function, an update of it, or the start of a version.
    """
    state = "State" if configuration.get("State") == "Failed" else "LastUpdateStatus"
    code = configuration.get(f"{state}ReasonCode", "")
    reason = configuration.get(f"{state}Reason") or "Lambda gives no reason."
    name, version = parameters.name, configuration.get("Version", "$LATEST")
    doing, rest = "start", "run this again."
    if has_failed_at_creation(configuration):
        doing = "create"
        rest = (
            f"delete it with `destroy --function {parameters.function.name}` and deploy again: "
            "Lambda does not update a function that failed at its creation."
        )
    elif version != "$LATEST":
        name = f"{name}, version {version}"
        rest += " The alias was not moved." if parameters.function.alias else ""
    elif state == "LastUpdateStatus":
        doing, rest = "update", f"{rest} Until then, the previous code serves."
    hint = _REASON_CODES.get(code)
    return FunctionError(
        f"Lambda could not {doing} {name}.",
        why=f"{code}: {reason}" if code else reason,
        fix=f"{hint} Then {rest}" if hint else rest[:1].upper() + rest[1:],
    )
