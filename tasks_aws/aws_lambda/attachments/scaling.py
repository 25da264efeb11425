"""How many execution environments a function has on Lambda Managed Instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...config.functions import Function
from ...sdk.models import service_model
from ..clients import Account
from ..diff import diff_values
from ..iam_actions import CHANGING, READING, need
from ..parameters import LATEST_PUBLISHED, Parameters
from .attachment import Attachment, AttachmentUpdate, Call

_MANAGED = ("CapacityProviderConfig",)
_PUT, _KEY = "PutFunctionScalingConfig", "FunctionScalingConfig"


def _is_configured(parameters: Parameters) -> bool:
    return _KEY in parameters.function.parameters


def _check_scaling(function: Function) -> Iterator[str]:
    key = f"{function.key}.{_KEY}"
    if _KEY in function.removed:
        yield f"`{key}` cannot be none: Lambda has no operation that removes it."
    if _KEY not in function.parameters:
        return
    if "CapacityProviderConfig" not in function.parameters:
        yield f"`{key}` requires `CapacityProviderConfig`."
    if function.alias:
        yield (
            f"`{key}` cannot be set with `alias`: it belongs to one version, and each deploy "
            "publishes another."
        )


def _read_scaling(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return what is asked for, of a function on managed instances whose callers get no alias."""
    if not function and not _is_configured(parameters):
        return None  # nothing can be said of what no setting names: it cannot be removed
    managed = parameters.managed or "CapacityProviderConfig" in function.get("Configuration", {})
    if parameters.function.alias or not managed:
        return None
    client = account.client("lambda")
    try:
        answer = client.get_function_scaling_config(
            FunctionName=parameters.name, Qualifier=LATEST_PUBLISHED
        )
    except client.exceptions.ResourceNotFoundException:  # not published yet
        return None
    found: Mapping[str, Any] | None = answer.get(f"Requested{_KEY}")
    return found


def _diff_scaling(parameters: Parameters, found: Any) -> Iterator[AttachmentUpdate]:
    wanted = parameters.function.parameters.get(_KEY)
    changes = tuple(diff_values(_KEY, wanted, found)) if wanted else ()
    if changes:
        put = Call(
            operation="put_function_scaling_config",
            parameters={
                "FunctionName": parameters.name,
                "Qualifier": LATEST_PUBLISHED,
                _KEY: {**(found or {}), **(wanted or {})},
            },
        )
        yield AttachmentUpdate(changes=changes, calls=(put,))


def _export_scaling(found: Any, attached: Mapping[str, Any]) -> dict[str, Any]:
    return {_KEY: dict(found)} if found else {}


_SCALING = Attachment(
    order=3,
    operation=_PUT,
    is_configured=_is_configured,
    check=_check_scaling,
    read=_read_scaling,
    diff=_diff_scaling,
    export=_export_scaling,
    actions=(
        need("lambda:GetFunctionScalingConfig", tasks=READING, settings=_MANAGED),
        need("lambda:PutFunctionScalingConfig", tasks=CHANGING),
    ),
)

# An older botocore knows nothing of managed instances.
ATTACHMENTS = (_SCALING,) if _PUT in service_model("lambda").operation_names else ()
