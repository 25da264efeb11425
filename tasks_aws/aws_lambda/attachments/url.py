"""The URL of a function, or of its alias."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..clients import Account
from ..diff import Change, diff_mappings, diff_unnamed, diff_values
from ..iam_actions import CHANGING, READING, REMOVING, need
from ..parameters import Parameters, extract_parameters, select
from .attachment import Attachment, AttachmentUpdate, Call

_CREATE = "CreateFunctionUrlConfig"
# "CreateFunctionUrlConfig", Lambda API reference.
_DEFAULTS: Mapping[str, Any] = {
    "Cors": {
        "AllowCredentials": False,
        "AllowHeaders": [],
        "AllowMethods": [],
        "AllowOrigins": [],
        "ExposeHeaders": [],
        "MaxAge": 0,
    },
    "InvokeMode": "BUFFERED",
}


def get_url(name: str, qualifier: Mapping[str, str], account: Account) -> dict[str, Any] | None:
    """Return GetFunctionUrlConfig's answer, or None if there is no URL."""
    client = account.client("lambda")
    try:
        answer: dict[str, Any] = client.get_function_url_config(FunctionName=name, **qualifier)
    except client.exceptions.ResourceNotFoundException:
        return None
    return answer


def _read_url(parameters: Parameters, account: Account, function: Mapping[str, Any]) -> Any:
    return get_url(parameters.name, parameters.qualifier, account)


def _diff_url(parameters: Parameters, found: Any) -> Iterator[AttachmentUpdate]:
    url = parameters.function.url
    identifiers = {"FunctionName": parameters.name, **parameters.qualifier}
    if url is None:
        if found is not None:
            yield _remove_url(parameters, found, identifiers)
        return
    if found is None:
        create = Call(operation="create_function_url_config", parameters={**identifiers, **url})
        yield AttachmentUpdate(
            changes=tuple(diff_values("url", url, None)),
            calls=(create,),
            makes=frozenset({"url"}),
        )
        return

    def update(values: Mapping[str, Any]) -> tuple[Call]:
        parameters = {**identifiers, **values}
        return (Call(operation="update_function_url_config", parameters=parameters),)

    changes, different = diff_mappings("url", _lower_headers(url), _lower_headers(found))
    if changes:
        yield AttachmentUpdate(changes=changes, calls=update(select(url, different)))
    unnamed, defaults = diff_unnamed(url, found, _DEFAULTS, "url.")
    if unnamed:
        if "Cors" in defaults:  # replaced as a whole
            defaults["Cors"] = url.get("Cors", {})
        yield AttachmentUpdate(changes=unnamed, calls=update(defaults), unnamed=True, in_part=True)


def _remove_url(
    parameters: Parameters, found: Mapping[str, Any], identifiers: Mapping[str, str]
) -> AttachmentUpdate:
    delete = Call(
        operation="delete_function_url_config",
        parameters=identifiers,
        done_already=("ResourceNotFoundException",),
    )
    return AttachmentUpdate(
        changes=(Change(key="url", before=found["FunctionUrl"]),),
        calls=(delete,),
        removes=frozenset({"url"}),
        unnamed="url" not in parameters.function.removed,
    )


def _export_url(found: Any, attached: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": extract_parameters(_CREATE, found, _DEFAULTS)}


def _lower_headers(url: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a URL's configuration with header names in lower case, as AWS stores them."""
    if "Cors" not in url:
        return url
    cors = dict(url["Cors"] or {})
    for key in ("AllowHeaders", "ExposeHeaders"):
        if key in cors:
            cors[key] = [header.lower() for header in cors[key]]
    return {**url, "Cors": cors}


ACTIONS = (need("lambda:GetFunctionUrlConfig", tasks=("status",)),)  # of `get_url`

ATTACHMENTS = (
    Attachment(
        order=4,
        key="url",
        operation=_CREATE,
        is_configured=lambda parameters: parameters.function.url is not None,
        read=_read_url,
        diff=_diff_url,
        export=_export_url,
        qualified=True,
        replacement="a new address",
        actions=(
            need("lambda:GetFunctionUrlConfig", tasks=READING),
            need(
                "lambda:CreateFunctionUrlConfig",
                "lambda:UpdateFunctionUrlConfig",
                tasks=CHANGING,
            ),
            need("lambda:DeleteFunctionUrlConfig", tasks=REMOVING),
        ),
    ),
)
