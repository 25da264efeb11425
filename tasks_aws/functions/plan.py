"""What a deploy would change: one read, and a comparison of what the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..output import warn
from ..packaging.archive import Archive
from .model import Parameters

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The changes that bring a function to what its settings say."""

    parameters: Parameters
    archive: Archive | None  # None: a container image
    exists: bool
    configuration: Mapping[str, Any]  # the parameters of UpdateFunctionConfiguration that differ
    code: bool  # whether the archive, or what goes with it, differs

    @property
    def nothing(self) -> bool:
        """Tell whether the function is as its settings say."""
        return self.exists and not self.configuration and not self.code

    def __str__(self) -> str:
        if not self.exists:
            return "create"
        changes = [*(["code"] if self.code else []), *self.configuration]
        return f"update {', '.join(changes)}" if changes else "unchanged"


def plan(
    parameters: Parameters, archive: Archive | None, client: LambdaClient, *, force: bool = False
) -> Plan:
    """Compare a function with its settings. `force` plans to upload the code in any case."""
    current = read(parameters.name, client)
    if current is None:
        return Plan(
            parameters=parameters, archive=archive, exists=False, configuration={}, code=True
        )
    _warn_of_unused(parameters)
    wanted = {
        key: value for key, value in parameters.configuration.items() if key != "FunctionName"
    }
    architectures = parameters.code.get("Architectures")
    return Plan(
        parameters=parameters,
        archive=archive,
        exists=True,
        configuration={
            key: value for key, value in wanted.items() if _differs(key, value, current)
        },
        code=force
        or _code_differs(parameters, archive, current)
        or (architectures is not None and architectures != current.get("Architectures")),
    )


def read(name: str, client: LambdaClient) -> dict[str, Any] | None:
    """Return a function's configuration as Lambda has it, or None when there is no function."""
    try:
        found = client.get_function(FunctionName=name)
        return {**found["Configuration"], "ImageUri": found.get("Code", {}).get("ImageUri")}
    except client.exceptions.ResourceNotFoundException:
        return None


def _warn_of_unused(parameters: Parameters) -> None:
    """Say which settings an update has no use for, rather than to call them unchanged."""
    used = {*parameters.configuration, *parameters.code, "Code", "PackageType"}
    unused = [key for key in parameters.create if key not in used]
    if unused:
        warn(
            f"{parameters.name} exists: {', '.join(unused)} "
            f"{'is' if len(unused) == 1 else 'are'} used only when a function is created."
        )


def _code_differs(
    parameters: Parameters, archive: Archive | None, current: Mapping[str, Any]
) -> bool:
    if archive is None:
        return bool(current.get("ImageUri") != parameters.code["ImageUri"])
    return bool(current["CodeSha256"] != archive.code_sha256)


def _differs(key: str, wanted: Any, current: Mapping[str, Any]) -> bool:
    actual = current.get(key)
    if key == "Layers":
        actual = [layer["Arn"] for layer in actual or []]
    elif key == "ImageConfig":
        actual = current.get("ImageConfigResponse", {}).get("ImageConfig")
    elif key == "Environment":  # replaced as a whole: a variable that nobody wants has to go
        actual = {"Variables": (actual or {}).get("Variables", {})}
        return bool({"Variables": {}, **wanted} != actual)
    return not _covers(actual, wanted)


def _covers(actual: Any, wanted: Any) -> bool:
    """Tell whether a value is as wanted; AWS adds keys, and leaves out what is empty."""
    if isinstance(wanted, Mapping):
        return all(_covers((actual or {}).get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list | tuple) and isinstance(actual, list):
        return list(wanted) == actual or _ids(wanted) == _ids(actual)
    return bool(actual == wanted or (not actual and wanted in ("", [], (), False)))


def _ids(values: Any) -> Any:
    """Return resource IDs, whose order AWS does not keep, as a set; anything else as it is."""
    texts = all(isinstance(each, str) and each.startswith(("subnet-", "sg-")) for each in values)
    return set(values) if texts else list(values)
