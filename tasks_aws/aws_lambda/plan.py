"""What a deploy would change: a comparison of the settings with what AWS has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import FunctionError, SettingsError
from ..packaging.archive import Archive
from ..ui.output import format_size
from . import attachments as around
from .diff import Change, Step, differences
from .parameters import Parameters
from .remote_state import Current

# Parameters of CreateFunction that no other call takes: they hold for a function's whole life.
_FOR_LIFE = ("PackageType", "TenancyConfig")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The changes that bring a function to what its settings say."""

    parameters: Parameters
    archive: Archive | None  # None: a container image
    current: Current | None  # None: there is no such function
    configuration: Mapping[str, Any]  # the parameters of UpdateFunctionConfiguration that differ
    code: bool  # whether the archive, or what goes with it, differs
    alias: bool  # whether the alias has to move, or to be made
    steps: tuple[Step, ...]  # around the function
    changes: tuple[Change, ...]  # all of these, for people

    @property
    def nothing(self) -> bool:
        """Tell whether the function is as its settings say."""
        return not self.changes

    def __str__(self) -> str:
        if self.current is None:
            return "create"
        parts = dict.fromkeys(change.key.split(".")[0] for change in self.changes)
        return f"update {', '.join(parts)}" if parts else "unchanged"


def plan(
    parameters: Parameters,
    archive: Archive | None,
    current: Current | None,
    *,
    force: bool = False,
    prune: bool = False,
) -> Plan:
    """Compare a function with its settings.

    `force` plans to upload the code in any case, `prune` to remove event source mappings that
    the settings do not name. Raises `SettingsError` for what a new function lacks, and
    `FunctionError` for what cannot be changed.
    """
    steps = tuple(around.steps(parameters, current.around if current else None, prune=prune))
    around_it = [change for step in steps for change in step.changes]
    if current is None:
        if "Role" not in parameters.create:
            raise SettingsError(
                f"`{parameters.function.key}.Role` is missing.",
                why="The function does not exist yet, and Lambda creates none without a role.",
                fix="Set it to the ARN of the role that the function runs with.",
            )
        return Plan(
            parameters=parameters,
            archive=archive,
            current=None,
            configuration=parameters.configuration,
            code=True,
            alias=parameters.function.alias is not None,
            steps=steps,
            changes=(*_created(parameters, archive), *around_it),
        )
    _check_for_life(parameters, current)
    actual = current.configuration
    code = [*_code_changes(parameters, archive, actual, force=force)]
    # What failed may be told in the configuration and not be in force.
    failed = "Failed" in (actual.get("State"), actual.get("LastUpdateStatus"))
    changes = [*_configuration_changes(parameters, {} if failed else actual)]
    if failed and not changes and not code:
        changes.append(Change(key="state", before="Failed", after="Active"))
    changed = {change.key.split(".")[0] for change in changes}
    alias = [*_alias_changes(parameters, archive, current, moves=bool(code or changes))]
    return Plan(
        parameters=parameters,
        archive=archive,
        current=current,
        configuration={
            key: value for key, value in parameters.configuration.items() if key in changed
        },
        code=bool(code) or failed,
        alias=bool(alias),
        steps=steps,
        changes=(*changes, *code, *alias, *around_it),
    )


def is_wanted(
    parameters: Parameters, archive: Archive | None, configuration: Mapping[str, Any]
) -> bool:
    """Tell whether the code and configuration of a function or version are what settings say.

    But for the description, which of a version is the commit.
    """
    changes = [
        *_configuration_changes(parameters, configuration),
        *_code_changes(parameters, archive, configuration, force=False),
    ]
    return all(change.key == "Description" for change in changes)


def _created(parameters: Parameters, archive: Archive | None) -> list[Change]:
    named = {"FunctionName": parameters.name, **parameters.create}
    changes = [
        change
        for key, value in named.items()
        if key != "Code"
        for change in differences(key, value, None)
    ]
    changes.append(Change(key="code", after=_described(parameters, archive)))
    if parameters.function.alias:
        changes.append(Change(key=f"alias {parameters.function.alias}", after="the new version"))
    return changes


def _configuration_changes(parameters: Parameters, actual: Mapping[str, Any]) -> list[Change]:
    return [
        change
        for key, value in parameters.configuration.items()
        for change in differences(key, value, actual.get(key))
    ]


def _code_changes(
    parameters: Parameters, archive: Archive | None, actual: Mapping[str, Any], *, force: bool
) -> list[Change]:
    wanted = parameters.code.get("ImageUri") if archive is None else archive.code_sha256
    before = actual.get("ImageUri" if archive is None else "CodeSha256")
    changes = []
    if wanted != before or force:
        changes.append(Change(key="code", before=before, after=_described(parameters, archive)))
    if "Architectures" in parameters.code:
        changes += differences(
            "Architectures", parameters.code["Architectures"], actual.get("Architectures")
        )
    return changes


def _alias_changes(
    parameters: Parameters, archive: Archive | None, current: Current, *, moves: bool
) -> list[Change]:
    """Return the move of the alias, if the version behind it is not what the settings say."""
    alias, served = parameters.function.alias, current.served
    if alias is None:
        return []
    if (
        served
        and not moves
        and served.get("Version") != "$LATEST"
        and is_wanted(parameters, archive, served)
    ):
        return [
            Change(key=f"alias {alias}: weight of version {version}", before=weight)
            for version, weight in current.weights.items()
        ]
    before = f"version {served['Version']}" if served else None
    return [Change(key=f"alias {alias}", before=before, after="the new version")]


def _described(parameters: Parameters, archive: Archive | None) -> str:
    if archive is None:
        uri: str = parameters.code["ImageUri"]  # not str(uri), which would show a secret
        return uri
    return f"{archive.code_sha256} ({format_size(archive.size)}, {archive.files} files)"


def _check_for_life(parameters: Parameters, current: Current) -> None:
    for key in _FOR_LIFE:
        wanted = parameters.create.get(key, "Zip" if key == "PackageType" else None)
        actual = current.configuration.get(key, "Zip" if key == "PackageType" else None)
        if wanted is not None and any(differences(key, wanted, actual)):
            raise FunctionError(
                f"{parameters.name} has {key} {actual}, and the settings say {wanted}.",
                why="Lambda sets it when a function is created, and never again.",
                fix=f"Give `{parameters.function.key}` another FunctionName, or `destroy` it.",
            )
