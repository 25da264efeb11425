"""Who else may call a function, or its alias: statements of its resource-based policy."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ...config.functions import Function
from ...ui.output import warn
from ..clients import Account
from ..diff import Change
from ..iam_actions import CHANGING, READING, REMOVING, need
from ..parameters import Parameters, bare_name, input_shape
from .attachment import Attachment, AttachmentUpdate, Call

_ADD = "AddPermission"

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

# AddPermission's parameters by the condition keys that a policy has for them, in lower case.
_CONDITIONS = {
    "aws:sourcearn": "SourceArn",
    "aws:sourceaccount": "SourceAccount",
    "aws:principalorgid": "PrincipalOrgID",
    "lambda:eventsourcetoken": "EventSourceToken",
    "lambda:functionurlauthtype": "FunctionUrlAuthType",
    "lambda:invokedviafunctionurl": "InvokedViaFunctionUrl",
}


def _collect_wanted(function: Function) -> dict[str, Mapping[str, Any]]:
    """Return the permissions of the settings and of a public URL, by statement ID."""
    public = function.url is not None and function.url.get("AuthType") == "NONE"
    permissions = (*(_PUBLIC_URL if public else ()), *(function.permissions or ()))
    return {each["StatementId"]: each for each in permissions}


def _is_configured(parameters: Parameters) -> bool:
    function = parameters.function
    return bool(function.permissions) or _is_url_named(function)


def _is_url_named(function: Function) -> bool:
    """Return whether the settings say which permissions of a public URL there are."""
    return function.url is not None or "url" in function.removed


def _check_statement_ids(function: Function) -> Iterator[str]:
    identifiers = Counter(each.get("StatementId") for each in function.permissions or ())
    for identifier, number in identifiers.items():
        if number > 1:
            yield f"`{function.key}.permissions` contains StatementId {identifier} more than once."


def _read_statements(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the statements of the policy by ID, as AddPermission takes them."""
    client = account.client("lambda")
    try:
        answer = client.get_policy(FunctionName=parameters.name, **parameters.qualifier)
    except client.exceptions.ResourceNotFoundException:  # no policy, or no such alias yet
        return {}
    return {
        each["Sid"]: _convert_statement(each)
        for each in json.loads(answer["Policy"])["Statement"]
        if "Sid" in each and (parameters.qualifier or not _is_of_alias(each))
    }


def _is_of_alias(statement: Mapping[str, Any]) -> bool:
    return ":" in bare_name(str(statement.get("Resource")))


def _diff_statements(
    parameters: Parameters, found: Mapping[str, Mapping[str, Any]] | None
) -> Iterator[AttachmentUpdate]:
    """Yield each statement that is missing, differs or is in no setting.

    One that differs is removed first. Those of a public URL belong to `url`.
    """
    function = parameters.function
    identifiers = {"FunctionName": parameters.name, **parameters.qualifier}
    existing, wanted = found or {}, _collect_wanted(function)
    public = [str(each["StatementId"]) for each in _PUBLIC_URL]
    for statement_id in dict.fromkeys([*wanted, *public, *existing]):
        before: Mapping[str, Any] = existing.get(statement_id, {})
        permission = wanted.get(statement_id)
        after = _normalize_permission(permission) if permission else {}
        changes = tuple(_diff_statement(f"permissions.{statement_id}", before, after))
        if not changes:
            continue
        remove = Call(
            operation="remove_permission",
            parameters={**identifiers, "StatementId": statement_id},
            done_already=("ResourceNotFoundException",),
        )
        add = Call(operation="add_permission", parameters={**identifiers, **(permission or {})})
        calls = ((remove,) if before else ()) + ((add,) if permission else ())
        name = frozenset({f"permissions.{statement_id}"})
        is_named = statement_id in public and _is_url_named(function)
        yield AttachmentUpdate(
            changes=changes,
            calls=calls,
            makes=frozenset() if before else name,
            removes=frozenset() if permission else name,
            unnamed=not (permission or is_named or "permissions" in function.removed),
        )


def _diff_statement(
    key: str, before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Change]:
    if before and not after:
        yield Change(key=key, before=before)
        return
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            yield Change(key=f"{key}.{name}", before=before.get(name), after=after.get(name))


def _export_permissions(
    found: Mapping[str, Mapping[str, Any]], attached: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the statements that AddPermission can express, without those that `url` implies."""
    url = attached.get("url") or {}
    permissions = []
    for statement_id, statement in found.items():
        if url.get("AuthType") == "NONE" and _is_public(statement):
            continue
        unknown = [key for key in statement if key not in input_shape(_ADD).members]
        if unknown:
            warn(
                f"permissions: statement {statement_id} skipped, because AddPermission does not "
                f"support {', '.join(unknown)}."
            )
            continue
        via_url = statement.get("InvokedViaFunctionUrl")
        booleans = {} if via_url is None else {"InvokedViaFunctionUrl": via_url in (True, "true")}
        permissions.append({"StatementId": statement_id, **statement, **booleans})
    return {"permissions": permissions}


def _is_public(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement lets everybody call a URL without authentication."""
    by_url = statement.get("FunctionUrlAuthType") == "NONE" or "InvokedViaFunctionUrl" in statement
    return statement.get("Principal") == "*" and by_url


def _convert_statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Return a statement as AddPermission takes it.

    What AddPermission cannot express keeps its own name, and so differs from all settings.
    """
    found = {"Action": statement.get("Action"), "Principal": statement.get("Principal")}
    if isinstance(found["Principal"], Mapping) and len(found["Principal"]) == 1:
        (found["Principal"],) = found["Principal"].values()  # of {"Service": …} and {"AWS": …}
    if statement.get("Effect") != "Allow":
        found["Effect"] = statement.get("Effect")
    for condition in statement.get("Condition", {}).values():
        for key, value in condition.items():
            found[_CONDITIONS.get(key.lower(), key)] = value
    return _normalize_permission(found)


def account_of_root(principal: Any) -> Any:
    """Return the account that a principal means, which AWS returns as its root user."""
    account = re.fullmatch(r"arn:[\w-]+:iam::(\d{12}):root", str(principal))
    return account[1] if account else principal


def _normalize_permission(permission: Mapping[str, Any]) -> dict[str, Any]:
    """Return a permission without its ID, and with one spelling of each value.

    AWS returns an account as its root user, and booleans as strings.
    """
    found = {key: value for key, value in permission.items() if key != "StatementId"}
    found["Principal"] = account_of_root(found["Principal"])
    if "InvokedViaFunctionUrl" in found:
        found["InvokedViaFunctionUrl"] = str(found["InvokedViaFunctionUrl"]).lower()
    return found


ATTACHMENTS = (
    Attachment(
        order=5,
        key="permissions",
        implied_by=("url",),
        operation=_ADD,
        is_configured=_is_configured,
        check=_check_statement_ids,
        read=_read_statements,
        diff=_diff_statements,
        export=_export_permissions,
        qualified=True,
        # Lambda has a policy for each alias, but MiniStack one for all: it refuses the same
        # statement ID twice, so that callers lose their permission for a moment.
        exclusive=True,
        actions=(
            need("lambda:GetPolicy", tasks=READING),
            need("lambda:AddPermission", tasks=CHANGING),
            need("lambda:RemovePermission", tasks=REMOVING),
        ),
    ),
)
