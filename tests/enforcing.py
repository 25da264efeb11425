"""A proxy that refuses what an IAM policy does not allow, as AWS itself would.

MiniStack takes some calls for others and knows no iam:PassRole. So it is this proxy that judges,
by the service authorization reference and by what AWS's documentation says that Lambda checks on
behalf of its caller (`IMPLIED`). It knows nothing of our own tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.session

from tests.faults.faults import service_of
from tests.local_aws import ACCOUNT, REGION, root_client
from tests.proxy import Handler, Happening, Proxy

Policy = Mapping[str, Any]
LAMBDA = f"arn:aws:lambda:{REGION}:{ACCOUNT}"
MAPPING = f"{LAMBDA}:event-source-mapping"
NAMESPACES = {"monitoring": "cloudwatch"}


class Check(NamedTuple):
    """An action on a resource, with the values of condition keys."""

    action: str
    resource: str
    context: Mapping[str, str] = {}


class Implied(NamedTuple):
    """What Lambda checks on behalf of its caller, and the page of AWS's documentation on it."""

    parameter: str  # of a request that has it
    actions: tuple[str, ...]
    resource: str  # `{}` stands for each of the parameter's values
    page: str
    operations: tuple[str, ...] = ("CreateFunction", "UpdateFunctionConfiguration")
    context: Mapping[str, str] = {}


CODE_CALLS = ("CreateFunction", "UpdateFunctionCode", "PublishLayerVersion")
GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg/"
# No emulator checks any of them.
IMPLIED = (
    Implied(
        "Role",
        ("iam:PassRole",),
        "{}",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html",
        context={"iam:PassedToService": "lambda.amazonaws.com"},
    ),
    Implied("Layers", ("lambda:GetLayerVersion",), "{}", f"{GUIDE}permissions-user-layer.html"),
    Implied(
        "Tags",
        ("lambda:TagResource",),
        f"{LAMBDA}:function:hello",
        f"{GUIDE}configuration-tags.html",
    ),
    Implied(
        "VpcConfig",
        ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"),
        "*",
        f"{GUIDE}configuration-vpc.html",
    ),
    Implied(
        "KMSKeyArn",
        ("kms:CreateGrant", "kms:Encrypt"),
        "{}",
        f"{GUIDE}configuration-envvars-encryption.html",
    ),
    Implied(
        "FileSystemConfigs",
        ("elasticfilesystem:DescribeMountTargets",),
        f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:file-system/fs-1",
        f"{GUIDE}configuration-filesystem.html",
    ),
    Implied(
        "CapacityProviderConfig",
        ("lambda:PassCapacityProvider",),
        f"{LAMBDA}:capacity-provider:mine",
        f"{GUIDE}lambda-managed-instances-security.html",
    ),
    Implied(
        "ImageUri",
        (
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            "ecr:GetRepositoryPolicy",
            "ecr:SetRepositoryPolicy",
        ),
        f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/team/hello",
        f"{GUIDE}images-create.html",
        CODE_CALLS,
    ),
    Implied(
        "SourceKMSKeyArn",
        ("kms:Decrypt", "kms:GenerateDataKey"),
        "{}",
        f"{GUIDE}encrypt-zip-package.html",
        CODE_CALLS,
    ),
    Implied(
        "S3Key",
        ("s3:GetObject",),
        "arn:aws:s3:::{S3Bucket}/{}",
        f"{GUIDE}lambda-api-permissions-ref.html",
        CODE_CALLS,
    ),
    Implied(
        "S3ObjectVersion",
        ("s3:GetObjectVersion",),
        "arn:aws:s3:::{S3Bucket}/{S3Key}",
        "https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html",
        CODE_CALLS,
    ),
    Implied(
        "KMSKeyArn",
        ("kms:Decrypt",),
        "{}",
        f"{GUIDE}invocation-eventfiltering.html",
        ("CreateEventSourceMapping", "UpdateEventSourceMapping"),
    ),
)


