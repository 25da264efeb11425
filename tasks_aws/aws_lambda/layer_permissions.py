"""Who else may use a version of a layer: the statements of its resource-based policy.

A version has the statements of the settings and no others: a new one begins without any.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..config.functions import Layer
from ..config.references import Unresolved
from .attachments.permissions import account_of_root
from .diff import Change
from .iam_actions import Scope, Subject, need
from .parameters import input_shape, layer_name
from .validation import find_problems

# The parameters of AddLayerVersionPermission, without the version.
LayerPermission = Mapping[str, Any]

_ADD = "AddLayerVersionPermission"
_ACTION = "lambda:GetLayerVersion"  # the only one that there is


def check_permissions(layer: Layer) -> Iterator[str]:
    """Yield what is wrong with the permissions of a layer."""
    identifiers = {"LayerName": layer.name, "VersionNumber": 1}
    found: set[Any] = set()
    for index, given in enumerate(layer.permissions or ()):
        key = f"{layer.key}.permissions[{index}]"
        for each in (*identifiers, "RevisionId"):
            if each in given:
                yield f"`{key}.{each}` cannot be set: `deploy` sets it."
        yield from find_problems(
            input_shape(_ADD), {**given, **identifiers, **_complete(given)}, key
        )
        principal = given.get("Principal")
        if "OrganizationId" in given and not isinstance(principal, Unresolved) and principal != "*":
            yield f"`{key}.Principal` must be * with an OrganizationId."
        if (statement := given.get("StatementId")) is None:
            continue  # that it is missing is a problem already
        if (statement := str(statement)) in found:
            yield f"`{layer.key}.permissions` contains StatementId {statement} more than once."
        found.add(statement)


def read_permissions(client: Any, version: Mapping[str, Any]) -> dict[str, LayerPermission]:
    """Return the permissions of a version of a layer by statement ID."""
    try:
        answer = client.get_layer_version_policy(**version)
    except client.exceptions.ResourceNotFoundException:  # no policy
        return {}
    return {each["Sid"]: _convert(each) for each in json.loads(answer["Policy"])["Statement"]}


def diff_permissions(layer: Layer, found: Mapping[str, LayerPermission]) -> Iterator[Change]:
    """Yield what differs between the permissions of the settings and those of a version."""
    if layer.permissions is None:
        return
    wanted = _wanted(layer)
    for statement in {**found, **wanted}:
        before, after = (_describe(each.get(statement)) for each in (found, wanted))
        if before != after:
            key = f"{layer.label}: permissions.{statement}"
            yield Change(key=key, before=before, after=after)


def set_permissions(
    client: Any, version: Mapping[str, Any], layer: Layer, found: Mapping[str, LayerPermission]
) -> bool:
    """Give a version the permissions of the settings; return whether it had others."""
    wanted = _wanted(layer)
    different = [each for each in {**found, **wanted} if found.get(each) != wanted.get(each)]
    for statement in different:
        if statement in found:
            client.remove_layer_version_permission(**version, StatementId=statement)
        if statement in wanted:
            _add(client, version, statement, wanted[statement])
    return bool(different)


def _add(
    client: Any, version: Mapping[str, Any], statement: str, permission: LayerPermission
) -> None:
    try:
        client.add_layer_version_permission(**version, StatementId=statement, **permission)
    except client.exceptions.ResourceConflictException:
        # botocore sends it again if the response was lost.
        if read_permissions(client, version).get(statement) != permission:
            raise


def _wanted(layer: Layer) -> dict[str, LayerPermission]:
    return {str(each["StatementId"]): _complete(each) for each in layer.permissions or ()}


def _complete(given: LayerPermission) -> dict[str, Any]:
    """Return a permission without its ID, and with one spelling of each value."""
    found = {"Action": _ACTION, **given}
    found.pop("StatementId", None)
    if "Principal" in found:
        found["Principal"] = account_of_root(found["Principal"])
    return found


def _convert(statement: Mapping[str, Any]) -> LayerPermission:
    """Return a statement as AddLayerVersionPermission takes it."""
    principal = statement.get("Principal")
    found = {
        "Action": statement.get("Action"),
        "Principal": principal["AWS"] if isinstance(principal, Mapping) else principal,
    }
    for key, value in statement.get("Condition", {}).get("StringEquals", {}).items():
        if key.lower() == "aws:principalorgid":
            found["OrganizationId"] = value
    return _complete(found)


def _describe(permission: LayerPermission | None) -> str | None:
    if permission is None:
        return None
    organization = permission.get("OrganizationId")
    principal = str(permission["Principal"])
    return f"{principal} of {organization}" if organization else principal


def on_versions(subject: Subject) -> Scope:
    """Return the versions of a layer."""
    arn = subject.arn("lambda", f"layer:{layer_name(subject.layer)}:*")
    return Scope("LayerVersions", (arn,))


def _on_shared_versions(subject: Subject) -> Scope:
    nothing = subject.layer.permissions is None  # an empty list removes them
    return Scope("", ()) if nothing else on_versions(subject)


# Of layers, not of functions.
ACTIONS = (
    need("lambda:GetLayerVersionPolicy", tasks=("plan", "deploy"), on=_on_shared_versions),
    need(
        "lambda:AddLayerVersionPermission",
        "lambda:RemoveLayerVersionPermission",
        tasks=("deploy",),
        on=_on_shared_versions,
    ),
)
