"""A function as AWS has it, in the shape of the settings that describe it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import FunctionError
from ..ui.output import format_duration, say, warn
from .attachments import pick_attachments, reads_of_attachments
from .clients import Account
from .iam_actions import need
from .images import read_image_digest
from .parameters import Parameters
from .retry import NEW_VERSION, UPDATE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RemoteFunction:
    """A function as AWS has it; configurations are as `normalize_configuration` returns them."""

    configuration: Mapping[str, Any] = field(repr=False)  # of $LATEST
    alias_configuration: Mapping[str, Any] | None = field(repr=False)  # of the alias's version
    alias: Mapping[str, Any] | None  # GetAlias's answer
    attachments: Mapping[str, Any] = field(repr=False)  # by `Attachment.read`
    image_digest: str | None = None  # of the image that the tag in the settings means now


def read_remote_function(
    parameters: Parameters, account: Account, *, ahead: bool
) -> RemoteFunction | None:
    """Read a function, and its attachments as far as the settings name them.

    A plain function costs one call, an alias two, an image and each attachment one. All of them
    are made at once: `ahead` of the function itself, which may not exist, or when it is known to.
    An update in progress is waited for.
    """
    name, alias = parameters.name, parameters.function.alias
    first = None if ahead else wait_until_settled(name, account)
    if first is None and not ahead:
        return None
    attachments = reads_of_attachments(parameters, account)
    reads = [
        lambda: first or get_function(name, account),
        lambda: alias and get_function(name, account, qualifier=alias),
        lambda: alias and get_alias(name, alias, account),
        lambda: read_image_digest(parameters, account),
        *attachments.values(),
    ]
    with account.at_once(*reads) as (function, behind_alias, alias_read, image, *attached):
        answer = function.result()
        if answer is None:
            return None
        if not _find_transition(answer["Configuration"]):
            _warn_of_unreadable_parts(name, answer)
            behind = behind_alias.result()
            return RemoteFunction(
                configuration=normalize_configuration(answer),
                alias_configuration=behind and normalize_configuration(behind),
                alias=alias_read.result() or None,
                image_digest=image.result(),
                attachments={
                    **pick_attachments(parameters, account, answer),
                    **{key: each.result() for key, each in zip(attachments, attached, strict=True)},
                },
            )
    return read_remote_function(parameters, account, ahead=False)


def get_function(
    name: str, account: Account, *, qualifier: str | None = None
) -> dict[str, Any] | None:
    """Return GetFunction's answer, or None if there is no such function, version or alias."""
    client = account.client("lambda")
    options = {"Qualifier": qualifier} if qualifier else {}
    try:
        answer: dict[str, Any] = client.get_function(FunctionName=name, **options)
    except client.exceptions.ResourceNotFoundException:
        return None
    return answer


def get_alias(name: str, alias: str, account: Account) -> dict[str, Any] | None:
    """Return GetAlias's answer, or None if there is no such alias."""
    client = account.client("lambda")
    try:
        answer: dict[str, Any] = client.get_alias(FunctionName=name, Name=alias)
    except client.exceptions.ResourceNotFoundException:
        return None
    return answer


def list_aliases(name: str, account: Account) -> list[dict[str, Any]]:
    """Return all aliases of a function, as ListAliases returns them."""
    pages = account.client("lambda").get_paginator("list_aliases").paginate(FunctionName=name)
    return [alias for page in pages for alias in page["Aliases"]]


def get_weights(alias: Mapping[str, Any]) -> dict[str, float]:
    """Return an alias's AdditionalVersionWeights: the traffic that goes to other versions."""
    return dict(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {})


def normalize_configuration(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's configuration in the shape of the settings, from GetFunction's answer.

    What AWS returns in another shape than it takes is converted; empty values are left out.
    """
    found = dict(answer["Configuration"])
    found["Layers"] = [layer["Arn"] for layer in found.get("Layers", [])]
    found["ImageConfig"] = found.pop("ImageConfigResponse", {}).get("ImageConfig")
    code = answer.get("Code", {})
    for key in ("ImageUri", "ResolvedImageUri", "SourceKMSKeyArn"):
        found[key] = code.get(key)
    # What Lambda refers to is named only if it has no copy of its own.
    found["S3ObjectStorageMode"] = "REFERENCE" if code.get("ResolvedS3Object") else "COPY"
    if "Environment" in found:  # without its Error
        found["Environment"] = {"Variables": found["Environment"].get("Variables", {})}
    if "VpcConfig" in found:  # without the VpcId
        vpc = found["VpcConfig"]
        found["VpcConfig"] = {key: value for key, value in vpc.items() if key != "VpcId"}
    if "SnapStart" in found:
        found["SnapStart"] = {"ApplyOn": found["SnapStart"].get("ApplyOn", "None")}
    return {key: value for key, value in found.items() if value not in (None, [], {}, "")}


def wait_until_settled(
    name: str, account: Account, *, qualifier: str | None = None
) -> dict[str, Any] | None:
    """Wait until no update of a function is in progress; return GetFunction's answer then.

    With a qualifier, wait until that version is ready.
    """
    wait = NEW_VERSION if qualifier else UPDATE
    deadline, pauses = time.monotonic() + wait.seconds, wait.pauses()
    told = False
    while True:
        answer = get_function(name, account, qualifier=qualifier)
        state = answer and _find_transition(answer["Configuration"])
        if not state:
            return answer
        if time.monotonic() > deadline:
            raise FunctionError(
                f"Lambda is still updating {name} after {format_duration(wait.seconds)}.",
                why=f"{state}.",
                fix="Check the function in the console, and run this again when it is updated.",
            )
        pause = next(pauses)
        if pause == wait.longest_pause and not told:
            say("waiting", f"{name}  for {wait.subject}: {state}")
            told = True
        time.sleep(pause)


def _find_transition(configuration: Mapping[str, Any]) -> str:
    """Return the transitional state of a function, or an empty string if it is settled."""
    # A function that is being created has no LastUpdateStatus yet.
    if configuration.get("State") == "Pending":
        return "State is Pending"
    in_progress = configuration.get("LastUpdateStatus") == "InProgress"
    return "LastUpdateStatus is InProgress" if in_progress else ""


def _warn_of_unreadable_parts(name: str, answer: Mapping[str, Any]) -> None:
    """Explain why a plan may show differences that do not exist."""
    environment = answer["Configuration"].get("Environment", {}).get("Error", {})
    for part, error in (("environment", environment), ("tags", answer.get("TagsError", {}))):
        if error:
            reason = error.get("Message")
            warn(f"The {part} of {name} cannot be read and will be set again: {reason}")


ACTIONS = (
    need("lambda:GetFunction", tasks=("plan", "deploy", "status", "destroy", "init")),
    need("lambda:GetFunction", tasks=("rollback",), settings=("alias",)),
    need("lambda:GetAlias", tasks=("plan", "deploy", "status", "rollback"), settings=("alias",)),
    need("lambda:ListAliases", tasks=("prune", "destroy", "init")),
    need("lambda:ListAliases", tasks=("deploy",), settings=("alias", "keep_versions")),
)
