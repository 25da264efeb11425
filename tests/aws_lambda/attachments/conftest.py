"""A function in the embedded AWS, and what a deploy does with its attachments."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks_aws.aws_lambda.attachments import Attachment, AttachmentUpdate, Call
from tasks_aws.aws_lambda.clients import Account
from tasks_aws.aws_lambda.parameters import Parameters
from tasks_aws.aws_lambda.remote_state import get_function
from tasks_aws.aws_lambda.validation import validate_function
from tasks_aws.config.functions import Function, is_none
from tests import local_aws
from tests.aws_lambda.describe import account_in
from tests.conftest import EmbeddedAws

ROLE = f"arn:aws:iam::{local_aws.ACCOUNT}:role/hello"


def parameters(name: str = "hello", **settings: Any) -> Parameters:
    """Return a function's parameters; capitalised settings are the API's."""
    removed = frozenset(key for key, value in settings.items() if is_none(value))
    own = {key: value for key, value in settings.items() if key[0].islower() and key not in removed}
    api = {key: value for key, value in settings.items() if key[0].isupper()}
    base = {"Handler": "app.handler", "Runtime": "python3.13", "Role": ROLE}
    key = f"aws.functions.{name}"
    return validate_function(
        Function(name=name, key=key, parameters={**base, **api}, removed=removed, **own)
    )


def keys(updates: list[AttachmentUpdate]) -> list[str]:
    """Return the names of all changes."""
    return [change.key for update in updates for change in update.changes]


def calls(updates: list[AttachmentUpdate]) -> list[str]:
    """Return the operations of all calls."""
    return [call.operation for update in updates for call in update.calls]


@contextmanager
def recorded_actions(account: Account) -> Iterator[set[str]]:
    """Yield the IAM actions of all calls that the clients of an account make meanwhile."""
    actions: set[str] = set()

    def record(model: Any, **others: Any) -> None:
        actions.add(f"{model.service_model.service_name}:{model.name}")

    clients = [account.client(service) for service in ("lambda", "logs", "scheduler")]
    for client in clients:
        client.meta.events.register("provide-client-params", record)
    yield actions
    for client in clients:
        client.meta.events.unregister("provide-client-params", record)


def declared_actions(attachment: Attachment) -> set[str]:
    """Return the IAM actions of an attachment, but for those that Lambda uses in its stead."""
    declared = {action for need in attachment.actions for action in need.actions}
    return {action for action in declared if not action.startswith("kms:")}


def action_of(update_call: Any, account: Account) -> str:
    """Return the IAM action of a planned call."""
    operations = account.client(update_call.service).meta.method_to_api_mapping
    return f"{update_call.service}:{operations[update_call.operation]}"


def diff(
    module: ModuleType,
    wanted: Parameters,
    account: Account,
    function: Mapping[str, Any],
    *,
    prune: bool = False,
) -> list[AttachmentUpdate]:
    """Return what a deploy would change in the attachments of a module.

    With `prune`, what no setting names is read, too. No call may need an IAM action that the
    attachment does not declare.
    """
    updates: list[AttachmentUpdate] = []
    for attachment in module.ATTACHMENTS:
        if prune or attachment.is_named(wanted):
            with recorded_actions(account) as actions:
                found = attachment.read(wanted, account, function)
            own = [each for each in attachment.diff(wanted, found) if prune or not each.unnamed]
            actions |= {action_of(call, account) for update in own for call in update.calls}
            assert actions <= declared_actions(attachment)
            updates += own
    return updates


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

    def plan(
        self, module: ModuleType, *, prune: bool = False, **settings: Any
    ) -> list[AttachmentUpdate]:
        """Return what a deploy would change in the attachments of a module."""
        wanted = parameters(self.name, **{"alias": self.alias, **settings})
        function = get_function(self.name, self.account)
        assert function
        return diff(module, wanted, self.account, function, prune=prune)

    def make(self, call: Call) -> None:
        """Make a call that an update has planned."""
        self.account._answers.clear()  # another deploy would ask again
        aimed = call.aimed(lambda: self.account.function_arn(self.name, self.alias))
        getattr(self.account.client(call.service), call.operation)(**aimed.parameters)

    def deploy(self, module: ModuleType, *, prune: bool = False, **settings: Any) -> list[str]:
        """Make the changes, see that nothing is left to change, and return their names."""
        updates = self.plan(module, prune=prune, **settings)
        for update in updates:
            for call in update.calls:
                self.make(call)
        assert self.plan(module, prune=prune, **settings) == []
        return keys(updates)


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
