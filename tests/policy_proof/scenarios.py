"""What the proof of `policy` goes through: each setting created, changed and removed, and tasks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.aws_lambda.describe import HELLO
from tests.conftest import EmbeddedAws
from tests.local_aws import ACCOUNT, REGION

ROLE = f"arn:aws:iam::{ACCOUNT}:role"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:jobs"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0123"
SIGNING = f"arn:aws:lambda:{REGION}:{ACCOUNT}:code-signing-config:csc-{0:016}"
BUCKET, BUCKET_WITH_VERSIONS = "artifacts", "artifacts-with-versions"
PERMISSION = {"StatementId": "one", "Action": "lambda:InvokeFunction"}
SCHEDULE = {
    "Name": "nightly",
    "ScheduleExpression": "rate(1 day)",
    "Target": {"RoleArn": f"{ROLE}/scheduler"},
}
REFERENCES = {
    "PARAMETER": "${ssm:/hello/parameter}",
    "SECRET": "${secret:db#password}",
    "OUTPUT": "${cfn:shared.Greeting}",
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
    "UpdateRuntimeOn": "FunctionUpdate",
    "permissions": [{**PERMISSION, "Principal": "s3.amazonaws.com"}],
    "events": [{"EventSourceArn": QUEUE, "Tags": {"Team": "one"}}],
    "schedules": [SCHEDULE],
    "Environment": {"Variables": {"STAGE": "one", **REFERENCES}},
}
LAYERS = {"lib": {"source": "lib", "CompatibleRuntimes": [HELLO["Runtime"]]}}

# What each attachment is created with, and changed to.
ATTACHED: dict[str, tuple[Any, Any]] = {
    "url": ({"AuthType": "AWS_IAM"}, {"AuthType": "NONE"}),
    "Tags": ({"Team": "one"}, {"Stage": "two"}),
    "log_retention_days": (7, 14),
    "ReservedConcurrentExecutions": (2, 3),
    "MaximumRetryAttempts": (0, 1),
    "RecursiveLoop": ("Allow", "Terminate"),
    "CodeSigningConfigArn": (f"{SIGNING}1", f"{SIGNING}2"),
    "permissions": (
        [{**PERMISSION, "Principal": "s3.amazonaws.com"}],
        [{**PERMISSION, "Principal": "sns.amazonaws.com"}],
    ),
    "events": (
        [{"EventSourceArn": QUEUE, "Tags": {"Team": "one"}}],
        [{"EventSourceArn": QUEUE, "Tags": {"Stage": "two"}, "BatchSize": 3}],
    ),
    "schedules": ([SCHEDULE], [{**SCHEDULE, "State": "DISABLED"}]),
}
OF_ALIASES = ("url", "permissions", "events", "schedules", "MaximumRetryAttempts")


@dataclass(frozen=True)
class Step:
    """A task, with a function's settings and the code that it has then."""

    words: str
    function: Mapping[str, Any] = field(default_factory=dict)
    layer: Mapping[str, Any] = field(default_factory=dict)
    code: int = 1
    proves: bool = True  # False: it only makes what the next step is about
    before: Callable[[EmbeddedAws], None] = lambda aws: None

    @property
    def task(self) -> str:
        """Return the task as `policy --task` takes it."""
        name, _, options = self.words.partition(" ")
        return "deploy --prune" if options == "--prune" else name

    @property
    def aws(self) -> dict[str, Any]:
        """Return what the settings of the project have, besides credentials."""
        layers = {"layers": {"lib": {**LAYERS["lib"], **self.layer}}}
        function = {**HELLO, **self.function}
        given = {key: value for key, value in function.items() if value is not None}
        return {"functions": {"hello": given}, **(layers if "lib" in str(given) else {})}


def deploys(*functions: Mapping[str, Any]) -> list[Step]:
    """Return a deploy for each of some settings."""
    return [Step("deploy", each) for each in functions]


def made(**function: Any) -> Step:
    """Return a deploy that another step presupposes."""
    return Step("deploy", function, proves=False)


def attach_by_hand(aws: EmbeddedAws) -> None:
    """Attach what no setting names, for `deploy --prune` to remove."""
    client = aws.functions()
    client.put_function_code_signing_config(
        FunctionName="hello", CodeSigningConfigArn=f"{SIGNING}1"
    )
    client.put_provisioned_concurrency_config(
        FunctionName="hello", Qualifier="live", ProvisionedConcurrentExecutions=1
    )


