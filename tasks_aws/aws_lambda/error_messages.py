"""What Lambda answers when it refuses, in sentences that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotocoreConnectionError

from ..errors import FunctionError
from .retry import error_code, error_message


@dataclass(frozen=True, slots=True, eq=False)
class _Refusal:
    code: str  # patterns for the error's code and message
    message: str
    why: str
    fix: str


_LONGEST = 500  # characters of an answer that are shown
_LEAVE_OUT = "Leave files out with `exclude`, or dependencies out of the requirements"

# Codes and texts as seen in AWS's answers. The first row that matches counts.
_REFUSALS = (
    _Refusal(
        "AccessDenied.*",
        "iam:PassRole",
        "{message}",
        "Allow iam:PassRole on the function's role to the role that deploys.",
    ),
    _Refusal("AccessDenied.*", "", "{message}", "Allow that action to the role that deploys."),
    _Refusal(
        "ParameterNotFound|ParameterVersionNotFound|ResourceNotFoundException|ValidationError",
        "GetParameter|GetSecretValue|DescribeStacks",
        "The account has none of that name in this region. {message}",
        "Correct the name, or create it before.",
    ),
    _Refusal(
        "403|Forbidden",
        "HeadObject",  # the answer has no body, and so no code
        "S3 forbids it; it says so of an object that is not there, too.",
        "Allow s3:GetObject and s3:PutObject on the bucket's objects and s3:ListBucket on the "
        "bucket to the role that deploys; the bucket has to be of the same account.",
    ),
    _Refusal(
        "301|PermanentRedirect",
        "HeadObject|PermanentRedirect",
        "The bucket is in another region than the function.",
        "Set `bucket` to one in the function's region; a target can overlay it.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "S3 Error Code: PermanentRedirect",
        "The bucket is in another region than the function.",
        "Set `bucket` to one in the function's region; a target can overlay it.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "S3 Error Code",
        "{message}",
        "Check `bucket`, and that the role that deploys may read from it.",
    ),
    _Refusal("NoSuchBucket|404", "", "There is no such bucket: {message}", "Correct `bucket`."),
    _Refusal(
        "PreconditionFailedException",
        "",
        "The function changed since it was read: by another deploy, or in the console.",
        "Run it again, or with --force to overwrite that change.",
    ),
    _Refusal(
        "ResourceConflictException",
        "in progress|in the following state",
        "Another change is under way, and has not ended in five minutes: {message}",
        "Wait for it to end, then run it again.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "cannot be assumed|valid principal",
        "{message}",
        "Let the role in `Role` trust lambda.amazonaws.com; if it is new, wait and run it again.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "does not have permissions to call",
        "{message}",
        "Attach the policy AWSLambdaVPCAccessExecutionRole to the role in `Role`.",
    ),
    _Refusal(
        "InvalidParameterValueException|RequestEntityTooLargeException",
        "Unzipped size|combined with layers",
        "{message}",
        f"{_LEAVE_OUT}; layers count, too.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "4KB limit",  # AWS's text goes on with the values themselves
        "The environment variables are longer than 4 KB.",
        "Shorten them, or keep long values in SSM or Secrets Manager.",
    ),
    _Refusal(
        "RequestEntityTooLargeException|InvalidParameterValueException|413",
        "must be smaller than|Entity Too Large|^413$",
        "{message}",
        f"Set `bucket`, so that the archive goes through S3. {_LEAVE_OUT}.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "Could not unzip|non-empty zip",
        "{message}",
        "Run `clean` and deploy again.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "ImageUri when updating",
        "{message}",
        "A function is of one kind for life: `destroy` it, or give another FunctionName.",
    ),
    _Refusal(
        "InvalidParameterValueException",
        "no longer supported",
        "{message}",
        "Set `Runtime` to a newer version.",
    ),
    _Refusal(
        "CodeStorageExceededException",
        "",
        "{message}",
        "Delete old versions: `invoke prune`, and `keep_versions` in the settings.",
    ),
    _Refusal(
        "CodeVerificationFailedException|InvalidCodeSignatureException|CodeSigningConfig.*",
        "",
        "{message}",
        "Sign the archive with a profile that `CodeSigningConfigArn` trusts.",
    ),
    _Refusal(
        "PublicPolicyException",
        "",
        "The account blocks public access to functions: {message}",
        "Set AuthType to AWS_IAM, or have the account allow it.",
    ),
    _Refusal(
        "ExpiredToken.*|InvalidClientTokenId|UnrecognizedClientException",
        "",
        "The credentials have ended: {message}",
        "Run it again with `assume --fresh` before it.",
    ),
    _Refusal(
        "TooManyRequests.*|Throttling.*|SlowDown",
        "",
        "AWS asks for fewer requests, and still does after several tries: {message}",
        "Run it again later.",
    ),
    _Refusal(
        "ServiceException|ServiceUnavailable.*|InternalFailure|Internal(Server)?Error|5\\d\\d",
        "",
        "AWS has a problem of its own, and still has it after several tries: {message}",
        "Run it again later.",
    ),
    _Refusal("ResourceNotFoundException", "", "{message}", "Deploy it first, or correct its name."),
)

# Reason codes of a function's State and LastUpdateStatus.
_HINTS = {
    "EniLimitExceeded": "Raise the limit of network interfaces of the VPC.",
    "SubnetOutOfIPAddresses": "Name subnets with free addresses under `VpcConfig`.",
    "InvalidSubnet": "Correct `VpcConfig.SubnetIds`.",
    "InvalidSecurityGroup": "Correct `VpcConfig.SecurityGroupIds`.",
    "InsufficientRolePermissions": "Give the role in `Role` the permissions that it names.",
    "ImageAccessDenied": "Let Lambda pull the image: see the repository's policy.",
    "ImageDeleted": "Push the image again, or name another one.",
    "InvalidImage": "Build the image for Lambda and its architecture.",
    "KMSKeyAccessDenied": "Let the role in `Role` use the key `KMSKeyArn`.",
    "DisabledKMSKey": "Enable the key `KMSKeyArn`.",
    "InvalidZipFileException": "Run `clean` and deploy again.",
}


@contextmanager
def translating(name: str, doing: str, *, who: str = "Lambda") -> Iterator[None]:
    """Turn an error of botocore into a `FunctionError` that says what could not be done."""
    what = f"{who} could not {doing} {name}."
    try:
        yield
    except ClientError as error:
        raise _from_answer(what, error) from error
    except (BotocoreConnectionError, HTTPClientError) as error:
        raise FunctionError(
            what,
            why=str(error),
            fix="Check the network, the proxy, the region and AWS_ENDPOINT_URL; then run it again.",
        ) from error
    except (BotoCoreError, ValueError) as error:
        raise FunctionError(what, why=str(error), fix="Correct what it names.") from error


def failed_state(name: str, configuration: Mapping[str, Any]) -> FunctionError:
    """Return the error for a function, or an update, that Lambda could not bring to life."""
    update = configuration.get("LastUpdateStatus") == "Failed"
    prefix = "LastUpdateStatus" if update else "State"
    code = configuration.get(f"{prefix}ReasonCode", "")
    reason = configuration.get(f"{prefix}Reason", "Lambda gives no reason.")
    return FunctionError(
        f"Lambda could not {'update' if update else 'start'} {name}.",
        why=f"{code}: {reason}" if code else reason,
        fix=f"{_HINTS.get(code, 'Correct what it names.')} Then run it again; until then the code "
        "from before serves.",
    )


def _from_answer(what: str, error: ClientError) -> FunctionError:
    code = error_code(error)
    # What answers in AWS's place, such as a proxy, may do so with a whole page.
    message = " ".join(error_message(error).split())[:_LONGEST]
    searched = f"{message} {error.operation_name}"
    for row in _REFUSALS:
        if re.fullmatch(row.code, code) and re.search(row.message, searched):
            return FunctionError(what, why=row.why.format(message=message), fix=row.fix)
    return FunctionError(what, why=f"{code}: {message}", fix="Correct what it names.")