@dataclass
class EnforcingProxy(Proxy):
    """A proxy that has a role's policies; `used` are the actions that were needed."""

    policies: Sequence[Policy] = ()
    used: set[str] = field(default_factory=set)
    refused: list[Check] = field(default_factory=list)
    withheld: list[Check] = field(default_factory=list)  # refused, and the call succeeded
    held: dict[str, bytes] = field(default_factory=dict)  # what holds the runtimes of functions

    def happening(self, line: str) -> Happening | None:
        return self._judge

    def allows(self, check: Check) -> bool:
        """Return whether one of the statements allows something, and note that it was needed."""
        self.used.add(check.action)
        return any(
            check.action in each["Action"]
            and any(fnmatchcase(check.resource, pattern) for pattern in each["Resource"])
            and _holds(each.get("Condition", {}), check.context)
            for policy in self.policies
            for each in policy["Statement"]
        )

    def _judge(self, handler: Handler) -> bool:
        service = service_of(handler)
        if service in ("", "sts"):  # AssumeRole is the user's; GetCallerIdentity is always allowed
            return False
        for check in _find_checks(service, handler):
            if not self.allows(check):
                self.refused.append(check)
                handler.send(*_denial(check, handler))
                return True
        operation, path = _operation(handler) if service == "lambda" else ("", {})
        if operation == "GetFunction":
            self._send_function(handler)
            return True
        if operation.endswith("RuntimeManagementConfig"):  # which MiniStack has not
            name = path["FunctionName"]
            if operation.startswith("Put"):
                self.held[name] = handler.body
            held = self.held.get(name, b'{"UpdateRuntimeOn": "Auto"}')
            handler.send(200, {"Content-Type": "application/json"}, held)
            return True
        if handler.command == "HEAD" and service == "s3":
            status, headers, body = handler.forwarded()
            bucket = urlsplit(handler.path).path.split("/")[1]
            listing = Check("s3:ListBucket", f"arn:aws:s3:::{bucket}")
            if status == 404 and not self.allows(listing):
                self.refused.append(listing)
                status = 403
            handler.send(status, headers, body)
            return True
        return False

    def _send_function(self, handler: Handler) -> None:
        """Answer without what may not be read, as GetFunction does.

        "GetFunction", Lambda API reference: it returns tags only with lambda:ListTags, or else why
        it does not. "Securing Lambda environment variables", Lambda developer guide: it decrypts
        with the caller's permissions.
        """
        status, headers, body = handler.forwarded()
        answer = json.loads(body)
        configuration = answer.get("Configuration", {})
        if answer.get("Tags"):
            arn = ":".join(configuration["FunctionArn"].split(":")[:7])
            check = Check("lambda:ListTags", arn)
            if not self.allows(check):
                self.withheld.append(check)
                del answer["Tags"]
                answer["TagsError"] = _error(check)
        if (key := configuration.get("KMSKeyArn")) and "Environment" in configuration:
            check = Check("kms:Decrypt", key)
            if not self.allows(check):
                self.withheld.append(check)
                configuration["Environment"] = {"Error": _error(check)}
        handler.send(status, headers, json.dumps(answer).encode())


def _holds(
    condition: Mapping[str, Mapping[str, Sequence[str]]], context: Mapping[str, str]
) -> bool:
    return all(
        any(fnmatchcase(context.get(key, ""), pattern) for pattern in patterns)
        for keys in condition.values()
        for key, patterns in keys.items()
    )


def _message(check: Check) -> str:
    return (
        f"User: arn:aws:sts::{ACCOUNT}:assumed-role/printed/x is not authorized to perform: "
        f"{check.action} on resource: {check.resource} because no identity-based policy allows it"
    )


def _error(check: Check) -> dict[str, str]:
    return {"ErrorCode": "AccessDeniedException", "Message": _message(check)}


def _denial(check: Check, handler: Handler) -> tuple[int, dict[str, str], bytes]:
    message, code = _message(check), "AccessDeniedException"
    form = "x-www-form-urlencoded" in handler.headers.get("Content-Type", "")
    if form or service_of(handler) == "s3":
        text = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
        wrapped = text if service_of(handler) == "s3" else f"<ErrorResponse>{text}</ErrorResponse>"
        body = b"" if handler.command == "HEAD" else wrapped.encode()
        return 403, {"Content-Type": "text/xml"}, body
    body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
    return 403, {"x-amzn-ErrorType": code, "Content-Type": "application/json"}, body


def _find_checks(service: str, handler: Handler) -> Iterator[Check]:
    if service == "lambda":
        yield from _lambda_checks(handler)
    elif service == "s3":
        yield _s3_check(handler)
    elif service == "scheduler":
        yield from _scheduler_checks(handler)
    else:
        action = f"{NAMESPACES.get(service, service)}:{_named_operation(handler)}"
        yield Check(action, _resource(action, handler))


def _named_operation(handler: Handler) -> str:
    target = handler.headers.get("X-Amz-Target", "")
    named = re.search(rb"(?:^|&)Action=(\w+)", handler.body)
    return named[1].decode() if named else (target or handler.path).split(".")[-1].split("/")[-1]


def _resource(action: str, handler: Handler) -> str:
    place = f"{REGION}:{ACCOUNT}"
    if action == "cloudformation:DescribeStacks":
        name = parse_qs(handler.body.decode())["StackName"][0]
        return f"arn:aws:cloudformation:{place}:stack/{name}/4c0ffee0"
    if action == "cloudwatch:GetMetricStatistics":
        return "*"
    body = json.loads(handler.body)
    if action == "ssm:GetParameter":
        return f"arn:aws:ssm:{place}:parameter/{body['Name'].lstrip('/')}"
    if action == "secretsmanager:GetSecretValue":
        return f"arn:aws:secretsmanager:{place}:secret:{body['SecretId']}-AbCdEf"
    if action == "logs:DescribeLogGroups":
        return "*"
    if action == "ecr:BatchGetImage":
        return f"arn:aws:ecr:{place}:repository/{body['repositoryName']}"
    return f"arn:aws:logs:{place}:log-group:{body['logGroupName']}:*"


