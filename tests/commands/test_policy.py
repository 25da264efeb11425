"""`policy`: what it prints is what the tasks need, no less and no more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tasks_aws.local.differences import for_ministack
from tests.aws_lambda.describe import HELLO, describe, write_source
from tests.conftest import EmbeddedAws
from tests.enforcing import EnforcingProxy
from tests.local_aws import ACCOUNT, policy
from tests.proxy import Proxy
from tests.support import Project
from tests.warm import Ended, Warm

ROLE = f"arn:aws:iam::{ACCOUNT}:role"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs"
BUCKET = "artifacts"
PERMISSION = {"StatementId": "one", "Action": "lambda:InvokeFunction"}
SCHEDULE = {
    "Name": "nightly",
    "ScheduleExpression": "rate(1 day)",
    "Target": {"RoleArn": "arn:aws:iam::000000000000:role/scheduler"},
}
EVERYTHING: dict[str, Any] = {
    "alias": "live",
    "smoke": {"payload": {}},
    "keep_versions": 1,
    "layers": ["lib"],
    "log_retention_days": 7,
    "url": {"AuthType": "AWS_IAM"},
    "Tags": {"Team": "one"},
    "ReservedConcurrentExecutions": 2,
    "MaximumRetryAttempts": 0,
    "RecursiveLoop": "Allow",
    "permissions": [{**PERMISSION, "Principal": "s3.amazonaws.com"}],
    "events": [{"EventSourceArn": QUEUE, "Tags": {"Team": "one"}}],
    "schedules": [SCHEDULE],
    "Environment": {
        "Variables": {
            "STAGE": "one",
            "PARAMETER": "${ssm:/hello/parameter}",
            "SECRET": "${secret:db#password}",
            "OUTPUT": "${cfn:shared.Greeting}",
        }
    },
}
CHANGED: dict[str, Any] = {
    **EVERYTHING,
    "canary": "50% for 1s",
    "MemorySize": 512,
    "log_retention_days": 14,
    "url": {"AuthType": "NONE"},
    "Tags": {"Stage": "two"},
    "ReservedConcurrentExecutions": 3,
    "MaximumRetryAttempts": 1,
    "RecursiveLoop": "Terminate",
    "permissions": [{**PERMISSION, "Principal": "sns.amazonaws.com"}],
    "events": [{"EventSourceArn": QUEUE, "BatchSize": 3, "Tags": {"Stage": "two"}}],
    "schedules": [{**SCHEDULE, "State": "DISABLED"}],
}
ATTACHED = (
    *("alias", "url", "permissions", "events", "schedules", "log_retention_days", "Tags"),
    *("ReservedConcurrentExecutions", "MaximumRetryAttempts", "RecursiveLoop"),
)
LAYERS = {"lib": {"source": "lib", "CompatibleRuntimes": [HELLO["Runtime"]]}}
STACK = {
    "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {"Greeting": {"Value": "hello"}},
}

# Only needed for what the embedded AWS does not get into: a mapping that does not settle at once,
# an upload that fails, a bucket with versions, a runtime that is held.
UNSEEN = {
    "lambda:PutRuntimeManagementConfig",
    "lambda:GetEventSourceMapping",
    "s3:AbortMultipartUpload",
    "s3:GetObjectVersion",
}


@dataclass
class Deployer:
    """A role that may do what `policy` has printed, in MiniStack and before it."""

    project: Project
    aws: EmbeddedAws
    proxy: EnforcingProxy
    warm: Warm
    printed: set[str] = field(default_factory=set)

    def settings(self, **function: Any) -> None:
        layers = LAYERS if "layers" in function else {}
        describe(
            self.project,
            role="printed",
            aws={"layers": layers, "functions": {"hello": {**HELLO, **function}}},
        )

    def policies(self, *words: str) -> list[dict[str, Any]]:
        found = json.loads(self._run("policy", *words).out)
        return found if isinstance(found, list) else [found]

    def run(self, task: str, *words: str) -> str:
        """Run a task with exactly the permissions that are printed for it."""
        self.allow(self.policies("--task", task))
        result = self._run(*task.split(), *words)
        assert "denied" not in result.err, result.err
        return result.err

    def _run(self, *words: str) -> Ended:
        ended = self.warm.start(words, self.project.folder, self.project.environ).wait(60)
        assert ended.code == 0, ended.err
        return ended

    def allow(self, policies: list[dict[str, Any]]) -> None:
        self.proxy.policies = policies
        statements = [each for policy in policies for each in policy["Statement"]]
        actions = {action for each in statements for action in each["Action"]}
        self.printed |= actions
        there = [each for policy in for_ministack(policies) for each in policy["Statement"]]
        self.aws.client("iam").put_role_policy(
            RoleName="printed", PolicyName="printed", PolicyDocument=policy(*there)
        )


@pytest.fixture
def deployer(project: Project, aws: EmbeddedAws, warm: Warm) -> Iterator[Deployer]:
    iam = aws.client("iam")
    user = f"arn:aws:iam::{ACCOUNT}:user/developer"
    trust = policy({"Action": "sts:AssumeRole", "Principal": {"AWS": user}})
    iam.create_role(RoleName="printed", AssumeRolePolicyDocument=trust)
    may_assume = policy({"Action": "sts:AssumeRole", "Resource": f"{ROLE}/printed"})
    iam.put_user_policy(UserName="developer", PolicyName="printed", PolicyDocument=may_assume)
    write_source(project)
    (project.folder / "lib").mkdir()
    (project.folder / "lib" / "lib.py").write_text("WHICH = 1\n")
    proxy = EnforcingProxy(aws.endpoint)
    with proxy:
        project.environ["AWS_ENDPOINT_URL"] = proxy.url
        yield Deployer(project, aws, proxy, warm)


def test_every_task_succeeds_with_exactly_what_is_printed_for_it(deployer: Deployer) -> None:
    make_what_is_referred_to(deployer.aws)
    deployer.settings(**EVERYTHING)
    deployer.run("plan")
    deployer.run("deploy")
    (deployer.project.folder / "lib" / "lib.py").write_text("WHICH = 2\n")
    write_source(deployer.project, "def handler(event, context): return 2\n")
    deployer.settings(**CHANGED)
    deployer.run("deploy")
    deployer.settings(**{**CHANGED, "MemorySize": 128, "url": {"AuthType": "AWS_IAM"}})
    deployer.run("deploy")
    assert "unchanged" in deployer.run("plan")
    assert "unchanged" in deployer.run("deploy")
    deployer.run("status")
    deployer.run("invoke")
    deployer.run("logs")
    deployer.run("init")
    deployer.run("rollback")
    deployer.run("prune", "--keep", "1", "--yes")
    without_alias = {key: value for key, value in CHANGED.items() if key != "canary"}
    deployer.settings(**{**without_alias, **dict.fromkeys(ATTACHED, "none")})
    attach_by_hand(deployer.aws)
    assert "alias live" in deployer.run("plan")
    deployer.run("deploy --prune")
    deployer.run("destroy", "--yes")

    assert deployer.proxy.refused == []
    assert deployer.printed - deployer.proxy.used == UNSEEN & deployer.printed


def attach_by_hand(aws: EmbeddedAws) -> None:
    """Attach what no setting names, for `deploy --prune` to remove."""
    client = aws.functions()
    client.put_function_code_signing_config(
        FunctionName="hello",
        CodeSigningConfigArn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:code-signing-config:csc-1",
    )
    client.put_provisioned_concurrency_config(
        FunctionName="hello", Qualifier="live", ProvisionedConcurrentExecutions=1
    )


def make_what_is_referred_to(aws: EmbeddedAws) -> None:
    aws.client("sqs").create_queue(QueueName="jobs")
    aws.client("ssm").put_parameter(Name="/hello/parameter", Value="1", Type="String")
    secret = json.dumps({"password": "nobodys-password"})
    aws.client("secretsmanager").create_secret(Name="db", SecretString=secret)
    stacks = aws.client("cloudformation")
    stacks.create_stack(StackName="shared", TemplateBody=json.dumps(STACK))
    stacks.get_waiter("stack_create_complete").wait(StackName="shared", WaiterConfig={"Delay": 1})


def test_an_archive_goes_through_the_bucket_with_what_is_printed(deployer: Deployer) -> None:
    deployer.aws.client("s3").create_bucket(Bucket=BUCKET)
    (deployer.project.folder / "src" / "large.bin").write_bytes(os.urandom(9 << 20))
    deployer.settings(bucket=BUCKET, key_prefix="of/hello/")

    deployer.run("deploy")

    assert deployer.proxy.refused == []
    assert deployer.printed - deployer.proxy.used == {
        *("s3:AbortMultipartUpload", "s3:GetObjectVersion"),
        *("lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration"),  # the first deploy
    }


def test_a_deploy_is_refused_without_any_of_the_statements(deployer: Deployer) -> None:
    settings = ("alias", "smoke", "log_retention_days", "permissions")
    deployer.settings(**{key: EVERYTHING[key] for key in settings})
    [document] = deployer.policies("--task", "deploy")
    statements = document["Statement"]
    assert [each["Sid"] for each in statements] == [
        "Functions",
        "PassRole",
        "AnyResource",
        "LogGroups",
    ]

    def deploy_without(sid: str, code: int = 1) -> None:
        others = [each for each in statements if each["Sid"] != sid]
        deployer.allow([{**document, "Statement": others}])
        words = ("deploy", "--force")
        ended = deployer.warm.start(words, deployer.project.folder, deployer.project.environ)
        assert ended.wait(60).code == code
        refused = [check.action for check in deployer.proxy.refused]
        removed = [action for each in statements if each["Sid"] == sid for action in each["Action"]]
        assert {*refused} <= {*removed}
        assert bool(refused) == bool(code)
        deployer.proxy.refused.clear()

    deploy_without("Functions")
    deploy_without("PassRole")
    deploy_without("LogGroups")
    deploy_without("nothing", code=0)
    deploy_without("AnyResource")


DENIALS = [
    ("deploy", {}, "iam:PassRole"),
    ("deploy", {"bucket": BUCKET}, "s3:PutObject"),
    ("deploy", {"schedules": [SCHEDULE]}, "scheduler:CreateSchedule"),
    ("deploy", {"layers": ["lib"]}, "lambda:PublishLayerVersion"),
    *(
        ("deploy", {"Description": reference}, action)
        for reference, action in (
            ("${ssm:/hello/parameter}", "ssm:GetParameter"),
            ("${secret:db#password}", "secretsmanager:GetSecretValue"),
        )
    ),
    ("logs", {}, "logs:FilterLogEvents"),
    ("destroy", {}, "lambda:DeleteFunction"),
]


@pytest.mark.parametrize(("task", "settings", "action"), DENIALS, ids=[each[2] for each in DENIALS])
def test_a_denial_names_the_action_and_the_command_that_explains_it(
    deployer: Deployer, task: str, settings: dict[str, Any], action: str
) -> None:
    make_what_is_referred_to(deployer.aws)
    deployer.aws.client("s3").create_bucket(Bucket=BUCKET)
    (deployer.project.folder / "src" / "large.bin").write_bytes(os.urandom(9 << 20))
    deployer.settings(**settings)
    if task != "deploy":
        deployer.run("deploy")
    policies = deployer.policies("--task", task)
    for each in (each for document in policies for each in document["Statement"]):
        each["Action"] = [name for name in each["Action"] if name != action] or ["none:None"]
    deployer.allow(policies)

    words = (task, "--yes") if task == "destroy" else (task,)
    ended = deployer.warm.start(words, deployer.project.folder, deployer.project.environ).wait(60)

    assert ended.code == 1
    assert action in ended.err.partition("  fix: ")[2]
    assert "`invoke policy --explain` says which setting needs it." in ended.err


def test_an_action_that_no_setting_needs_is_not_said_to_be_explained(
    project: Project, aws: EmbeddedAws, proxy: Proxy
) -> None:
    write_source(project)
    describe(project, role="everything")
    message = "User: x is not authorized to perform: kms:Decrypt on the resource"
    proxy.refuse("/functions/hello$", 403, "AccessDeniedException", message, times=9)

    err = project.run("deploy", code=1).err

    assert "  fix: Allow the role that deploys to use kms:Decrypt.\n" in err


@pytest.mark.parametrize(
    ("tasks", "called", "says"),
    [
        ("ns = Collection(tasks_aws)", "aws.", "`invoke aws.policy --target prod --explain`"),
        ("from tasks_aws import deploy", "", "once tasks.py imports `policy`"),
    ],
)
def test_the_command_is_the_one_of_the_tasks_file(
    project: Project, aws: EmbeddedAws, proxy: Proxy, tasks: str, called: str, says: str
) -> None:
    imports = "import tasks_aws\nfrom invoke import Collection\n"
    project.tasks(imports + tasks)
    write_source(project)
    describe(project, aws={"targets": {"prod": {"role_arn": f"{ROLE}/everything"}}})
    denied = ("/functions/hello$", 403, "AccessDeniedException", "no")
    proxy.refuse(*denied, times=9)

    err = project.run(f"{called}deploy", "--target", "prod", code=1).err

    assert "to use lambda:GetFunction" in err
    assert says in err


def test_each_action_is_explained_by_the_setting_that_needs_it(project: Project) -> None:
    describe(project, **{**EVERYTHING, "layers": []}, aws={"region": "us-east-1"})

    lines = [line.split()[:2] for line in project.run("policy", "--explain").out.splitlines()]

    key = "aws.functions.hello"
    assert lines[0] == ["setting", "action"]
    for setting, action in (
        ("Role", "iam:PassRole"),
        ("smoke", "lambda:InvokeFunction"),
        ("MaximumRetryAttempts", "lambda:PutFunctionEventInvokeConfig"),
        ("events", "lambda:CreateEventSourceMapping"),
        ("Environment.Variables.SECRET", "secretsmanager:GetSecretValue"),
    ):
        assert [f"{key}.{setting}", action] in lines
    assert [key, "lambda:CreateFunction"] in lines


def test_an_account_that_nothing_names_is_asked_for(project: Project) -> None:
    project.settings(region="eu-west-1", functions={"hello": {**HELLO, "Role": "${ssm:/role}"}})

    result = project.run("policy", code=1)

    assert "Cannot tell which account the policy is for." in result.err
    assert "fix: Set `aws.account_id`" in result.err
    assert result.out == ""


def test_stdout_has_the_policy_alone_and_nothing_of_an_account_is_needed(project: Project) -> None:
    role = "arn:aws-cn:iam::123456789012:role/Deployer"
    project.settings(
        profile="not-on-this-machine",
        role_arn=role,
        region="cn-north-1",
        functions={"hello": {**HELLO, "Role": "${ssm:/role}"}},
        targets={"other": {"account_id": "210987654321"}},
    )

    result = project.run("policy")
    other = project.run("policy", "--target", "other", "--task", "status").out

    document = json.loads(result.out)
    assert [*document] == ["Version", "Statement"]
    resources = {each["Sid"]: each["Resource"] for each in document["Statement"]}
    arn = "arn:aws-cn:lambda:cn-north-1:123456789012:function:hello"
    assert resources["Functions"] == [arn, f"{arn}:*"]
    assert resources["PassRole"] == ["arn:aws-cn:iam::123456789012:role/*"]
    assert result.err.splitlines() == [
        "warning   The policy has * for a reference that only AWS can resolve, among what "
        "`aws.functions.hello.Role` needs. Write a narrower pattern there."
    ]
    assert "210987654321:function:hello" in other
    assert "CreateFunction" not in other


def test_a_function_may_be_named_by_its_arn(project: Project) -> None:
    arn = "arn:aws:lambda:us-east-1:000000000000:function:hello"
    functions = {"hello": {**HELLO, "FunctionName": arn}}
    project.settings(region="us-east-1", account_id="000000000000", functions=functions)

    printed = json.loads(project.run("policy", "--task", "status", "--task", "logs").out)

    resources = [each["Resource"] for each in printed["Statement"]]
    assert [arn, f"{arn}:*"] in resources
    assert "/aws/lambda/hello" in str(resources)
    assert str(resources).count("arn:aws:lambda") == 2


def test_a_task_without_permissions_is_an_error(project: Project) -> None:
    describe(project)

    err = project.run("policy", "--task", "statsu", code=1).err

    assert "'statsu'" in err
    assert "Did you mean `status`?" in err


def test_what_is_too_long_for_one_policy_is_a_list(project: Project) -> None:
    functions = {f"function-{number}": HELLO for number in range(60)}
    describe(project, aws={"functions": functions, "region": "us-east-1"})

    result = project.run("policy")

    assert len(json.loads(result.out)) == 5
    assert "policy    a list of 5 policies" in result.err
