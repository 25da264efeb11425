"""What AWS may refuse, provoked by a proxy: each has a sentence, and a second deploy succeeds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tasks_aws.aws_lambda.error_messages import translating
from tasks_aws.errors import FunctionError
from tests.aws_lambda.describe import CODE, describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Answer, Proxy
from tests.support import Project

READ = r"^GET /2015-03-31/functions/hello$"
CREATE = r"^POST /2015-03-31/functions$"
CODE_CALL = r"^PUT /2015-03-31/functions/hello/code"
CONFIGURATION = r"^PUT /2015-03-31/functions/hello/configuration"
PUBLISH = r"^POST /2015-03-31/functions/hello/versions"
NEW_ALIAS = r"^POST /2015-03-31/functions/hello/aliases"
ALIAS = r"^PUT /2015-03-31/functions/hello/aliases/live"
INVOKE = r"^POST /2015-03-31/functions/hello/invocations"
SECRET = "hunter2-in-a-variable"

INVALID, LIMIT = "InvalidParameterValueException", "RequestEntityTooLargeException"


@pytest.fixture(autouse=True)
def _source(project: Project, aws: EmbeddedAws) -> None:
    write_source(project)
    describe(project, role="everything", alias="live")


def change(project: Project) -> None:
    """Change both the code and the configuration."""
    write_source(project, CODE + "# changed\n")
    describe(project, role="everything", alias="live", MemorySize=512)


def assert_whole(aws: EmbeddedAws, *, memory: int) -> None:
    """Check that the alias has the code and the configuration that were wanted."""
    client = aws.functions()
    latest = client.get_function(FunctionName="hello")["Configuration"]
    served = client.get_function(FunctionName="hello", Qualifier="live")["Configuration"]
    assert served["Version"] != "$LATEST"
    assert (served["CodeSha256"], served["MemorySize"]) == (latest["CodeSha256"], memory)


# Where it happens, what AWS says, and what we say of it.
# ruff: noqa: E501
REFUSALS: list[tuple[str, int, str, str, str]] = [
    (READ, 403, "AccessDeniedException", "… not authorized to perform: lambda:GetFunction", "to use lambda:GetFunction. `invoke policy --explain` says"),
    (CREATE, 403, "AccessDeniedException", "… not authorized to perform: iam:PassRole on …", "to use iam:PassRole"),
    (CREATE, 400, INVALID, "Unzipped size must be smaller than 262144000 bytes", "layers count, too"),
    (CREATE, 413, LIMIT, "Request must be smaller than 70167211 bytes", "Set `bucket`"),
    (CREATE, 400, INVALID, "Could not unzip uploaded file.", "Run `clean`"),
    (CREATE, 400, INVALID, "Cannot reference more than 5 layers.", "Cannot reference more than 5"),
    (CREATE, 400, INVALID, "Lambda was unable to configure your environment variables because the "
     f"environment variables you have provided exceeded the 4KB limit. String measured: {SECRET}",
     "Shorten them"),
    (CREATE, 400, INVALID, "The runtime parameter of python2.7 is no longer supported for creating", "newer version"),
    (CREATE, 400, "CodeStorageExceededException", "Code storage limit exceeded.", "`prune`"),
    (CREATE, 400, "CodeVerificationFailedException", "The code signature failed", "Sign the archive"),
    (CREATE, 403, "ExpiredTokenException", "The security token included in the request is expired", "assume --fresh"),
    (CREATE, 429, "TooManyRequestsException", "Rate exceeded", "Run this again later"),
    (CREATE, 500, "ServiceException", "An error occurred", "Run this again later"),
    (PUBLISH, 400, INVALID, "Something new", "Something new"),
    (NEW_ALIAS, 500, "ServiceException", "An error occurred", "Run this again later"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("where", "status", "code", "message", "says"), REFUSALS, ids=[row[4] for row in REFUSALS]
)
def test_a_refusal_says_what_to_do_and_a_second_deploy_finishes(
    project: Project,
    aws: EmbeddedAws,
    proxy: Proxy,
    where: str,
    status: int,
    code: str,
    message: str,
    says: str,
) -> None:
    proxy.refuse(where, status, code, message, times=2)  # one for each of the SDK's tries

    result = project.run("deploy", code=1)

    assert says in result.err
    assert "Traceback" not in result.err
    assert SECRET not in result.err
    proxy.rules.clear()
    project.run("deploy")
    assert_whole(aws, memory=256)


@pytest.mark.parametrize("where", [CODE_CALL, CONFIGURATION, PUBLISH, ALIAS])
def test_what_changed_since_it_was_read_is_not_overwritten(
    project: Project, aws: EmbeddedAws, proxy: Proxy, where: str
) -> None:
    project.run("deploy")
    change(project)
    message = "The Revision Id provided does not match the latest Revision Id."

    def refuse(_: object) -> Answer:
        if where == PUBLISH:  # else it counts as our own change, whose answer was lost
            proxy.edit(READ, lambda now: now["Configuration"].update(MemorySize=1))
        body = json.dumps({"Type": "User", "Message": message}).encode()
        return 412, {"x-amzn-ErrorType": "PreconditionFailedException"}, body

    proxy.replace(where, refuse)

    result = project.run("deploy", code=1)

    assert "The function has changed since it was read" in result.err
    assert "--force" in result.err
    proxy.rules.clear()
    project.run("deploy")
    assert_whole(aws, memory=512)


@pytest.mark.parametrize("where", [CREATE, CONFIGURATION, CODE_CALL])
def test_a_change_between_ours_is_not_published_with_them(
    project: Project, aws: EmbeddedAws, proxy: Proxy, where: str
) -> None:
    client = aws.functions()
    if where != CREATE:
        project.run("deploy")
        change(project)

    def interfere(given: Answer | None) -> Answer:
        assert given
        client.get_waiter("function_updated_v2").wait(FunctionName="hello")
        client.update_function_configuration(FunctionName="hello", MemorySize=128)
        return given

    proxy.replace(where, interfere, ask=True)

    result = project.run("deploy", code=1)

    assert "hello was changed while it was being deployed." in result.err
    published = client.list_versions_by_function(FunctionName="hello")["Versions"][1:]
    assert [each["MemorySize"] for each in published] == [256] * (where != CREATE)
    project.run("deploy")
    assert_whole(aws, memory=256 if where == CREATE else 512)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (CODE_CALL, "An update is in progress for resource: arn:aws:lambda:…"),
        (CONFIGURATION, "An update is in progress for resource: arn:aws:lambda:…"),
        (CODE_CALL, "The operation cannot be performed at this time. The function is currently "
         "in the following state: Pending"),
    ],
)  # fmt: skip
def test_another_deploy_is_waited_for(
    project: Project, aws: EmbeddedAws, proxy: Proxy, where: str, message: str
) -> None:
    project.run("deploy")
    change(project)
    proxy.refuse(where, 409, "ResourceConflictException", message, times=2)

    result = project.run("deploy")

    assert f"waiting   hello  for another change to end: {message}" in result.err
    assert_whole(aws, memory=512)


_STATE = "The operation cannot be performed at this time. The function is currently in the following state: "


@pytest.mark.parametrize(
    ("where", "code", "message"),
    [
        (NEW_ALIAS, "ResourceConflictException", f"{_STATE}Pending"),
        (ALIAS, "ResourceConflictException", f"{_STATE}Pending"),
        (INVOKE, "ResourceConflictException", f"{_STATE}Pending"),
        (INVOKE, "ResourceNotReadyException", "The function is inactive and its VPC connection is no longer available."),
        (INVOKE, "SnapStartNotReadyException", "Lambda is initializing your function."),
        (INVOKE, "CodeArtifactUserPendingException", "The CodeArtifact is pending optimization."),
    ],
)  # fmt: skip
def test_a_function_that_was_idle_is_waited_for(
    project: Project, aws: EmbeddedAws, proxy: Proxy, where: str, code: str, message: str
) -> None:
    if where == ALIAS:
        project.run("deploy")
        change(project)
    smoke = {"payload": 1, "expect": {"event": 1}}
    describe(project, role="everything", alias="live", MemorySize=512, smoke=smoke)
    proxy.refuse(where, 502 if "NotReady" in code else 409, code, message, times=2)

    words = ("deploy", "invoke") if where == INVOKE else ("deploy",)
    result = project.run(*words)

    assert result.err.count("waiting   hello  for ") == 1
    assert message in result.err
    assert_whole(aws, memory=512)


def test_a_rollback_waits_for_another_change(project: Project, proxy: Proxy) -> None:
    project.run("deploy")
    change(project)
    project.run("deploy")
    proxy.refuse(ALIAS, 409, "ResourceConflictException", f"{_STATE}Pending")

    assert "live: 2 -> 1" in project.run("rollback").err


def failed_at_creation(now: Any) -> None:
    now["Configuration"].update(
        State="Failed", StateReasonCode="InvalidSubnet", StateReason="no such subnet"
    )


def test_a_function_that_failed_at_its_creation_has_to_be_deleted(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    proxy.edit(READ, failed_at_creation, times=99, after=1)

    created = project.run("deploy", code=1)
    planned = project.run("plan", code=1)
    again = project.run("deploy", "--force", code=1)

    for result in (created, planned, again):
        assert "Lambda could not create hello." in result.err
        assert "InvalidSubnet: no such subnet" in result.err
        assert "Correct `VpcConfig.SubnetIds`. Then delete it with `destroy --function hello`" in (
            result.err
        )
        assert "serves" not in result.err
    assert not [line for line in proxy.requests if line.startswith("PUT")]
    project.run("destroy", "--function", "hello", "--yes")
    proxy.rules.clear()
    project.run("deploy")
    assert_whole(aws, memory=256)


def test_a_function_whose_image_is_gone_may_get_another_one(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    project.run("deploy")

    def gone(now: Any) -> None:
        now["Configuration"].update(State="Failed", StateReasonCode="ImageDeleted")

    proxy.edit(READ, gone)

    assert "alias live, version 2" in project.run("deploy").err


@pytest.mark.parametrize("where", [CODE_CALL, CONFIGURATION, INVOKE])
def test_a_state_that_does_not_change_is_not_waited_for(
    project: Project, proxy: Proxy, where: str
) -> None:
    project.run("deploy")
    change(project)
    proxy.refuse(where, 409, "ResourceConflictException", f"{_STATE}Failed")

    result = project.run("invoke" if where == INVOKE else "deploy", code=1)

    assert "It failed at its creation: " in result.err
    assert "Delete it with `destroy`, then deploy again." in result.err
    assert "waiting" not in result.err


def test_a_change_that_is_under_way_is_waited_for_before_the_plan(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    project.run("deploy")
    proxy.requests.clear()

    def under_way(now: Any) -> None:
        now["Configuration"].update(LastUpdateStatus="InProgress", MemorySize=1)

    proxy.edit(READ, under_way, times=2)

    assert "hello  unchanged" in project.run("deploy").err


def test_a_function_that_was_created_meanwhile_is_updated_by_the_next_run(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    project.run("deploy")
    change(project)
    proxy.refuse(READ, 404, "ResourceNotFoundException", "Function not found: hello")

    refused = project.run("deploy", code=1)

    assert "hello was not created: it exists by now, and differs" in refused.err
    assert_whole(aws, memory=256)
    project.run("deploy")
    assert_whole(aws, memory=512)


@pytest.mark.parametrize(
    "message",
    [
        "The role defined for the function cannot be assumed by Lambda.",
        "The execution role does not have permissions to call CreateNetworkInterface on EC2",
        "Cannot access stream …. Please ensure the role can perform the GetRecords Action on it.",
    ],
)
def test_a_role_that_is_too_new_is_waited_for(
    project: Project, aws: EmbeddedAws, proxy: Proxy, message: str
) -> None:
    proxy.refuse(CREATE, 400, INVALID, message, times=2)

    assert (
        f"waiting   hello  for the execution role to be ready: {message}"
        in project.run("deploy").err
    )
    assert_whole(aws, memory=256)


@pytest.mark.parametrize(
    ("status", "call"), [("State", CREATE), ("LastUpdateStatus", CONFIGURATION)]
)
def test_a_change_that_fails_afterwards_says_why(
    project: Project, aws: EmbeddedAws, proxy: Proxy, status: str, call: str
) -> None:
    if call == CONFIGURATION:
        project.run("deploy")
        change(project)

    def fail(now: Any) -> None:
        reason = {
            f"{status}Reason": "no free address",
            f"{status}ReasonCode": "SubnetOutOfIPAddresses",
        }
        now["Configuration"].update({"State": "Active", status: "Failed", **reason})

    # The first read of a function that is there is the plan's.
    proxy.edit(READ, fail, times=9, after=1)

    result = project.run("deploy", code=1)

    assert "SubnetOutOfIPAddresses: no free address" in result.err
    assert "Set `VpcConfig.SubnetIds` to subnets with free addresses." in result.err
    assert ("the previous code serves" in result.err) is (call == CONFIGURATION)
    assert ("delete it with `destroy" in result.err) is (call == CREATE)
    proxy.rules.clear()
    project.run("deploy")
    assert_whole(aws, memory=512 if call == CONFIGURATION else 256)


@pytest.mark.parametrize(("attempts", "words"), [("1", ""), ("2", " (2 attempts)")])
@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (429, "TooManyRequestsException", "AWS is throttling requests"),
        (500, "ServiceException", "AWS has an internal error"),
    ],
)
def test_attempts_are_counted_as_they_were_made(
    project: Project, proxy: Proxy, status: int, code: str, says: str, attempts: str, words: str
) -> None:
    proxy.refuse(READ, status, code, "sorry", times=9)

    result = project.run("deploy", code=1, environ={"AWS_MAX_ATTEMPTS": attempts})

    assert f"why: {says}{words}: sorry\n" in result.err
    reads = [line for line in proxy.requests if line.endswith("/functions/hello")]
    assert len(reads) == int(attempts)


CALLS = [READ, CREATE, PUBLISH, NEW_ALIAS, CODE_CALL, CONFIGURATION, ALIAS]


@pytest.mark.parametrize("reached", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_a_connection_that_breaks_is_no_failure(
    project: Project, aws: EmbeddedAws, proxy: Proxy, call: str, reached: bool
) -> None:
    new = call in (CREATE, NEW_ALIAS)
    if not new:
        project.run("deploy")
        change(project)
    proxy.reset(call, reached=reached)

    project.run("deploy")

    assert_whole(aws, memory=256 if new else 512)
    versions = aws.functions().list_versions_by_function(FunctionName="hello")["Versions"]
    assert len(versions) == (2 if new else 3)  # with $LATEST


@pytest.mark.parametrize(
    ("code", "message", "says"),
    [
        (INVALID, "The role defined for the function cannot be assumed by Lambda.", "trust lambda"),
        (INVALID, "does not have permissions to call CreateNetworkInterface on EC2", "AWSLambdaVPCAccess"),
        (INVALID, "does not have permissions to call ReceiveMessage on SQS", "Allow these actions"),
        (INVALID, "Please ensure the role can perform the GetRecords Action", "Allow these actions"),
        (INVALID, "unable to delete … because it is a replicated function.", "from all distributions"),
        (INVALID, "Error occurred while GetObject. S3 Error Code: PermanentRedirect", "another region"),
        (INVALID, "Error occurred while GetObject. S3 Error Code: NoSuchKey", "Check `bucket`"),
        (INVALID, "Please don't provide ImageUri when updating a function with packageType Zip", "package type cannot change"),
        ("AccessDeniedException", "… with an explicit deny in a service control policy", "that one refuses it"),
        ("AccessDenied", "… because no permissions boundary allows the lambda:GetFunction action", "that one refuses it"),
        ("AccessDenied", "… because no session policy allows the s3:PutObject action", "`aws.policy_arns`"),
        ("PublicPolicyException", "blocked", "AWS_IAM"),
        ("ResourceConflictException", "An update is in progress", "has not ended: An update"),
        ("ResourceNotReadyException", "The function is inactive", "is not ready: The function"),
        ("ResourceNotFoundException", "Function not found", "Deploy it first"),
        ("SlowDown", "Please reduce your request rate.", "Run this again later"),
        ("ServiceUnavailableException", "Please try again", "Run this again later"),
        ("NewException", "from the future", "NewException: from the future"),
    ],
)  # fmt: skip
def test_what_takes_long_to_provoke_is_translated_too(code: str, message: str, says: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": message}}, "CreateFunction")
    with pytest.raises(FunctionError) as caught, translating("hello", "create"):
        raise error

    assert says in str(caught.value)
    assert caught.value.__cause__ is error
