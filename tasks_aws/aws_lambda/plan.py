"""What a deploy would change: the settings compared with what AWS has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import FunctionError, SettingsError
from ..packaging.archive import Archive
from ..ui.output import count, format_size
from .attachments import AttachmentUpdate, Unreadable, diff_attachments
from .defaults import default_configuration
from .diff import Change, diff_unnamed, diff_values
from .error_messages import explain_failed_state, has_failed_at_creation
from .parameters import Parameters, select
from .remote_state import RemoteFunction, get_weights

# Parameters of CreateFunction that no other call takes: they cannot be changed later.
_FIXED_AT_CREATION = ("PackageType", "TenancyConfig")
_STORAGE = ("S3ObjectStorageMode", "SourceKMSKeyArn")

_PLURAL = ("events", "permissions", "schedules")  # settings that are lists


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The changes that bring a function in line with its settings."""

    parameters: Parameters
    archive: Archive | None  # None: a container image
    remote: RemoteFunction | None  # None: the function does not exist yet
    configuration: Mapping[str, Any]  # parameters of UpdateFunctionConfiguration that differ
    code: bool  # whether the archive differs, or a parameter of UpdateFunctionCode
    alias: bool  # whether the alias has to be moved or created
    attachments: tuple[AttachmentUpdate, ...]
    changes: tuple[Change, ...]  # all of these, for display
    unnamed: tuple[AttachmentUpdate, ...] = ()  # removals that only `--prune` asks for
    made: frozenset[str] = frozenset()  # what is attached anew, here or by an earlier plan
    unreadable: Mapping[str, str] = field(default_factory=dict)  # in no setting, and why

    @property
    def is_empty(self) -> bool:
        """Return whether the function is up to date."""
        return not self.changes

    @property
    def url(self) -> str | None:
        """Return the URL that the function has already, if the settings describe one."""
        if self.remote is None or self.parameters.function.url is None:
            return None
        found: Mapping[str, Any] = self.remote.attachments.get("url") or {}
        return found.get("FunctionUrl")

    @property
    def version(self) -> str | None:
        """Return the version that the alias points to before the plan is applied."""
        alias = self.remote.alias if self.remote else None
        return alias["FunctionVersion"] if alias else None

    @property
    def verb(self) -> str:
        """Return what there is to do: ``create``, ``update`` or, if nothing, ``unchanged``."""
        return "create" if self.remote is None else "update" if self.changes else "unchanged"

    @property
    def parts(self) -> str:
        """Return what differs, in short."""
        return ", ".join(dict.fromkeys(change.key.split(".")[0] for change in self.changes))

    def __str__(self) -> str:
        return f"update {self.parts}" if self.verb == "update" else self.verb

    def describe_unnamed(self) -> str:
        """Return in short what is attached on AWS and in no setting; nothing, if there is none."""
        kinds = Counter(each for update in self.unnamed for each in _list_kinds(update))
        return ", ".join(
            (count(number, kind.removesuffix("s")) if kind in _PLURAL else kind)
            + (f" of {place}" if place else "")
            for (kind, place), number in kinds.items()
        )


