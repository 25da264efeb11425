"""Carrying out a plan, with a wait after each change and no change to what others changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from ..errors import SettingsError
from ..output import say, step
from .plan import Plan, read
from .refusals import is_conflict, role_not_ready, translating

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

# Half a second: most updates are done in one, and botocore's own delay of a second per poll
# would double their time.
_POLL: Any = {"Delay": 0.5, "MaxAttempts": 600}
_ROLE_PATIENCE_SECONDS = 120
_CONFLICT_PATIENCE_SECONDS = 300


def apply(plan: Plan, client: LambdaClient) -> None:
    """Bring a function to what the plan says. Raises `FunctionError` with AWS's reason."""
    name = plan.parameters.name
    if plan.nothing:
        say("deploy", f"{name}  unchanged")
    elif not plan.exists:
        with step("create", name), translating(name, "create the function"):
            _create(plan, client)
    else:
        with step("update", name) as done, translating(name, "update the function"):
            _update(plan, client)
            done.result = str(plan).removeprefix("update ")


def _create(plan: Plan, client: LambdaClient) -> None:
    parameters = dict(plan.parameters.create)
    if "Role" not in parameters:
        raise SettingsError(
            f"`aws.functions.{plan.parameters.name}.Role` is missing.",
            why="The function does not exist yet, and Lambda creates none without a role.",
            fix="Set it to the ARN of the role that the function runs with.",
        )
    if plan.archive:
        parameters["Code"] = {"ZipFile": plan.archive.path.read_bytes()}

    def create() -> object:
        return client.create_function(**parameters)

    _patiently(create, role_not_ready, _ROLE_PATIENCE_SECONDS)
    client.get_waiter("function_active_v2").wait(
        FunctionName=plan.parameters.name, WaiterConfig=_POLL
    )


def _update(plan: Plan, client: LambdaClient) -> None:
    name = plan.parameters.name
    # Configuration first: a wrong role or layer is refused before the upload.
    if plan.configuration:
        revision = _settled(name, client)
        _patiently(
            lambda: client.update_function_configuration(
                FunctionName=name, RevisionId=revision, **plan.configuration
            ),
            lambda error: role_not_ready(error) or is_conflict(error),
            _CONFLICT_PATIENCE_SECONDS,
        )
    if plan.code:
        revision = _settled(name, client)
        code = dict(plan.parameters.code)
        if plan.archive:
            code["ZipFile"] = plan.archive.path.read_bytes()
        _patiently(
            lambda: client.update_function_code(**code, RevisionId=revision),
            is_conflict,
            _CONFLICT_PATIENCE_SECONDS,
        )
    _settled(name, client)


def _settled(name: str, client: LambdaClient) -> str:
    """Wait until no change to the function is under way; return its revision."""
    current = read(name, client) or {}
    if current.get("State") == "Pending":
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig=_POLL)
        current = read(name, client) or {}
    if current.get("LastUpdateStatus") == "InProgress":
        client.get_waiter("function_updated_v2").wait(FunctionName=name, WaiterConfig=_POLL)
        current = read(name, client) or {}
    return str(current.get("RevisionId", ""))


def _patiently(
    call: Callable[[], object], passing: Callable[[ClientError], bool], seconds: float
) -> None:
    """Make a call again while it is refused for a reason that passes, for so many seconds."""
    deadline, pause = time.monotonic() + seconds, 1.0
    while True:
        try:
            call()
            return
        except ClientError as error:
            if not passing(error) or time.monotonic() + pause > deadline:
                raise
            say("waiting", error.response["Error"].get("Message", ""))
        time.sleep(pause)
        pause = min(pause * 2, 8)
