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
from ..diff import Change, diff_values
from ..iam_actions import CHANGING, READING, REMOVING, Need, Scope, Subject, need
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
    delete: str | None,
    qualified: bool,
    parameters: Parameters,
    found: Mapping[str, Any] | None,
) -> Iterator[AttachmentUpdate]:
    """Yield a call if a parameter differs, and one that removes what no setting names.

    A call has all that AWS has of the others, too: PutFunctionEventInvokeConfig would reset them.
    """
    wanted = _select_wanted(put, parameters.function)
    if found is None and wanted.keys() <= parameters.create.keys():
        return  # CreateFunction takes them
    actual = {key: value for key, value in (found or {}).items() if _is_set(key, value)}
    others = {key: value for key, value in actual.items() if key not in wanted}
    unnamed = {
        key: value for key, value in others.items() if key not in parameters.function.removed
    }
    identifiers = {"FunctionName": parameters.name, **(parameters.qualifier if qualified else {})}

    def update(changes: Iterable[Change], rest: Mapping[str, Any], **what: Any) -> AttachmentUpdate:
        return AttachmentUpdate(
            changes=tuple(changes),
            calls=(_make_call(put, delete, identifiers, rest),),
            after_alias=qualified,
            **what,
        )

    changes = [
        change
        for key, value in wanted.items()
        for change in diff_values(key, value, (found or {}).get(key))
    ]
    changes += _removals(others.keys() - unnamed.keys(), others)
    if changes:
        yield update(
            changes,
            {**unnamed, **wanted},
            makes=frozenset() if actual else frozenset(wanted),
        )
    if unnamed:
        changes = _removals(unnamed.keys(), unnamed)
        yield update(changes, wanted, removes=frozenset(unnamed), unnamed=True)


def _is_set(key: str, value: Any) -> bool:
    """Return whether a parameter differs from what Lambda does without it."""
    empty = isinstance(value, Mapping) and not any(value.values())
    return value not in (None, "") and not empty and value != _DEFAULTS.get(key)


def _removals(keys: Iterable[str], values: Mapping[str, Any]) -> list[Change]:
    return [Change(key=key, before=values[key]) for key in values if key in {*keys}]


def _make_call(
    put: str, delete: str | None, identifiers: Mapping[str, str], values: Mapping[str, Any]
) -> Call:
    """Return the call after which these values are set, and no others."""
    if not values and delete:
        return Call(operation=xform_name(delete), parameters=identifiers, done_already=_NOT_FOUND)
    defaults = select(_DEFAULTS, input_shape(put).required_members)
    return Call(operation=xform_name(put), parameters={**identifiers, **defaults, **values})


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
    delete: str | None,
    *,
    qualified: bool = False,
    actions: Iterable[Need] = (),
    **fields: Any,
) -> Attachment:
    """Declare the parameters of a Put operation; a `qualified` one is for the alias, if any.

    Without a Delete operation, they are removed by setting the defaults.
    """
    return Attachment(
        order=3,
        operation=put,
        is_configured=lambda parameters: bool(_select_wanted(put, parameters.function)),
        read=partial(_read_with, get, put, qualified) if get else _read_concurrency,
        in_function=get is None,
        diff=partial(_diff_with, put, delete, qualified),
        export=partial(_export_from, put),
        actions=(
            *([need(f"lambda:{get}", tasks=READING)] if get else ()),
            need(f"lambda:{put}", tasks=CHANGING),
            need(f"lambda:{delete or put}", tasks=REMOVING),
            *actions,
        ),
        qualified=qualified,
        exclusive=True,  # provisioned twice, it would cost twice
        # Images have no code signing, and some regions not all operations.
        unsupported=("InvalidParameterValueException", "UnknownOperationException"),
        **fields,
    )


ATTACHMENTS = (
    _declare("PutFunctionConcurrency", None, "DeleteFunctionConcurrency"),
    _declare(
        "PutFunctionEventInvokeConfig",
        "GetFunctionEventInvokeConfig",
        "DeleteFunctionEventInvokeConfig",
        qualified=True,
    ),
    _declare("PutRuntimeManagementConfig", "GetRuntimeManagementConfig", None),
    _declare("PutFunctionRecursionConfig", "GetFunctionRecursionConfig", None),
    _declare(
        "PutFunctionCodeSigningConfig",
        "GetFunctionCodeSigningConfig",
        "DeleteFunctionCodeSigningConfig",
        actions=[need("lambda:PutFunctionCodeSigningConfig", tasks=CHANGING, on=_on_signing)],
    ),
    _declare(
        "PutProvisionedConcurrencyConfig",
        "GetProvisionedConcurrencyConfig",
        "DeleteProvisionedConcurrencyConfig",
        qualified=True,
        check=_check_alias,
    ),
)
