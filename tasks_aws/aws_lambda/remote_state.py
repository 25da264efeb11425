"""What AWS has of a function, in the shape of the settings that describe it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import FunctionError
from ..ui.output import format_duration, say, warn
from . import attachments as around
from .clients import Account
from .parameters import Parameters
from .retry import UPDATE


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Current:
    """A function as AWS has it."""

    configuration: Mapping[str, Any] = field(repr=False)  # of $LATEST, as `as_settings` gives it
    served: Mapping[str, Any] | None = field(repr=False)  # of the version behind the alias
    weights: Mapping[str, float]  # the traffic of other versions than the alias's own
    around: Mapping[str, Any] = field(repr=False)  # what the modules of `around` have read


def read(parameters: Parameters, account: Account) -> Current | None:
    """Read a function and what lies around it, as far as the settings name it.

    A plain function costs one call, its alias two, everything around the function one each. A
    change that is under way is waited for.
    """
    found = settled(parameters.name, account)
    if found is None:
        return None
    alias = parameters.function.alias
    served = get_function(parameters.name, account, qualifier=alias) if alias else None
    shifted = find_alias(parameters.name, alias, account) if alias and served else None
    _warn_of_the_unreadable(parameters.name, found)
    return Current(
        configuration=as_settings(found),
        served=served and as_settings(served),
        weights=weights(shifted or {}),
        around=around.read(parameters, account, found),
    )


def get_function(
    name: str, account: Account, *, qualifier: str | None = None
) -> dict[str, Any] | None:
    """Return what GetFunction answers, or None when there is no such function or alias."""
    client = account.client("lambda")
    options = {"Qualifier": qualifier} if qualifier else {}
    try:
        answer: dict[str, Any] = client.get_function(FunctionName=name, **options)
    except client.exceptions.ResourceNotFoundException:
        return None
    return answer


def find_alias(name: str, alias: str, account: Account) -> dict[str, Any] | None:
    """Return what GetAlias answers, or None when there is no such alias."""
    client = account.client("lambda")
    try:
        answer: dict[str, Any] = client.get_alias(FunctionName=name, Name=alias)
    except client.exceptions.ResourceNotFoundException:
        return None
    return answer


def weights(alias: Mapping[str, Any]) -> dict[str, float]:
    """Return the shares of the traffic that other versions than the alias's own have."""
    return dict(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {})


def _warn_of_the_unreadable(name: str, answer: Mapping[str, Any]) -> None:
    """Say why a plan will show differences that may be none."""
    environment = answer["Configuration"].get("Environment", {}).get("Error", {})
    for what, error in (("environment", environment), ("tags", answer.get("TagsError", {}))):
        if error:
            warn(f"The {what} of {name} may not be read, and will be set: {error.get('Message')}")


def as_settings(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return a function's configuration in the shape that the settings have.

    What AWS answers in another shape than it takes is turned back, and empty parts are left out.
    """
    found = dict(answer["Configuration"])
    found["Layers"] = [layer["Arn"] for layer in found.get("Layers", [])]
    found["ImageConfig"] = found.pop("ImageConfigResponse", {}).get("ImageConfig")
    found["ImageUri"] = answer.get("Code", {}).get("ImageUri")
    if "Environment" in found:  # without its Error
        found["Environment"] = {"Variables": found["Environment"].get("Variables", {})}
    if "VpcConfig" in found:  # without the VpcId
        vpc = found["VpcConfig"]
        found["VpcConfig"] = {key: value for key, value in vpc.items() if key != "VpcId"}
    if "SnapStart" in found:
        found["SnapStart"] = {"ApplyOn": found["SnapStart"].get("ApplyOn", "None")}
    return {key: value for key, value in found.items() if value not in (None, [], {}, "")}


def settled(name: str, account: Account, *, qualifier: str | None = None) -> dict[str, Any] | None:
    """Wait until no change to a function is under way; return what GetFunction answers then."""
    deadline, pauses, told = time.monotonic() + UPDATE.seconds, UPDATE.pauses(), False
    while True:
        answer = get_function(name, account, qualifier=qualifier)
        state = _is_changing(answer["Configuration"]) if answer else ""
        if not state:
            return answer
        if time.monotonic() > deadline:
            raise FunctionError(
                f"A change to {name} did not end within {format_duration(UPDATE.seconds)}.",
                why=f"Lambda reports {state}.",
                fix="Look at the function in the console; run this again when it is done.",
            )
        pause = next(pauses)
        if pause == UPDATE.longest_pause and not told:
            say("waiting", f"{name}  for {UPDATE.subject}: {state}")
            told = True
        time.sleep(pause)


def _is_changing(configuration: Mapping[str, Any]) -> str:
    """Return the state that passes, such as Pending, or nothing."""
    # A function that is being created has no LastUpdateStatus yet.
    if configuration.get("State") == "Pending":
        return "Pending"
    return "InProgress" if configuration.get("LastUpdateStatus") == "InProgress" else ""
