"""Layers: checked, compared with their newest version, and published if that differs.

Layer versions are immutable, so nothing is updated: functions get the ARN of the newest version,
or of a new one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from ..config.functions import Function, Layer
from ..config.settings import Settings
from ..errors import TasksAwsError
from ..packaging.archive import Archive
from ..ui.output import track
from .clients import Account
from .diff import Change, diff_values
from .error_messages import translating
from .iam_actions import Scope, Subject, need, on_anything
from .parameters import input_shape
from .plan import describe_archive
from .upload import get_upload_client, upload_archive
from .validation import find_problems, raise_problems

# Lists that AWS may return in another order.
_SETS = ("CompatibleRuntimes", "CompatibleArchitectures")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerJob:
    """One layer in one account and region, however many functions use it there."""

    layer: Layer
    account: Account
    archive: Archive
    newest: Mapping[str, Any] | None = None  # GetLayerVersion's answer; None: no version yet
    changes: tuple[Change, ...] = ()  # why a version has to be published
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
        return str(self.newest["LayerVersionArn"])


def validate_layers(settings: Settings, functions: Sequence[Function]) -> list[Layer]:
    """Check the layers that functions name and return them, each once.

    Raises one `SettingsError` with all problems of a layer and of its use.
    """
    layers = settings.layers_of(functions)
    for layer in layers:
        _check_layer(layer, [each for each in functions if layer.name in each.layer_names], layers)
    return layers


def _check_layer(layer: Layer, functions: Sequence[Function], layers: Sequence[Layer]) -> None:
    given = {key: value for key, value in layer.parameters.items() if key != "Content"}
    shape = input_shape("PublishLayerVersion")
    problems = [*find_problems(shape, given, layer.key, partial=True)]
    if "Content" in layer.parameters:
        problems.append(f"`{layer.key}.Content` cannot be set: `deploy` sets it.")
    if all(isinstance(given.get(key, []), list | tuple) for key in _SETS):
        problems += [*_check_language(layer), *_check_functions(layer, functions)]
    for other in layers:
        if other is not layer and _get_name(other) == _get_name(layer):
            problems.append(f"`{layer.key}` and `{other.key}` have the same LayerName.")
    raise_problems(layer.key, problems)


def read_newest_version(job: LayerJob) -> Mapping[str, Any] | None:
    """Return GetLayerVersion's answer for the newest version, or None if there is none."""
    name = _get_name(job.layer)
    with translating(job.label, "read"):
        client = job.account.client("lambda")
        listed = client.list_layer_versions(LayerName=name, MaxItems=1)["LayerVersions"]
        if not listed:
            return None
        answer: Mapping[str, Any] = client.get_layer_version(
            LayerName=name, VersionNumber=listed[0]["Version"]
        )
    return answer


def diff_layer(job: LayerJob, reading: Future[Mapping[str, Any] | None]) -> LayerJob:
    """Return a job with what differs from the newest version, or with an error."""
    try:
        newest = reading.result()
    except TasksAwsError as error:
        return replace(job, error=error)
    archive = job.archive
    if newest is None:
        changes = [Change(key=job.layer.label, after=describe_archive(archive))]
    else:
        changes = [*_diff_version(job.layer, archive, newest)]
        if changes:
            before = f"version {newest['Version']}"
            changes.insert(0, Change(key=job.layer.label, before=before, after="a new version"))
    return replace(job, newest=newest, changes=tuple(changes))


def publish_layer(job: LayerJob) -> LayerJob:
    """Publish a version and return the job with it as the newest. Raises `FunctionError`."""
    with translating(job.label, "publish", sent=job.layer), track("publish", job.label) as progress:
        answer = get_upload_client(job.archive, job.account).publish_layer_version(
            **{**job.layer.parameters, "LayerName": _get_name(job.layer)},
            Content=upload_archive(job.layer, job.archive, job.account, progress),
        )
        progress.result = f"version {answer['Version']}"
    return replace(job, newest=answer, changes=())


def _get_name(layer: Layer) -> str:
    return str(layer.parameters.get("LayerName", layer.name))


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
    for function in functions:
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
    return Scope("Layers", (subject.arn("lambda", f"layer:{_get_name(subject.layer)}"),))


def _on_versions(subject: Subject) -> Scope:
    arn = subject.arn("lambda", f"layer:{_get_name(subject.layer)}:*")
    return Scope("LayerVersions", (arn,))


# Of layers, not of functions.
ACTIONS = (
    need("lambda:ListLayerVersions", tasks=("plan", "deploy"), on=on_anything),
    need("lambda:GetLayerVersion", tasks=("plan", "deploy"), on=_on_versions),
    need("lambda:PublishLayerVersion", tasks=("deploy",), on=_on_layer),
)