def forget_version_before(aws: EmbeddedAws) -> None:
    """Leave the alias without a note of the version before, as others do who move it."""
    aws.functions().update_alias(FunctionName="hello", Name="live", Description="")


def invoke(aws: EmbeddedAws) -> None:
    """Invoke the function, which makes its log."""
    aws.functions().invoke(FunctionName="hello")


def make_what_is_referred_to(aws: EmbeddedAws) -> None:
    """Make what settings name: a queue, buckets, a layer, a parameter, a secret and a stack."""
    aws.client("sqs").create_queue(QueueName="jobs")
    ssm = aws.client("ssm")
    ssm.put_parameter(Name="/hello/parameter", Value="1", Type="String")
    ssm.put_parameter(Name="/hello/name", Value="hello", Type="String")
    secret = json.dumps({"password": "nobodys-password"})
    aws.client("secretsmanager").create_secret(Name="db", SecretString=secret)
    stacks = aws.client("cloudformation")
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {"Greeting": {"Value": "hello"}},
    }
    stacks.create_stack(StackName="shared", TemplateBody=json.dumps(template))
    stacks.get_waiter("stack_create_complete").wait(StackName="shared", WaiterConfig={"Delay": 1})
    s3 = aws.client("s3")
    for bucket in (BUCKET, BUCKET_WITH_VERSIONS):
        s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(
        Bucket=BUCKET_WITH_VERSIONS, VersioningConfiguration={"Status": "Enabled"}
    )
    aws.functions().publish_layer_version(
        LayerName="theirs", Content={"ZipFile": b"PK\5\6" + bytes(18)}
    )


