"""Parameters that have calls of their own, such as the reserved concurrency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from ...ui.aws_errors import error_code
from ..clients import Account
from ..diff import Call, Step, differences
from ..parameters import OwnCalls, Parameters, lambda_model

_NOTHING = ("ResourceNotFoundException", "ProvisionedConcurrencyConfigNotFoundException")

Found = Mapping[OwnCalls, Mapping[str, Any]]


def read(parameters: Parameters, account: Account, function: Mapping[str, Any] | None) -> Found:
    """Return what AWS has of the parameters that the settings name, by the calls for them."""
    return {calls: _read(calls, parameters, account, function or {}) for calls in parameters.own}


def steps(parameters: Parameters, found: Found | None, *, prune: bool) -> Iterator[Step]:
    """Yield a call for each group of parameters in which one differs.

    It has what AWS has of the group, too: PutFunctionEventInvokeConfig replaces all of it.
    """
    for calls, wanted in parameters.own.items():
        if found is None and wanted.keys() <= parameters.create.keys():
            continue  # CreateFunction takes it
        actual = found[calls] if found else {}
        changes = tuple(
            change
            for key, value in wanted.items()
            for change in differences(key, value, actual.get(key))
        )
        if changes:
            kept = {key: value for key, value in actual.items() if value not in (None, "")}
            named = {"FunctionName": parameters.name, **_qualifier(calls, parameters)}
            named |= {**kept, **wanted}
            yield Step(
                changes=changes,
                calls=(Call(operation=xform_name(calls.write), parameters=named),),
                after_alias=calls.qualified,
            )


def _read(
    calls: OwnCalls, parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> Mapping[str, Any]:
    if calls.read == "GetFunctionConcurrency":  # which GetFunction answers, too
        concurrency: Mapping[str, Any] = function.get("Concurrency", {})
        return concurrency
    try:
        answer = getattr(account.client("lambda"), xform_name(calls.read))(
            FunctionName=parameters.name, **_qualifier(calls, parameters)
        )
    except ClientError as error:
        if error_code(error) not in _NOTHING:
            raise
        return {}
    if answer.get("Status") == "FAILED":  # provisioned concurrency that is not in force
        return {}
    # GetProvisionedConcurrencyConfig tells what was requested apart from what there is.
    keys = calls.keys(lambda_model())
    return {key: answer.get(key, answer.get(f"Requested{key}")) for key in keys}


def _qualifier(calls: OwnCalls, parameters: Parameters) -> Mapping[str, str]:
    return parameters.qualifier if calls.qualified else {}
