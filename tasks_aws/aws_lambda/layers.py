"""Layers: checked, compared with their newest version, and published when that differs.

A version of a layer cannot be changed, so there is nothing to update: functions are given the
ARN of the newest version, or of a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from ..config.functions import Function, Layer
from ..config.load import Settings
from ..errors import TasksAwsError
from ..packaging.archive import Archive
from ..ui.output import format_size, track
from .clients import Account
from .diff import Change, differences
from .error_messages import translating
from .parameters import lambda_model, refuse
from .upload import content_of, uploader
from .validation import problems

# Lists that AWS may answer in another order.
_SETS = ("CompatibleRuntimes", "CompatibleArchitectures")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerJob:
    """One layer that goes to one place, however many functions there use it."""

    layer: Layer
    account: Account
    archive: Archive
    newest: Mapping[str, Any] | None = None  # GetLayerVersion's answer; None: there is none
    changes: tuple[Change, ...] = ()  # why a version has to be published
    error: TasksAwsError | None = None

    @property
    def label(self) -> str:
        """Return how its lines name it."""
        target = self.account.settings.target
        return f"{self.layer.label} ({target})" if target else self.layer.label

    @property
    def reference(self) -> str:
        """Return the ARN that functions name, or what stands for it until there is one."""
        if self.newest is None or self.changes:
            return f"a new version of {self.layer.label}"
        return str(self.newest["LayerVersionArn"])


def checked_layers(settings: Settings, functions: Sequence[Function]) -> list[Layer]:
    """Return the layers that functions name, each once.

    Raises one `SettingsError` with everything that is wrong with a layer, or with its use.
    """
    layers = settings.layers_of(functions)
    for layer in layers:
        _check(layer, [each for each in functions if layer.name in each.layer_names], layers)
    return layers


def _check(layer: Layer, functions: Sequence[Function], layers: Sequence[Layer]) -> None:
    shape = lambda_model().operation_model("PublishLayerVersion").input_shape
    given = {key: value for key, value in layer.parameters.items() if key != "Content"}
    found = [*problems(shape, given, layer.key, partial=True)]
    if "Content" in layer.parameters:
        found.append(f"`{layer.key}.Content` may not be set: `deploy` gives it by itself.")
    if all(isinstance(given.get(key, []), list | tuple) for key in _SETS):
        found += [*_unclear_language(layer), *_unlike_its_functions(layer, functions)]
    for other in layers:
        if other is not layer and _name(other) == _name(layer):
            found.append(f"`{layer.key}` has the LayerName of `{other.key}`.")
    refuse(layer.key, found)


def read_newest(job: LayerJob) -> Mapping[str, Any] | None:
    """Return what GetLayerVersion answers for the newest version, or None if there is none."""
    name = _name(job.layer)
    with translating(job.label, "read"):
        client = job.account.client("lambda")
        listed = client.list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
        if not listed:
            return None
        answer: Mapping[str, Any] = client.get_layer_version(
            LayerName=name, VersionNumber=listed[0]["Version"]
        )
    return answer


def compared(job: LayerJob, reading: Future[Mapping[str, Any] | None]) -> LayerJob:
    """Return a job with what differs between the newest version and the settings, or an error."""
    try:
        newest = reading.result()
    except TasksAwsError as error:
        return replace(job, error=error)
    archive = job.archive
    if newest is None:
        described = f"{archive.code_sha256} ({format_size(archive.size)}, {archive.files} files)"
        changes = [Change(key=job.layer.label, after=described)]
    else:
        changes = [*_differences(job.layer, archive, newest)]
        if changes:
            before = f"version {newest['Version']}"
            changes.insert(0, Change(key=job.layer.label, before=before, after="a new version"))
    return replace(job, newest=newest, changes=tuple(changes))


def publish(job: LayerJob) -> LayerJob:
    """Publish a version, and return the job with that as its newest. Raises `FunctionError`."""
    with translating(job.label, "publish"), track("publish", job.label) as progress:
        answer = uploader(job.archive, job.account).publish_layer_version(
            **{**job.layer.parameters, "LayerName": _name(job.layer)},
            Content=content_of(job.layer, job.archive, job.account, progress),
        )
        progress.result = f"version {answer['Version']}"
    return replace(job, newest=answer, changes=())


def _name(layer: Layer) -> str:
    return str(layer.parameters.get("LayerName", layer.name))


def _differences(layer: Layer, archive: Archive, newest: Mapping[str, Any]) -> Iterator[Change]:
    for key, value in layer.parameters.items():
        if key in _SETS:
            yield from differences(key, sorted(value), sorted(newest.get(key, ())))
        elif key != "LayerName":
            yield from differences(key, value, newest.get(key))
    before = newest["Content"]["CodeSha256"]
    yield from differences(f"{layer.label}: code", archive.code_sha256, before)


def _unclear_language(layer: Layer) -> Iterator[str]:
    """Yield that it is not known for which language dependencies would be installed."""
    if not layer.language and not layer.archive and layer.requirements != "none":
        yield (
            f"`{layer.key}.CompatibleRuntimes` has to name runtimes of one language; a layer of "
            "plain files has `requirements: none`."
        )


def _unlike_its_functions(layer: Layer, functions: Sequence[Function]) -> Iterator[str]:
    """Yield which functions run on what the layer is not for, as far as that is known."""
    built = bool(layer.language) and not layer.archive
    for function in functions:
        for key, known, has in (
            ("CompatibleRuntimes", layer.runtimes, function.runtime),
            ("CompatibleArchitectures", layer.architectures, function.architectures[0]),
        ):
            if has not in known and (built or key in layer.parameters):
                yield (
                    f"`{layer.key}.{key}` ({', '.join(known)}) lacks {has}, on which "
                    f"`{function.key}` runs."
                )