def make_plan(
    parameters: Parameters,
    archive: Archive | None,
    remote: RemoteFunction | None,
    *,
    force: bool = False,
    prune: bool = False,
    made: frozenset[str] = frozenset(),
) -> Plan:
    """Compare a function with its settings.

    `force` uploads the code even if it is unchanged; `prune` removes what is attached and in no
    setting; `made` is what an earlier plan may have attached. Raises `SettingsError` if a new
    function lacks a setting, and `FunctionError` for a change that Lambda does not support, such as
    any of a function that failed at its creation.
    """
    found = remote.attachments if remote else None
    elsewhere = remote.elsewhere if remote else None
    if remote and parameters.function.alias and remote.alias is None:
        made |= {_name_published(parameters)}
    alias_is_new = _name_published(parameters) in made
    updates = [*diff_attachments(parameters, found, elsewhere, made, alias_is_new=alias_is_new)]
    attachments = tuple(each for each in updates if prune or not each.unnamed)
    if remote is None:
        return _plan_creation(parameters, archive, attachments)
    if has_failed_at_creation(remote.configuration):
        raise explain_failed_state(parameters, remote.configuration)
    _check_fixed_parameters(parameters, remote)
    if archive:
        _check_machine(parameters, remote)
    parameters = replace(parameters, image_digest=remote.image_digest)
    actual = remote.configuration
    unnamed, defaults = _diff_unnamed(parameters, remote)
    if prune:
        parameters = replace(parameters, configuration={**parameters.configuration, **defaults})
    code = [*_diff_code(parameters, archive, actual, force=force)]
    # After a failed update, the configuration may show values that are not in force.
    failed = "Failed" in (actual.get("State"), actual.get("LastUpdateStatus"))
    changes = [*_diff_configuration(parameters, {} if failed else actual)]
    if failed and not changes and not code:
        changes.append(Change(key="state", before="Failed", after="Active"))
    changed = {change.key.split(".")[0] for change in changes}
    alias = [*_diff_alias(parameters, archive, remote, moves=bool(code or changes))]
    return Plan(
        parameters=parameters,
        archive=archive,
        remote=remote,
        configuration={
            key: value for key, value in parameters.configuration.items() if key in changed
        },
        code=bool(code) or failed,
        alias=bool(alias),
        attachments=attachments,
        changes=(*changes, *code, *alias, *_changes_of(attachments)),
        unnamed=(*unnamed, *(each for each in updates if each.unnamed)),
        made=made.union(*(each.makes for each in updates)),
        unreadable={
            name: each.why
            for found in (remote.attachments, *remote.elsewhere.values())
            for name, each in found.items()
            if isinstance(each, Unreadable)
        },
    )


def _plan_creation(
    parameters: Parameters, archive: Archive | None, attachments: tuple[AttachmentUpdate, ...]
) -> Plan:
    if "Role" not in parameters.create:
        raise SettingsError(
            f"`{parameters.function.key}.Role` is missing.",
            why="The function does not exist yet, and creating it requires an execution role.",
            fix="Set it to the ARN of the function's execution role.",
        )
    return Plan(
        parameters=parameters,
        archive=archive,
        remote=None,
        configuration=parameters.configuration,
        code=True,
        alias=parameters.published is not None,
        attachments=attachments,
        changes=(*_list_new_values(parameters, archive), *_changes_of(attachments)),
    )


def _changes_of(updates: Iterable[AttachmentUpdate]) -> list[Change]:
    return [change for update in updates for change in update.changes]


def _list_kinds(update: AttachmentUpdate) -> dict[tuple[str, str], None]:
    """Return the settings that an update is for, each with the alias that has it, in order."""
    keys = [change.key.partition(" of ") for change in update.changes]
    return dict.fromkeys(
        (key if update.in_part else key.split(".")[0], place) for key, _, place in keys
    )


def matches_settings(
    parameters: Parameters, archive: Archive | None, configuration: Mapping[str, Any]
) -> bool:
    """Return whether the code and configuration of a function or version are up to date.

    The description does not count: that of a version is the commit.
    """
    changes = [
        *_diff_configuration(parameters, configuration),
        *_diff_code(parameters, archive, configuration, force=False),
    ]
    return all(change.key == "Description" for change in changes)


def describe_archive(archive: Archive) -> str:
    """Return what a plan shows for an archive."""
    return f"{archive.code_sha256} ({format_size(archive.size)}, {count(archive.files, 'file')})"


def _list_new_values(parameters: Parameters, archive: Archive | None) -> list[Change]:
    values = {"FunctionName": parameters.name, **parameters.create}
    changes = [
        change
        for key, value in values.items()
        if key != "Code"
        for change in diff_values(key, value, None)
    ]
    changes.append(Change(key="code", after=_describe_code(parameters, archive)))
    if parameters.published:
        changes.append(Change(key=_name_published(parameters), after="the new version"))
    return changes


def _diff_configuration(parameters: Parameters, actual: Mapping[str, Any]) -> list[Change]:
    return [
        change
        for key, value in parameters.configuration.items()
        for change in diff_values(key, value, actual.get(key))
    ]