def _s3_check(handler: Handler) -> Check:
    parts = urlsplit(handler.path)
    names = {"HEAD": "GetObject", "GET": "GetObject", "DELETE": "AbortMultipartUpload"}
    action = f"s3:{names.get(handler.command, 'PutObject')}"
    return Check(action, f"arn:aws:s3:::{unquote(parts.path).lstrip('/')}")


def _scheduler_checks(handler: Handler) -> Iterator[Check]:
    operation, uri = _operation(handler, "scheduler")
    query, body = parse_qs(urlsplit(handler.path).query), json.loads(handler.body or "{}")
    group = body.get("GroupName") or query.get("groupName", ["default"])[0]
    schedule = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/{group}/{uri.get('Name')}"
    listing = operation == "ListSchedules"
    yield Check(f"scheduler:{operation}", "*" if listing else schedule)
    if target := body.get("Target"):
        to_scheduler = {"iam:PassedToService": "scheduler.amazonaws.com"}
        yield Check("iam:PassRole", target["RoleArn"], to_scheduler)


def _lambda_checks(handler: Handler) -> Iterator[Check]:
    operation, uri = _operation(handler)
    query = {key: values[0] for key, values in parse_qs(urlsplit(handler.path).query).items()}
    body = json.loads(handler.body) if handler.body[:1] == b"{" else {}
    if operation == "Invoke":
        body = {}
    action = "lambda:" + {"Invoke": "InvokeFunction"}.get(operation, operation)
    name = uri.get("FunctionName") or body.get("FunctionName")
    function = f"{LAMBDA}:function:{name}"
    if "EventSourceMapping" in operation:
        client = root_client(handler.server_proxy.upstream, "lambda")
        yield from _mapping_checks(action, uri, body, function, client)
    elif "LayerName" in uri:
        listed = "*" if operation == "ListLayerVersions" else f"{LAMBDA}:layer:{uri['LayerName']}"
        yield Check(action, ":".join([listed, *filter(None, [uri.get("VersionNumber")])]))
    elif "Resource" in uri:
        yield Check(action, uri["Resource"])
    else:
        yield Check(action, ":".join([function, *filter(None, [query.get("Qualifier")])]))
    yield from _implied_checks(operation, body)


def _mapping_checks(
    action: str, uri: Mapping[str, str], body: Mapping[str, Any], function: str, client: Any
) -> Iterator[Check]:
    if action.endswith("Mappings"):
        yield Check(action, "*")
        return
    if "UUID" not in uri:
        yield Check(action, "*", {"lambda:FunctionArn": function})
        if body.get("Tags"):
            yield Check("lambda:TagResource", f"{MAPPING}:new")
        return
    mappings = client.list_event_source_mappings()["EventSourceMappings"]
    arn = next((each["FunctionArn"] for each in mappings if each["UUID"] == uri["UUID"]), function)
    yield Check(action, f"{MAPPING}:{uri['UUID']}", {"lambda:FunctionArn": arn})


def _implied_checks(operation: str, body: Mapping[str, Any]) -> Iterator[Check]:
    """Yield what Lambda checks on behalf of its caller."""
    values = {**body, **body.get("Code", {}), **body.get("Content", {})}
    for implied in IMPLIED:
        given = values.get(implied.parameter)
        if operation in implied.operations and given:
            for value in given if implied.parameter == "Layers" else [given]:
                resource = implied.resource.format(value, **values)
                for action in implied.actions:
                    yield Check(action, resource, implied.context)


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Return method, path and name of a service's operations, the most specific first."""
    model = botocore.session.get_session().get_service_model(service)
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        pattern = re.sub(r"\{(\w+)\+?\}", r"(?P<\1>[^/]+)", http["requestUri"].split("?")[0])
        found.append((http["method"], re.compile(pattern.rstrip("/") + "/?"), name))
    return sorted(found, key=lambda each: -len(re.sub(r"\(.*?\)", "", each[1].pattern)))


def _operation(handler: Handler, service: str = "lambda") -> tuple[str, dict[str, str]]:
    """Return the name of a request's operation and the parameters in its path."""
    path = urlsplit(handler.path).path
    for method, pattern, name in _routes(service):
        if method == handler.command and (match := pattern.fullmatch(path)):
            return name, {key: unquote(value) for key, value in match.groupdict().items()}
    raise AssertionError(f"an unknown call: {handler.command} {handler.path}")
