"""Parameters with read and Put operations of their own, such as the reserved concurrency."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from ...config.functions import Function
from ...ui.aws_errors import error_code
from ..clients import Account
from ..diff import diff_values
from ..iam_actions import CHANGING, READING, Need, Scope, Subject, need
from ..parameters import Parameters, extract_parameters, input_shape, own_members, select
from .attachment import Attachment, AttachmentUpdate, Call

# "PutFunctionEventInvokeConfig" and its like, Lambda API reference.
_DEFAULTS = {
    "MaximumEventAgeInSeconds": 21_600,
    "MaximumRetryAttempts": 2,
    "RecursiveLoop": "Terminate",
    "UpdateRuntimeOn": "Auto",
}
_NOT_FOUND = ("ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException")
_PROVISIONED = "ProvisionedConcurrentExecutions"


def _select_wanted(put: str, function: Function) -> dict[str, Any]:
    return select(function.parameters, own_members(put))


def _read_concurrency(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the reserved concurrency, which GetFunction's answer contains."""
    concurrency: Mapping[str, Any] = function.get("Concurrency", {})
    return concurrency


def _read_with(
    get: str,
    put: str,
    qualified: bool,
    parameters: Parameters,
    account: Account,
    function: Mapping[str, Any],
) -> Mapping[str, Any]:
    qualifier = parameters.qualifier if qualified else {}
    if "Qualifier" in input_shape(get).required_members and not qualifier:
        return {}
    try:
        answer = getattr(account.client("lambda"), xform_name(get))(
            FunctionName=parameters.name, **qualifier
        )
    except ClientError as error:
        if error_code(error) not in _NOT_FOUND:
            raise
        return {}
    if answer.get("Status") == "FAILED":  # provisioned concurrency that is not in force
        return {}
    # GetProvisionedConcurrencyConfig distinguishes what is requested from what is available.
    return {key: answer.get(key, answer.get(f"Requested{key}")) for key in own_members(put)}


def _diff_with(
    put: str,
    qualified: bool,
    parameters: Parameters,
    found: Mapping[str, Any] | None,
    prune: bool,
) -> Iterator[AttachmentUpdate]:
    """Yield a call if a parameter differs.

    It has all that AWS has of the others, too: PutFunctionEventInvokeConfig would reset them.
    """
    wanted = _select_wanted(put, parameters.function)
    if found is None and wanted.keys() <= parameters.create.keys():
        return  # CreateFunction takes them
    actual = found or {}
    changes = tuple(
        change
        for key, value in wanted.items()
        for change in diff_values(key, value, actual.get(key))
    )
    if changes:
        others = {key: value for key, value in actual.items() if value not in (None, "")}
        qualifier = parameters.qualifier if qualified else {}
        call = Call(
            operation=xform_name(put),
            parameters={"FunctionName": parameters.name, **qualifier, **others, **wanted},
        )
        yield AttachmentUpdate(changes=changes, calls=(call,), after_alias=qualified)


def _export_from(put: str, found: Mapping[str, Any], attached: Mapping[str, Any]) -> dict[str, Any]:
    return extract_parameters(put, found, _DEFAULTS)


def _check_alias(function: Function) -> Iterator[str]:
    if _PROVISIONED in function.parameters and not function.alias:
        yield f"`{function.key}.{_PROVISIONED}` requires `alias`."


def _on_signing(subject: Subject) -> Scope:
    arn = subject.layer.parameters.get("CodeSigningConfigArn")
    return Scope("CodeSigning", (str(arn),) if arn else ())


def _declare(
    put: str,
    get: str | None,
    *,
    qualified: bool = False,
    actions: Iterable[Need] = (),
    **fields: Any,
) -> Attachment:
    """Declare the parameters of a Put operation; a `qualified` one is for the alias, if any."""
    return Attachment(
        order=3,
        operation=put,
        is_configured=lambda parameters: bool(_select_wanted(put, parameters.function)),
        read=partial(_read_with, get, put, qualified) if get else _read_concurrency,
        in_function=get is None,
        diff=partial(_diff_with, put, qualified),
        export=partial(_export_from, put),
        actions=(
            *([need(f"lambda:{get}", tasks=READING)] if get else ()),
            need(f"lambda:{put}", tasks=CHANGING),
            *actions,
        ),
        unsupported=("InvalidParameterValueException",),  # images have no code signing
        **fields,
    )


ATTACHMENTS = (
    _declare("PutFunctionConcurrency", None),
    _declare(
        "PutFunctionEventInvokeConfig",
        "GetFunctionEventInvokeConfig",
        qualified=True,
    ),
    _declare("PutRuntimeManagementConfig", "GetRuntimeManagementConfig"),
    _declare("PutFunctionRecursionConfig", "GetFunctionRecursionConfig"),
    _declare(
        "PutFunctionCodeSigningConfig",
        "GetFunctionCodeSigningConfig",
        actions=[need("lambda:PutFunctionCodeSigningConfig", tasks=CHANGING, on=_on_signing)],
    ),
    _declare(
        "PutProvisionedConcurrencyConfig",
        "GetProvisionedConcurrencyConfig",
        qualified=True,
        check=_check_alias,
    ),
)
