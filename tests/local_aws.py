"""MiniStack as most tests have it: a user, a role for one function, and clients that may all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tasks_aws.local import emulator
from tasks_aws.local.emulator import Emulator

ACCOUNT = "000000000000"
REGION = "us-east-1"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:hello"
MAPPINGS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:event-source-mapping:*"
LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/hello"


def start() -> Emulator:
    """Start MiniStack on a free port of the loopback interface."""
    return emulator.start(without_aws(os.environ))


def seed(endpoint: str) -> tuple[str, str]:
    """Create a user, the role to deploy with and the execution role; return the user's keys."""
    iam = root_client(endpoint, "iam")
    iam.create_user(UserName="developer")
    deployer = f"arn:aws:iam::{ACCOUNT}:role/deployer"
    iam.put_user_policy(
        UserName="developer",
        PolicyName="assume-deployer",
        PolicyDocument=policy({"Action": "sts:AssumeRole", "Resource": deployer}),
    )
    developer = f"arn:aws:iam::{ACCOUNT}:user/developer"
    iam.create_role(
        RoleName="deployer",
        AssumeRolePolicyDocument=policy(
            {"Action": "sts:AssumeRole", "Principal": {"AWS": developer}}
        ),
    )
    on_function = [
        "lambda:GetFunction",
        "lambda:InvokeFunction",
        "lambda:UpdateFunctionCode",
        "lambda:UpdateFunctionConfiguration",
        # for `alias`, `rollback` and `prune`
        "lambda:CreateAlias",
        "lambda:GetAlias",
        "lambda:ListAliases",
        "lambda:ListVersionsByFunction",
        "lambda:PublishVersion",
        "lambda:UpdateAlias",
        # for `status`, `init` and `destroy`
        "lambda:DeleteFunction",
        "lambda:GetFunctionCodeSigningConfig",
        "lambda:GetFunctionEventInvokeConfig",
        "lambda:GetFunctionRecursionConfig",
        "lambda:GetFunctionUrlConfig",
        "lambda:GetPolicy",
        "lambda:GetProvisionedConcurrencyConfig",
        "lambda:GetRuntimeManagementConfig",
        "lambda:ListFunctionUrlConfigs",
    ]
    on_mappings = [
        "lambda:DeleteEventSourceMapping",
        "lambda:GetEventSourceMapping",
        "lambda:ListTags",
    ]
    on_layers = [
        "lambda:GetLayerVersion",
        "lambda:ListLayers",  # MiniStack demands it for ListLayerVersions
        "lambda:ListLayerVersions",
        "lambda:PublishLayerVersion",
    ]
    iam.put_role_policy(
        RoleName="deployer",
        PolicyName="deploy",
        PolicyDocument=policy(
            {"Action": on_function, "Resource": [FUNCTION, f"{FUNCTION}:*"]},
            {"Action": on_layers, "Resource": "*"},
            {"Action": on_mappings, "Resource": MAPPINGS},
            {"Action": "logs:FilterLogEvents", "Resource": [LOG_GROUP, f"{LOG_GROUP}:*"]},
            # On AWS the function's ARN would do for CreateFunction; MiniStack demands `*`.
            {"Action": ["lambda:CreateFunction", "lambda:ListFunctions"], "Resource": "*"},
            # These two support no resource ARN.
            {
                "Action": ["lambda:ListEventSourceMappings", "logs:DescribeLogGroups"],
                "Resource": "*",
            },
            {
                "Action": [
                    "scheduler:CreateSchedule",
                    "scheduler:DeleteSchedule",
                    "scheduler:GetSchedule",
                    "scheduler:ListSchedules",
                    "scheduler:UpdateSchedule",
                ],
                "Resource": "*",
            },
            {
                "Action": "iam:PassRole",
                "Resource": [
                    f"arn:aws:iam::{ACCOUNT}:role/{name}" for name in ("hello", "scheduler")
                ],
            },
        ),
    )
    iam.create_role(
        RoleName="hello",
        AssumeRolePolicyDocument=policy(
            {"Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
        ),
    )
    keys = iam.create_access_key(UserName="developer")["AccessKey"]
    return keys["AccessKeyId"], keys["SecretAccessKey"]


@cache
def root_client(endpoint: str, service: str, region: str = REGION) -> Any:
    """Return a MiniStack client with all permissions."""
    import boto3

    session: Any = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test")
    return session.client(service, endpoint_url=endpoint, region_name=region)


def policy(*statements: dict[str, object]) -> str:
    """Return a policy document with these statements, each of which allows."""
    allowed = [{"Effect": "Allow", **each} for each in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": allowed})


def write_config(home: Path, key: str, secret: str) -> None:
    """Write the user's AWS config files into a temporary HOME."""
    folder = home / ".aws"
    folder.mkdir(mode=0o700)
    (folder / "config").write_text(f"[profile developer]\nregion = {REGION}\n")
    (folder / "credentials").write_text(
        f"[developer]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
    )
    (folder / "credentials").chmod(0o600)


def without_aws(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that lead to a real AWS account."""
    return {name: text for name, text in environ.items() if not name.startswith("AWS_")}