def _diff_unnamed(
    parameters: Parameters, remote: RemoteFunction
) -> tuple[list[AttachmentUpdate], dict[str, Any]]:
    """Return what is configured, for callers or in $LATEST, and in no setting; and its defaults."""
    defaults = default_configuration(parameters.name)
    if parameters.managed:
        del defaults["MemorySize"]  # it is another one there
    # The description of a version is the commit.
    published = {**(remote.alias_configuration or {}), "Description": ""}
    changes: dict[str, Change] = {}
    different: dict[str, Any] = {}
    for actual in (published, remote.configuration):
        found, own = diff_unnamed(parameters.configuration, actual, defaults)
        changes |= {change.key: change for change in found}
        different |= own
    updates = [
        AttachmentUpdate(
            changes=(change,),
            calls=(),
            unnamed=True,
            in_part=change.key.split(".")[0] in parameters.configuration,
        )
        for change in changes.values()
    ]
    return updates, different


def _diff_code(
    parameters: Parameters, archive: Archive | None, actual: Mapping[str, Any], *, force: bool
) -> list[Change]:
    wanted = parameters.code.get("ImageUri") if archive is None else archive.code_sha256
    before = actual.get("ImageUri" if archive is None else "CodeSha256")
    changes = []
    if wanted != before or force:
        changes.append(Change(key="code", before=before, after=_describe_code(parameters, archive)))
    elif archive is None:
        changes += _diff_tag(parameters, actual)
    for key, value in parameters.code.items():
        if key != "ImageUri":
            shown = key if key in parameters.create else f"Code.{key}"
            changes += diff_values(shown, value, actual.get(key))
    return changes


def _diff_tag(parameters: Parameters, actual: Mapping[str, Any]) -> Iterator[Change]:
    """Yield the move of an image's tag since the function got the image."""
    before = str(actual.get("ResolvedImageUri", "")).partition("@")[2]
    after = parameters.image_digest
    if before and after and before != after:
        yield Change(key="code", before=before, after=after)


def _diff_alias(
    parameters: Parameters, archive: Archive | None, remote: RemoteFunction, *, moves: bool
) -> list[Change]:
    """Return the move of the alias, unless its version is up to date and has all the traffic."""
    behind = remote.alias_configuration
    if parameters.published is None:
        return []
    key = _name_published(parameters)
    # How Lambda stores the code makes no other version.
    stored = select(remote.configuration, _STORAGE)
    if (
        behind
        and not moves
        and behind.get("Version") != "$LATEST"
        and matches_settings(parameters, archive, {**behind, **stored})
    ):
        return [
            Change(key=f"{key}: weight of version {version}", before=weight)
            for version, weight in get_weights(remote.alias or {}).items()
        ]
    before = f"version {behind['Version']}" if behind else None
    return [Change(key=key, before=before, after="the new version")]


def _name_published(parameters: Parameters) -> str:
    """Return what a plan calls the alias or version that callers invoke."""
    alias = parameters.function.alias
    return f"alias {alias}" if alias else str(parameters.published)


def _describe_code(parameters: Parameters, archive: Archive | None) -> str:
    if archive is None:
        uri: str = parameters.code["ImageUri"]  # not str(uri), which would reveal a secret
        return uri
    return describe_archive(archive)


def _check_fixed_parameters(parameters: Parameters, remote: RemoteFunction) -> None:
    for key in _FIXED_AT_CREATION:
        wanted = parameters.create.get(key, "Zip" if key == "PackageType" else None)
        actual = remote.configuration.get(key, "Zip" if key == "PackageType" else None)
        if wanted is not None and any(diff_values(key, wanted, actual)):
            raise FunctionError(
                f"{parameters.name} has {key} {actual}, but the settings say {wanted}.",
                why="Lambda cannot change it after the function is created.",
                fix=f"Set another `{parameters.function.key}.FunctionName`, or destroy the "
                "function first.",
            )


def _check_machine(parameters: Parameters, remote: RemoteFunction) -> None:
    """Raise `FunctionError` for a package that is for another machine than an existing function."""
    function, (actual,) = parameters.function, remote.configuration.get("Architectures", ["x86_64"])
    if "Architectures" not in parameters.create and actual != function.architectures[0]:
        raise FunctionError(
            f"{parameters.name} runs on {actual}, and the package is for "
            f"{function.architectures[0]}.",
            why=f"`{function.key}.Architectures` is not set, and the function is {actual} on AWS.",
            fix=f"Set `{function.key}.Architectures` to [{actual}].",
        )
