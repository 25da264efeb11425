"""A function as AWS has it, in the shape of the settings that describe it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import FunctionError
from ..ui.output import format_duration, say, warn
from .attachments import (
    ALIASES,
    Elsewhere,
    Unreadable,
    may_be_elsewhere,
    pick_attachments,
    reads_elsewhere,
    reads_of_attachments,
)
from .attachments.aliases import list_aliases
from .clients import Account
from .iam_actions import need
from .images import read_image_digest
from .parameters import Parameters
from .retry import NEW_VERSION, UPDATE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RemoteFunction:
    """A function as AWS has it; configurations are as `normalize_configuration` returns them."""

    configuration: Mapping[str, Any] = field(repr=False)  # of $LATEST
    alias_configuration: Mapping[str, Any] | None = field(repr=False)  # of what is published
    alias: Mapping[str, Any] | None  # GetAlias's answer
    attachments: Mapping[str, Any] = field(repr=False)  # of the function, or its alias, by name
    elsewhere: Elsewhere = field(default_factory=dict, repr=False)  # of $LATEST and other aliases
    image_digest: str | None = None  # of the image that the tag in the settings means now


def read_remote_function(
    parameters: Parameters, account: Account, *, ahead: bool, everything: bool = False
) -> RemoteFunction | None:
    """Read a function, and its attachments as far as the settings name them, or `everything`.

    A plain function costs one call, an alias two, an image and each attachment one. All of them
    are made at once: `ahead` of the function itself, which may not exist, or when it is known to.
    What other aliases have is read after that, if something is missing. An update in progress is
    waited for.
    """
    name, alias = parameters.name, parameters.function.alias
    published = parameters.published
    first = None if ahead else wait_until_settled(name, account)
    if first is None and not ahead:
        return None
    attachments = reads_of_attachments(parameters, account, everything=everything)
    reads = [
        lambda: first or get_function(name, account),
        lambda: published and get_function(name, account, qualifier=published),
        lambda: alias and get_alias(name, alias, account),
        lambda: read_image_digest(parameters, account),
        *attachments.values(),
    ]
    with account.at_once(*reads) as (function, behind_alias, alias_read, image, *attached):
        answer = function.result()
        if answer is None:
            return None
        if settled := not _find_transition(answer["Configuration"]):
            warn_of_unreadable_parts(account.label(name), answer, "will be set again")
            behind, alias_found = behind_alias.result(), alias_read.result()
            digest = image.result()
            found = {
                **pick_attachments(parameters, account, answer),
                **{key: each.result() for key, each in zip(attachments, attached, strict=True)},
            }
    if not settled:
        return read_remote_function(parameters, account, ahead=False, everything=everything)
    elsewhere: Elsewhere = {}
    if everything or may_be_elsewhere(parameters, found):
        elsewhere = _read_elsewhere(parameters, account, found, everything=everything)
    return RemoteFunction(
        configuration=normalize_configuration(answer),
        alias_configuration=behind and normalize_configuration(behind),
        alias=alias_found or None,
        attachments=found,
        elsewhere=elsewhere,
        image_digest=digest,
    )


def _read_elsewhere(
    parameters: Parameters, account: Account, found: Mapping[str, Any], *, everything: bool
) -> Elsewhere:
    """Read what is attached to the function itself and to its other aliases."""
    if ALIASES in found:
        aliases = [] if isinstance(found[ALIASES], Unreadable) else found[ALIASES]
    else:
        aliases = [alias["Name"] for alias in list_aliases(parameters.name, account)]
    everything = everything or ALIASES in parameters.function.removed
    reads = reads_elsewhere(parameters, account, aliases, everything=everything)
    elsewhere: dict[str | None, dict[str, Any]] = {}
    with account.at_once(*reads.values()) as reading:
        for (place, name), each in zip(reads, reading, strict=True):
            elsewhere.setdefault(place, {})[name] = each.result()
    return elsewhere


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
    if code.get("RepositoryType") == "S3":  # the object is named only if Lambda has no copy of it
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
            say("waiting", f"{account.label(name)}  for {wait.subject}: {state}")
            told = True
        time.sleep(pause)


def _find_transition(configuration: Mapping[str, Any]) -> str:
    """Return the transitional state of a function, or an empty string if it is settled."""
    # A function that is being created has no LastUpdateStatus yet.
    if configuration.get("State") == "Pending":
        return "State is Pending"
    in_progress = configuration.get("LastUpdateStatus") == "InProgress"
    return "LastUpdateStatus is InProgress" if in_progress else ""


def warn_of_unreadable_parts(name: str, answer: Mapping[str, Any], then: str) -> None:
    """Warn of what GetFunction's answer lacks; `then` says what follows from that."""
    environment = answer["Configuration"].get("Environment", {}).get("Error", {})
    for part, error in (("environment", environment), ("tags", answer.get("TagsError", {}))):
        if error:
            reason = error.get("Message")
            warn(f"The {part} of {name} cannot be read and {then}: {reason}")


# Of `_read_elsewhere`, for what the function and each of its aliases have of their own.
ELSEWHERE = need("lambda:ListAliases", tasks=("deploy",))

ACTIONS = (
    need("lambda:GetFunction", tasks=("plan", "deploy", "status", "destroy", "init")),
    need("lambda:GetFunction", tasks=("rollback",), settings=("alias",)),
    need("lambda:GetAlias", tasks=("plan", "deploy", "status", "rollback"), settings=("alias",)),
    need("lambda:ListAliases", tasks=("prune", "destroy", "init")),
    need("lambda:ListAliases", tasks=("deploy",), settings=("alias", "keep_versions")),
)
