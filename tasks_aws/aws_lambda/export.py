"""The settings of a function that exists, as one would have written them to deploy it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from ..config.functions import Function
from ..errors import FunctionError
from ..ui.aws_errors import error_code
from ..ui.output import warn
from . import attachments as around
from .clients import Account
from .parameters import OWN_CALLS, OwnCalls, Parameters, lambda_model
from .remote_state import as_settings, settled

# What Lambda sets where nothing is said: "CreateFunction", "CreateEventSourceMapping",
# "CreateFunctionUrlConfig" and the Put operations of the Lambda API reference.
_DEFAULTS: dict[str, Any] = {
    "Architectures": ["x86_64"],
    "EphemeralStorage": {"Size": 512},
    "MemorySize": 128,
    "PackageType": "Zip",
    "SnapStart": {"ApplyOn": "None"},
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
    "MaximumEventAgeInSeconds": 21_600,
    "MaximumRetryAttempts": 2,
    "RecursiveLoop": "Terminate",
    "UpdateRuntimeOn": "Auto",
}
_URL_DEFAULTS: dict[str, Any] = {"InvokeMode": "BUFFERED"}
_EVENT_DEFAULTS: dict[str, Any] = {
    "BisectBatchOnFunctionError": False,
    "Enabled": True,
    "MaximumBatchingWindowInSeconds": 0,
    "MaximumRecordAgeInSeconds": -1,
    "MaximumRetryAttempts": -1,
    "ParallelizationFactor": 1,
    "TumblingWindowInSeconds": 0,
}


def existing(function: Function, account: Account) -> dict[str, Any]:
    """Return the settings of an existing function, without its source.

    Of the settings that there are only the names and the alias are used. What the credentials
    may not read, and what a deploy cannot set, is left out with a warning. Raises
    `FunctionError` if there is no such function.
    """
    name = str(function.parameters.get("FunctionName", function.name))
    answer = settled(name, account)
    if answer is None:
        raise FunctionError(
            f"There is no function {name} in {account}.", fix="Correct the name, or the region."
        )
    configuration = as_settings(answer)
    alias = function.alias or _alias(name, account)
    everything = _everything(function, name, alias, configuration)
    found = {each: _read(each, everything, account, answer) for each in around.PARTS}
    tags = {k: v for k, v in answer.get("Tags", {}).items() if not k.startswith("aws:")}
    image = configuration.get("ImageUri")
    settings = {
        "FunctionName": name if name != function.name else None,
        **_parameters({**configuration, "Tags": tags}, name),
        "Code": {"ImageUri": image} if image else None,
        **{key: value for each in _own(everything, account, answer) for key, value in each.items()},
        "alias": alias,
        "log_retention_days": (found["log_group"] or {}).get("retentionInDays"),
        "url": _of("CreateFunctionUrlConfig", found["url"] or {}, _URL_DEFAULTS),
        "permissions": [*_permissions(found["permissions"] or {}, found["url"] or {})],
        "events": [
            _of("CreateEventSourceMapping", each, _EVENT_DEFAULTS) for each in found["events"] or ()
        ],
    }
    return _without(settings, _DEFAULTS)


def _everything(
    function: Function, name: str, alias: str | None, configuration: Mapping[str, Any]
) -> Parameters:
    """Return parameters that name all there is around a function, so that all of it is read."""
    named = Function(
        name=function.name,
        key=function.key,
        parameters={},
        alias=alias,
        events=({"Enabled": True, "Tags": {}},),
        url={"AuthType": "AWS_IAM"},
        permissions=({"StatementId": ""},),
        log_retention_days=1,
    )
    return Parameters(
        function=named,
        name=name,
        create={key: configuration[key] for key in ("LoggingConfig",) if key in configuration},
        configuration={},
        code={},
        own={},
        image=False,
    )


def _alias(name: str, account: Account) -> str | None:
    """Return the alias of a function if it has just one."""
    pages = account.client("lambda").get_paginator("list_aliases").paginate(FunctionName=name)
    aliases = [alias["Name"] for page in pages for alias in page["Aliases"]]
    if len(aliases) > 1:
        warn(
            f"{name} has the aliases {', '.join(aliases)}: add `alias` with the one that deploy "
            "shall move. What belongs to an alias is left out."
        )
    return aliases[0] if len(aliases) == 1 else None


def _read(part: str, everything: Parameters, account: Account, answer: Mapping[str, Any]) -> Any:
    return _allowed(part, lambda: around.PARTS[part].read(everything, account, answer))


def _own(
    everything: Parameters, account: Account, answer: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Yield the parameters of each group that has calls of its own."""
    for calls in OWN_CALLS:
        if _needs_alias(calls) and not everything.function.alias:
            continue
        keys = sorted(calls.keys(lambda_model()))
        asked = replace(everything, own={calls: dict.fromkeys(keys)})
        found = _allowed(
            ", ".join(keys),
            lambda asked=asked: around.PARTS["own_calls"].read(asked, account, answer),  # type: ignore[misc]
            passing=("InvalidParameterValueException",),  # images have no code signing
        )
        yield {key: value for key, value in (found or {}).get(calls, {}).items() if key in keys}


