"""A function in the embedded AWS, and what a deploy does around it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from botocore.stub import Stubber

from sample_project import local_aws
from tasks_aws.aws_lambda.attachments import Part
from tasks_aws.aws_lambda.clients import Account
from tasks_aws.aws_lambda.diff import Step
from tasks_aws.aws_lambda.parameters import Parameters, parameters_of
from tasks_aws.aws_lambda.remote_state import get_function
from tasks_aws.config.functions import Function
from tests.aws_lambda.describe import account_in
from tests.conftest import EmbeddedAws

ROLE = f"arn:aws:iam::{local_aws.ACCOUNT}:role/hello"


def parameters(name: str = "hello", **settings: Any) -> Parameters:
    """Return a function's parameters; capitalised settings are the API's."""
    own = {key: value for key, value in settings.items() if key[0].islower()}
    api = {key: value for key, value in settings.items() if key[0].isupper()}
    base = {"Handler": "app.handler", "Runtime": "python3.13", "Role": ROLE}
    key = f"aws.functions.{name}"
    return parameters_of(Function(name=name, key=key, parameters={**base, **api}, **own))


def keys(steps: list[Step]) -> list[str]:
    """Return the names of all changes."""
    return [change.key for step in steps for change in step.changes]


def calls(steps: list[Step]) -> list[str]:
    """Return the operations of all calls."""
    return [call.operation for step in steps for call in step.calls]


@dataclass(frozen=True)
class Deployed:
    """A function that exists, with the alias `live` for its first version."""

    name: str
    account: Account
    alias: str | None = None

    @property
    def client(self) -> Any:
        return self.account.client("lambda")

    @property
    def named(self) -> dict[str, str]:
        """Return what calls for the function, or for its alias, name it by."""
        return {"FunctionName": self.name, **({"Qualifier": self.alias} if self.alias else {})}

    def behind_alias(self) -> Deployed:
        return replace(self, alias="live")

    def plan(self, part: Part, *, prune: bool = False, **settings: Any) -> list[Step]:
        """Return what a deploy would change in one part."""
        wanted = parameters(self.name, alias=self.alias, **settings)
        function = get_function(self.name, self.account)
        return list(part.steps(wanted, part.read(wanted, self.account, function), prune=prune))

    def deploy(self, part: Part, *, prune: bool = False, **settings: Any) -> list[str]:
        """Make the changes, see that nothing is left to change, and return their names."""
        steps = self.plan(part, prune=prune, **settings)
        for step in steps:
            for call in step.calls:
                getattr(self.account.client(call.service), call.operation)(**call.parameters)
        assert self.plan(part, prune=prune, **settings) == []
        return keys(steps)


@pytest.fixture
def account(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Account:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    return account_in(local_aws.ACCOUNT, local_aws.REGION)


@pytest.fixture
def deployed(account: Account) -> Deployed:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", "def handler(event, context): pass\n")
    name = "hello"
    client = account.client("lambda")
    client.create_function(
        FunctionName=name,
        Handler="app.handler",
        Runtime="python3.13",
        Role=ROLE,
        Code={"ZipFile": archive.getvalue()},
    )
    client.get_waiter("function_active_v2").wait(
        FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}
    )
    version = client.publish_version(FunctionName=name)["Version"]
    client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    return Deployed(name, account)


@pytest.fixture
def stubbed() -> Iterator[tuple[Account, Stubber]]:
    """A place that answers as AWS's documentation says, and only what is expected."""
    account = account_in("123456789012", "eu-west-1")
    with Stubber(account.client("lambda")) as stubber:
        yield account, stubber
        stubber.assert_no_pending_responses()
