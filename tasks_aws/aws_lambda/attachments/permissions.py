"""Who else may call a function, or its alias: statements of its own policy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..clients import Account
from ..diff import Call, Change, Step
from ..parameters import Parameters

# "Control access to Lambda function URLs", Lambda Developer Guide: a URL without authentication
# needs both, since October 2025.
_PUBLIC_URL = (
    {
        "StatementId": "FunctionURLAllowPublicAccess",
        "Action": "lambda:InvokeFunctionUrl",
        "Principal": "*",
        "FunctionUrlAuthType": "NONE",
    },
    {
        "StatementId": "FunctionURLInvokeAllowPublicAccess",
        "Action": "lambda:InvokeFunction",
        "Principal": "*",
        "InvokedViaFunctionUrl": True,
    },
)

# How AddPermission's parameters are told in a policy's conditions, whose keys have no case.
_CONDITIONS = {
    "aws:sourcearn": "SourceArn",
    "aws:sourceaccount": "SourceAccount",
    "aws:principalorgid": "PrincipalOrgID",
    "lambda:eventsourcetoken": "EventSourceToken",
    "lambda:functionurlauthtype": "FunctionUrlAuthType",
    "lambda:invokedviafunctionurl": "InvokedViaFunctionUrl",
}


def read(
    parameters: Parameters, account: Account, function: Mapping[str, Any] | None
) -> dict[str, dict[str, Any]]:
    """Return the statements of the policy by their ID, in the shape of the settings."""
    if not _wanted(parameters) and parameters.function.url is None:
        return {}
    client = account.client("lambda")
    try:
        answer = client.get_policy(FunctionName=parameters.name, **parameters.qualifier)
    except client.exceptions.ResourceNotFoundException:  # no policy, or no such alias yet
        return {}
    statements = json.loads(answer["Policy"])["Statement"]
    return {each["Sid"]: _as_settings(each) for each in statements if "Sid" in each}


def steps(
    parameters: Parameters, found: Mapping[str, Mapping[str, Any]] | None, *, prune: bool
) -> Iterator[Step]:
    """Yield each statement that is missing, or differs: it is removed and added again.

    Of those that nobody wants only our own go, when a URL is not public any more.
    """
    named = {"FunctionName": parameters.name, **parameters.qualifier}
    wanted, public = _wanted(parameters), [str(each["StatementId"]) for each in _PUBLIC_URL]
    gone = [each for each in public if each in (found or {}) and each not in wanted]
    for identifier in (*wanted, *gone):
        before: Mapping[str, Any] = (found or {}).get(identifier, {})
        permission = wanted.get(identifier)
        after = _comparable(permission) if permission else {}
        changes = tuple(
            Change(
                key=f"permissions.{identifier}.{key}", before=before.get(key), after=after.get(key)
            )
            for key in {**before, **after}
            if before.get(key) != after.get(key)
        )
        if not changes:
            continue
        remove = Call(
            operation="remove_permission",
            parameters={**named, "StatementId": identifier},
            done_already=("ResourceNotFoundException",),
        )
        add = Call(operation="add_permission", parameters={**named, **(permission or {})})
        calls = ((remove,) if before else ()) + ((add,) if permission else ())
        yield Step(changes=changes, calls=calls)


def _wanted(parameters: Parameters) -> dict[str, Mapping[str, Any]]:
    function = parameters.function
    public = function.url is not None and function.url["AuthType"] == "NONE"
    permissions = (*(_PUBLIC_URL if public else ()), *(function.permissions or ()))
    return {each["StatementId"]: each for each in permissions}


def _as_settings(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement in the shape that AddPermission takes.

    What AddPermission cannot say keeps its own name, and so differs from all settings.
    """
    found = {"Action": statement.get("Action"), "Principal": statement.get("Principal")}
    if isinstance(found["Principal"], Mapping) and len(found["Principal"]) == 1:
        (found["Principal"],) = found["Principal"].values()  # of {"Service": …} and {"AWS": …}
    if statement.get("Effect") != "Allow":
        found["Effect"] = statement.get("Effect")
    for condition in statement.get("Condition", {}).values():
        for key, value in condition.items():
            found[_CONDITIONS.get(key.lower(), key)] = value
    return _comparable(found)


def _comparable(permission: Mapping[str, Any]) -> dict[str, Any]:
    """Return a permission without its ID, and with each value in one of its forms.

    AWS tells an account as its root user, and booleans as texts.
    """
    found = {key: value for key, value in permission.items() if key != "StatementId"}
    account = re.fullmatch(r"arn:[\w-]+:iam::(\d{12}):root", str(found["Principal"]))
    if account:
        found["Principal"] = account[1]
    if "InvokedViaFunctionUrl" in found:
        found["InvokedViaFunctionUrl"] = str(found["InvokedViaFunctionUrl"]).lower()
    return found
