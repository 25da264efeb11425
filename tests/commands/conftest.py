"""The function `hello`, as the tests of `aws_lambda` have it, and the same in two accounts.

`init` is tested in `tests/aws_lambda/test_export.py`, with what it prints; `clients` by the targets
in `test_deployment.py`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests import local_aws
from tests.aws_lambda.conftest import hello
from tests.aws_lambda.describe import CODE, HELLO, ROLE, write_source
from tests.conftest import EmbeddedAws
from tests.support import Project

__all__ = ["hello"]

OTHER_ACCOUNT = "210987654321"
BOTH = ("--target", "dev", "--target", "prod")


@dataclass(frozen=True)
class Accounts:
    """The targets `dev` and `prod`: the account of the other tests, and another one."""

    project: Project
    clients: dict[str, Any]  # of Lambda, by target

    def describe(self, changes: Mapping[str, Any] = {}, /, **targets: dict[str, Any]) -> None:
        """Write invoke.yaml, with changes of the function and of targets, and more targets."""
        both = {
            "dev": {
                "profile": "developer",
                "role_arn": f"{ROLE}/everything",
                "account_id": local_aws.ACCOUNT,
            },
            "prod": {"profile": "other", "account_id": OTHER_ACCOUNT},
        }
        function = {
            **HELLO,
            "Role": "arn:aws:iam::${account_id}:role/hello",
            "Environment": {"Variables": {"STAGE": "${target}"}},
            "alias": "live",
            **changes,
        }
        self.project.settings(
            functions={"hello": function},
            targets={
                name: {**both.get(name, {}), **targets.get(name, {})}
                for name in {**both, **targets}
            },
        )

    def create(self) -> None:
        """Make the function in both accounts, with two versions."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("app.py", CODE)
        for target, client in self.clients.items():
            client.create_function(
                FunctionName="hello",
                Handler="app.handler",
                Runtime="python3.13",
                Role=client.role,
                Code={"ZipFile": archive.getvalue()},
                Environment={"Variables": {"STAGE": target}},
            )
            for number in ("1", "2"):
                _settle(client)
                client.update_function_configuration(FunctionName="hello", Description=number)
                _settle(client)
                client.publish_version(FunctionName="hello")
            client.create_alias(FunctionName="hello", Name="live", FunctionVersion="2")

    def aliases(self) -> dict[str, str]:
        """Return the version behind the alias, by target."""
        return {
            target: client.get_alias(FunctionName="hello", Name="live")["FunctionVersion"]
            for target, client in self.clients.items()
        }

    def functions(self) -> dict[str, list[str]]:
        """Return the functions that exist, by target."""
        return {
            target: [each["FunctionName"] for each in client.list_functions()["Functions"]]
            for target, client in self.clients.items()
        }


def _settle(client: Any) -> None:
    for waiter in ("function_active_v2", "function_updated_v2"):
        config = {"Delay": 0.05, "MaxAttempts": 400}
        client.get_waiter(waiter).wait(FunctionName="hello", WaiterConfig=config)


@pytest.fixture
def accounts(project: Project, aws: EmbeddedAws) -> Accounts:
    """Two accounts as targets, with a function that is described and not created yet."""
    keys: dict[str, Any] = {"aws_access_key_id": OTHER_ACCOUNT, "aws_secret_access_key": "test"}
    project.profile("other", **keys, region=local_aws.REGION)
    session: Any = boto3.Session(**keys, region_name=local_aws.REGION)
    other = {name: session.client(name, endpoint_url=aws.endpoint) for name in ("iam", "lambda")}
    trusted = {"Service": "lambda.amazonaws.com"}
    trust = local_aws.policy({"Action": "sts:AssumeRole", "Principal": trusted})
    role = other["iam"].create_role(RoleName="hello", AssumeRolePolicyDocument=trust)["Role"]
    clients: dict[str, Any] = {"dev": aws.functions(), "prod": other["lambda"]}
    for target, arn in (("dev", f"{ROLE}/hello"), ("prod", role["Arn"])):
        clients[target].role = arn
    write_source(project)
    made = Accounts(project, clients)
    made.describe()
    return made