def _allowed(what: str, read: Callable[[], Any], *, passing: Collection[str] = ()) -> Any:
    """Return what could be read, or nothing, with a warning, if that is not allowed."""
    try:
        return read()
    except ClientError as error:
        if error_code(error) in passing:
            return None
        if not error_code(error).startswith("AccessDenied"):
            raise
        warn(f"{what} is left out, for it may not be read: {error.response['Error']['Message']}")
        return None


def _needs_alias(calls: OwnCalls) -> bool:
    shape: Any = lambda_model().operation_model(calls.read).input_shape
    return "Qualifier" in shape.required_members


def _parameters(configuration: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = _of("CreateFunction", configuration, _DEFAULTS)
    nested: dict[str, dict[str, Any]] = {
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
        "VpcConfig": {"Ipv6AllowedForDualStack": False},
    }
    return {
        key: _without(value, nested[key]) if key in nested else value
        for key, value in found.items()
    }


def _permissions(
    statements: Mapping[str, Mapping[str, Any]], url: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    shape: Any = lambda_model().operation_model("AddPermission").input_shape
    for identifier, statement in statements.items():
        if url.get("AuthType") == "NONE" and _is_public(statement):
            continue  # comes with `url`
        unknown = [key for key in statement if key not in shape.members]
        if unknown:
            warn(
                f"The statement {identifier} of the function's policy is left out: `permissions` "
                f"cannot say {', '.join(unknown)}."
            )
            continue
        via_url = statement.get("InvokedViaFunctionUrl")
        booleans = {} if via_url is None else {"InvokedViaFunctionUrl": via_url in (True, "true")}
        yield {"StatementId": identifier, **statement, **booleans}


def _is_public(statement: Mapping[str, Any]) -> bool:
    """Tell whether a statement lets everybody call a URL without authentication."""
    by_url = statement.get("FunctionUrlAuthType") == "NONE" or "InvokedViaFunctionUrl" in statement
    return statement.get("Principal") == "*" and by_url


def _of(operation: str, values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that an operation takes, without names, empty ones and defaults."""
    shape: Any = lambda_model().operation_model(operation).input_shape
    ours = ("FunctionName", "Qualifier", "Code", "Publish")
    taken = {key: values[key] for key in shape.members if key in values and key not in ours}
    return _without(taken, defaults)


def _without(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = {key: _clean(value) for key, value in values.items()}
    return {
        key: value
        for key, value in cleaned.items()
        if value not in (None, "", [], {}) and not (key in defaults and value == defaults[key])
    }


def _clean(value: Any) -> Any:
    """Return a value in plain types of YAML, without what is empty at any depth.

    A text may be empty on purpose, such as the value of a variable.
    """
    if isinstance(value, Mapping):
        cleaned = {key: _clean(each) for key, each in value.items()}
        return {key: each for key, each in cleaned.items() if each not in (None, [], {})}
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value
