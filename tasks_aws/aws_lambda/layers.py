"""Layers: checked, compared with their newest version, and published if that differs.

Layer versions are immutable, so nothing is updated: functions get the ARN of the newest version,
or of a new one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

from ..config.functions import LAYER_KEYS, Function, Layer
from ..config.mistakes import Mistakes
from ..config.settings import Settings
from ..config.shards import Shard
from ..errors import FunctionError, TasksAwsError
from ..packaging.archive import Archive
from ..ui.output import format_duration, say, track, warn
from .clients import Account
from .diff import Change, diff_values
from .error_messages import translating
from .iam_actions import Scope, Subject, TaskName, need, on_anything
from .layer_permissions import (
    LayerPermission,
    check_permissions,
    diff_permissions,
    on_versions,
    read_permissions,
    set_permissions,
)
from .parameters import input_shape, layer_name
from .plan import describe_archive
from .retry import OTHER_SHARD
from .upload import get_upload_client, upload_archive
from .validation import find_problems, raise_problems, warn_of_unknown
from .versions import list_versions

_READ: tuple[TaskName, ...] = ("plan", "deploy")

# Lists that AWS may return in another order.
_SETS = ("CompatibleRuntimes", "CompatibleArchitectures")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerVersion:
    """The newest version of a layer, as AWS has it."""

    answer: Mapping[str, Any]  # of GetLayerVersion, or of PublishLayerVersion
    permissions: Mapping[str, LayerPermission]  # read only if the settings name them


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerJob:
    """One layer in one account and region, however many functions use it there."""

    layer: Layer
    account: Account
    archive: Archive
    publisher: Shard | None = None  # if another process publishes it
    newest: LayerVersion | None = None  # None: no version yet
    changes: tuple[Change, ...] = ()  # why a version has to be published
    permission_changes: tuple[Change, ...] = ()  # of the newest version, if none is published
    error: TasksAwsError | None = None

    @property
    def label(self) -> str:
        """Return what messages call it."""
        return self.account.label(self.layer.label)

    @property
    def reference(self) -> str:
        """Return the ARN for its functions, or what a plan shows for it until there is one."""
        if self.newest is None or self.changes:
            return f"a new version of {self.layer.label}"
        return str(self.newest.answer["LayerVersionArn"])

    @property
    def differs(self) -> bool:
        """Return whether the newest version, or its permissions, are not those of the settings."""
        return bool(self.changes or self.permission_changes)

    @property
    def summary(self) -> str:
        """Return what a plan says of it."""
        by = f", by shard {self.publisher}" if self.publisher else ""
        if self.changes:
            return f"publish{by}"
        return f"update permissions{by}" if self.permission_changes else "unchanged"


def validate_layers(settings: Settings, functions: Sequence[Function]) -> list[Layer]:
    """Check the layers that functions name and return them, each once.

    Raises one `SettingsError` with all problems of all layers and of their use.
    """
    layers = settings.layers_of(functions)
    mistakes = Mistakes()
    for layer in layers:
        with mistakes.collected():
            raise_problems(layer, _check_layer(layer, functions, layers))
    mistakes.raise_all()
    return layers


def find_layer_problems(settings: Settings, functions: Sequence[Function]) -> list[str]:
    """Return all problems of all layers, with their keys as the user wrote them.

    `functions` are those that may use the layers, and are right by themselves.
    """
    layers = [*settings.layers.values()]
    return [
        problem
        for layer in layers
        for problem in warn_of_unknown(layer, _check_layer(layer, functions, layers))
    ]


def _check_layer(
    layer: Layer, functions: Sequence[Function], layers: Sequence[Layer]
) -> Iterator[str]:
    given = {key: value for key, value in layer.parameters.items() if key != "Content"}
    shape = input_shape("PublishLayerVersion")
    yield from find_problems(shape, given, layer.key, partial=True, ours=LAYER_KEYS)
    if "Content" in layer.parameters:
        yield f"`{layer.key}.Content` cannot be set: `deploy` sets it."
    yield from check_permissions(layer)
    if all(isinstance(given.get(key, []), list | tuple) for key in _SETS):
        yield from _check_language(layer)
        yield from _check_functions(layer, functions)
    for other in layers:
        if other is not layer and layer_name(other) == layer_name(layer):
            yield f"`{layer.key}` and `{other.key}` have the same LayerName."


def read_newest_version(job: LayerJob) -> LayerVersion | None:
    """Return the newest version, or None if there is none."""
    name = layer_name(job.layer)
    with translating(job.label, "read"):
        client = job.account.client("lambda")
        listed = client.list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
        if not listed:
            return None
        version = {"LayerName": name, "VersionNumber": listed[0]["Version"]}
        return LayerVersion(
            answer=client.get_layer_version(**version),
            permissions={} if job.layer.permissions is None else read_permissions(client, version),
        )


def diff_layer(job: LayerJob, reading: Future[LayerVersion | None]) -> LayerJob:
    """Return a job with what differs from the newest version, or with an error."""
    try:
        return _compare(job, reading.result())
    except TasksAwsError as error:
        return replace(job, error=error)


def _compare(job: LayerJob, newest: LayerVersion | None) -> LayerJob:
    layer, archive = job.layer, job.archive
    if newest is None:
        changes = [Change(key=layer.label, after=describe_archive(archive))]
    else:
        changes = [*_diff_version(layer, archive, newest.answer)]
        if changes:
            before = f"version {newest.answer['Version']}"
            changes.insert(0, Change(key=layer.label, before=before, after="a new version"))
    if newest is None or changes:  # a new version has no permissions yet
        changes += diff_permissions(layer, {})
        return replace(job, newest=newest, changes=tuple(changes))
    different = tuple(diff_permissions(layer, newest.permissions))
    return replace(job, newest=newest, changes=(), permission_changes=different)


def await_layer(job: LayerJob, stop: Event) -> LayerJob:
    """Wait until another shard has published a layer, or `stop` is set; return the job as it is.

    Raises `FunctionError` if that takes too long, or if something else is published meanwhile.
    """
    say("waiting", f"{job.label}  for shard {job.publisher} to publish it")
    before = _number(job.newest)
    end = time.monotonic() + OTHER_SHARD.seconds
    for pause in OTHER_SHARD.pauses():
        if stop.wait(pause):
            break
        job = _compare(job, read_newest_version(job))
        if not job.differs:
            break
        if job.changes and _number(job.newest) > before:
            raise _explain_other_content(job)
        if time.monotonic() > end:
            raise FunctionError(
                f"{job.label} was not published within {format_duration(OTHER_SHARD.seconds)}.",
                why=f"Shard {job.publisher} publishes it, and may have failed.",
                fix=f"Run shard {job.publisher} again, then this one.",
            )
    return job


def _number(version: LayerVersion | None) -> int:
    return int(version.answer["Version"]) if version else 0


def _explain_other_content(job: LayerJob) -> FunctionError:
    _, *changes = job.changes  # the first is that a version would be published
    return FunctionError(
        f"Version {_number(job.newest)} of {job.label}, which was published meanwhile, is not the "
        "one of this shard.",
        why=f"These differ: {', '.join(each.key for each in changes)}.",
        fix="Build the layer so that all machines make the same, from the same commit, and let no "
        "other deploy publish it at the same time.",
    )


def publish_layer(job: LayerJob) -> LayerJob:
    """Publish a version if there has to be one, and set permissions; return the job as done.

    Raises `FunctionError`.
    """
    layer, newest = job.layer, job.newest
    client = job.account.client("lambda")
    with translating(job.label, "publish"):
        if newest is None or job.changes:
            newest = _publish(job)
        name, version = layer_name(layer), newest.answer["Version"]
        where = {"LayerName": name, "VersionNumber": version}
        if layer.permissions is not None and set_permissions(
            client, where, layer, newest.permissions
        ):
            say("layer", f"{job.label}  permissions of version {version} set")
    if job.changes and layer.keep_versions:
        _prune(job, version)
    return replace(job, newest=newest, changes=(), permission_changes=())


def _publish(job: LayerJob) -> LayerVersion:
    with track("publish", job.label) as progress:
        answer = get_upload_client(job.archive, job.account).publish_layer_version(
            **{**job.layer.parameters, "LayerName": layer_name(job.layer)},
            Content=upload_archive(job.layer, job.archive, job.account, progress),
        )
        progress.result = f"version {answer['Version']}"
    return LayerVersion(answer=answer, permissions={})


def _prune(job: LayerJob, published: int) -> None:
    """Delete old versions. The new one is there, so a refusal is no failure."""
    client, name = job.account.client("lambda"), layer_name(job.layer)
    deleted: list[int] = []
    try:
        with translating(job.label, "delete old versions of"):
            pages = client.get_paginator("list_layer_versions").paginate(LayerName=name)
            found = [each["Version"] for page in pages for each in page["LayerVersions"]]
            old = sorted(found, reverse=True)[job.layer.keep_versions :]
            for version in sorted(old):
                client.delete_layer_version(LayerName=name, VersionNumber=version)
                deleted.append(version)
    except TasksAwsError as error:
        warn(f"{error}\n  Version {published} of {job.label} is published.")
    if deleted:
        say("prune", f"{job.label}  deleted {list_versions(deleted)}")


def _diff_version(layer: Layer, archive: Archive, newest: Mapping[str, Any]) -> Iterator[Change]:
    for key, value in layer.parameters.items():
        if key in _SETS:
            yield from diff_values(key, sorted(value), sorted(newest.get(key, ())))
        elif key != "LayerName":
            yield from diff_values(key, value, newest.get(key))
    before = newest["Content"]["CodeSha256"]
    yield from diff_values(f"{layer.label}: code", archive.code_sha256, before)


def _check_language(layer: Layer) -> Iterator[str]:
    """Yield a problem if it is unclear for which language to install dependencies."""
    if not layer.language and not layer.archive and layer.requirements != "none":
        yield (
            f"`{layer.key}.CompatibleRuntimes` must contain runtimes of one language; for a layer "
            "of plain files, set `requirements: none`."
        )


def _check_functions(layer: Layer, functions: Sequence[Function]) -> Iterator[str]:
    """Yield which functions have a runtime or architecture that the layer is not for."""
    built = bool(layer.language) and not layer.archive
    for function in (each for each in functions if layer.name in each.layer_names):
        for key, supported, used in (
            ("CompatibleRuntimes", layer.runtimes, function.runtime),
            ("CompatibleArchitectures", layer.architectures, function.architectures[0]),
        ):
            if used not in supported and (built or key in layer.parameters):
                yield (
                    f"`{layer.key}.{key}` ({', '.join(supported)}) does not include {used}, which "
                    f"`{function.key}` uses."
                )


def _on_layer(subject: Subject) -> Scope:
    return Scope("Layers", (subject.arn("lambda", f"layer:{layer_name(subject.layer)}"),))


# Of layers, not of functions.
ACTIONS = (
    need("lambda:ListLayerVersions", tasks=_READ, on=on_anything),
    need("lambda:GetLayerVersion", tasks=_READ, on=on_versions),
    need("lambda:PublishLayerVersion", tasks=("deploy",), on=_on_layer),
    need(
        "lambda:DeleteLayerVersion", tasks=("deploy",), on=on_versions, settings=("keep_versions",)
    ),
)