ALIAS = {"alias": "live"}
LIB = {"layers": ["lib"]}
SHARED = [{"StatementId": "one", "Principal": "1" * 12}]
VPC = {"VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}}
FILE_SYSTEM = {
    "Arn": f"arn:aws:elasticfilesystem:{REGION}:{ACCOUNT}:access-point/fsap-0123456789abcdef0",
    "LocalMountPath": "/mnt/data",
}
PROVIDER = {
    "LambdaManagedInstancesCapacityProviderConfig": {
        "CapacityProviderArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:capacity-provider:mine"
    }
}
IMAGE = {
    "Code": {"ImageUri": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/hello:1"},
    **dict.fromkeys(("source", "Handler", "Runtime")),
}
ENCRYPTED = {"KMSKeyArn": KEY}
DURABLE = {**ALIAS, "DurableConfig": {"ExecutionTimeout": 60}}
FUNCTION_NAME = {**ALIAS, "FunctionName": "${ssm:/hello/name}"}

SCENARIOS: dict[str, list[Step]] = {
    "a function": [*deploys({}, {"MemorySize": 512}), Step("deploy", {"MemorySize": 512}, code=2)],
    "alias": deploys(ALIAS, {**ALIAS, "MemorySize": 512}, {"alias": "other"}),
    "alias: none": [
        made(
            **ALIAS,
            ProvisionedConcurrentExecutions=1,
            **{key: ATTACHED[key][0] for key in OF_ALIASES},
        ),
        *deploys({"alias": "none"}),
    ],
    "smoke": deploys({"smoke": {"payload": {}}}, {**ALIAS, "smoke": {"payload": {}}}),
    "canary": [made(**ALIAS), *deploys({**ALIAS, "canary": "50% for 1s", "MemorySize": 512})],
    "keep_versions": [
        *(made(**ALIAS, MemorySize=128 + each) for each in range(3)),
        *deploys(*({**ALIAS, "keep_versions": 1, "MemorySize": 512 + each} for each in range(4))),
    ],
    "layers": [
        *deploys(LIB),
        Step("deploy", LIB, code=2),
        Step("deploy", LIB, {"keep_versions": 1}, code=3),
        Step("deploy", LIB, {"permissions": SHARED}, code=3),
        Step("plan", LIB, {"permissions": SHARED}, code=3),
        Step("deploy", LIB, {"permissions": []}, code=3),
        *deploys({"layers": []}),
    ],
    "layers of others": deploys(
        {"layers": [f"arn:aws:lambda:{REGION}:{ACCOUNT}:layer:theirs:1"]}, {"layers": []}
    ),
    "bucket": [
        *deploys({"bucket": BUCKET}),
        Step("deploy", {"bucket": BUCKET_WITH_VERSIONS, "key_prefix": "of/hello/"}, code=2),
    ],
    **{
        f"Environment, {reference}": deploys(
            {"Environment": {"Variables": {"VALUE": reference}}}, {}
        )
        for reference in REFERENCES.values()
    },
    **{
        key: deploys({key: first}, {key: second}, {key: "none"}, {key: first})
        for key, (first, second) in ATTACHED.items()
    },
    **{
        f"{key}, of an alias": deploys(
            {**ALIAS, key: first},
            {**ALIAS, key: second},
            {"alias": "other", key: second},
            {"alias": "other", key: "none"},
        )
        for key, (first, second) in ATTACHED.items()
        if key in OF_ALIASES
    },
    "events, KMSKeyArn": deploys(
        *(
            {"events": [{"EventSourceArn": QUEUE, "KMSKeyArn": KEY, "BatchSize": n}]}
            for n in (1, 2)
        ),
        {"events": "none"},
    ),
    "ProvisionedConcurrentExecutions": deploys(
        *({**ALIAS, "ProvisionedConcurrentExecutions": each} for each in (1, 2, "none"))
    ),
    "UpdateRuntimeOn": deploys(*[{"UpdateRuntimeOn": "FunctionUpdate"}] * 2),
    "VpcConfig": deploys(VPC, {}),
    "KMSKeyArn": [
        *deploys(ENCRYPTED),
        *(Step(each, ENCRYPTED) for each in ("deploy", "plan", "init", "deploy --prune")),
    ],
    "FileSystemConfigs": deploys({**VPC, "FileSystemConfigs": [FILE_SYSTEM]}),
    "Code.SourceKMSKeyArn": deploys({"Code": {"SourceKMSKeyArn": KEY}}),
    "Code.ImageUri": [*deploys(IMAGE), Step("plan", IMAGE)],
    "CapacityProviderConfig": deploys({"CapacityProviderConfig": PROVIDER}),
    "DurableConfig": [
        *(made(**DURABLE, MemorySize=128 + each) for each in range(4)),
        Step("prune --keep 2 --yes", DURABLE),
        *deploys(*({**DURABLE, "keep_versions": 1, "MemorySize": 512 + n} for n in range(4))),
    ],
    "plan": [
        Step("plan", EVERYTHING),
        made(**EVERYTHING),
        Step("plan", EVERYTHING),
    ],
    "deploy --prune": [made(**EVERYTHING), Step("deploy --prune", before=attach_by_hand)],
    "status": [made(**EVERYTHING), Step("status", EVERYTHING)],
    "logs": [made(), Step("logs", before=invoke)],
    "invoke": [made(**ALIAS), Step("invoke", ALIAS)],
    "rollback": [
        made(**ALIAS),
        made(**ALIAS, MemorySize=512),
        Step("rollback", ALIAS),
        made(**ALIAS, MemorySize=1024),
        Step("rollback", ALIAS, before=forget_version_before),
    ],
    "prune": [
        *(made(**ALIAS, MemorySize=128 + each) for each in range(4)),
        Step("prune --keep 1 --yes", ALIAS),
    ],
    "destroy": [made(**EVERYTHING), Step("destroy --yes", EVERYTHING)],
    "init": [made(**EVERYTHING), Step("init", EVERYTHING)],
    "FunctionName": [
        Step(each, FUNCTION_NAME, before=invoke if each == "logs" else lambda aws: None)
        for each in ("plan", "deploy", "status", "invoke", "logs", "prune --yes", "destroy --yes")
    ],
}

# What neither MiniStack nor the proxy before it gets into, and where AWS's documentation says that
# it is needed. A scenario that gets into one of them fails: then it is to be taken from here.
UNPROVEN = {
    "lambda:GetEventSourceMapping": "https://docs.aws.amazon.com/lambda/latest/api/"
    "API_GetEventSourceMapping.html",  # for a mapping that is still Creating or Updating
    # of managed instances, which MiniStack has not
    **dict.fromkeys(
        ("lambda:GetFunctionScalingConfig", "lambda:PutFunctionScalingConfig"),
        "https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html",
    ),
    "s3:AbortMultipartUpload": "https://docs.aws.amazon.com/AmazonS3/latest/userguide/"
    "mpuoverview.html",  # "Multipart upload API and permissions", for an upload that failed
}
