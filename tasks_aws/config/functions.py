"""Functions and layers, as the settings describe them.

Lower-case keys are ours; capitalised keys are parameters of the Lambda API and are checked in
`tasks_aws.aws_lambda.parameters`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SettingsError
from .function_keys import FUNCTION_SETTINGS, LAYER_SETTINGS, Canary, Smoke, Source
from .parsers import Parser, mapping, only_known
from .references import Local

# Where values may stand that only AWS knows: in these, and in the API's parameters, but for
# those that an archive is made for; for building one takes no credentials.
LATER = ("bucket", "key_prefix", "events", "url", "permissions", "smoke")
PACKAGED_FOR = (
    *("Runtime", "Architectures", "Handler"),
    *("CompatibleRuntimes", "CompatibleArchitectures"),
)


# eq=False here and below: comparing is not needed, and making the methods for it would take
# a good part of the time that a cached `assume` takes.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One entry of `aws.layers`: what to package, and the Lambda API's own parameters."""

    name: str
    key: str  # where a user finds it in the settings
    source: tuple[Source, ...] = ()
    requirements: str | None = None  # None: the lock or requirements in the source, if any
    allow_sdist: tuple[str, ...] = ()  # packages that may be built from source
    build: tuple[str, ...] = ()  # commands run in the staging folder
    bytecode: bool = False  # compiled in, by the runtime's own Python
    archive: str | None = None  # a zip that is used as it is
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    bucket: str | None = None  # S3, for archives
    key_prefix: str | None = None
    parameters: Mapping[str, Any]  # capitalised keys, as the Lambda API spells them

    @property
    def label(self) -> str:
        """Return what people call it: a function and a layer may have one name."""
        return f"layer {self.name}"

    @property
    def stem(self) -> str:
        """Return how its files are named; no function's name has a dot."""
        return f"{self.name}.layer"

    @property
    def runtimes(self) -> list[str]:
        """Return the runtimes that it is for, the oldest first: it is built for that one."""
        return sorted(map(str, self.parameters.get("CompatibleRuntimes") or ()), key=_age)

    @property
    def architectures(self) -> list[str]:
        """Return the processors that it is for; it is built for the first."""
        return list(map(str, self.parameters.get("CompatibleArchitectures") or ["x86_64"]))

    @property
    def runtime(self) -> str:
        """Return the runtime that it is built for, or nothing."""
        return self.runtimes[0] if self.runtimes else ""

    @property
    def language(self) -> str:
        """Return the language of all its runtimes, such as ``python``, or nothing."""
        languages = {_language(runtime) for runtime in self.runtimes}
        return languages.pop() if len(languages) == 1 else ""

    @property
    def folder(self) -> str:
        """Return the folder of its archive in which its language looks for libraries."""
        return self.language if self.language in ("python", "nodejs") else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Function(Layer):
    """One entry of `aws.functions`: what a layer has, and what lies around a function.

    Of `events`, `url`, `permissions` and `layers` None means that they are nobody's business,
    and an empty list that there shall be none.
    """

    alias: str | None = None
    smoke: Smoke | None = None
    canary: Canary | None = None
    keep_versions: int | None = None
    events: tuple[Mapping[str, Any], ...] | None = None  # CreateEventSourceMapping
    url: Mapping[str, Any] | None = None  # CreateFunctionUrlConfig
    permissions: tuple[Mapping[str, Any], ...] | None = None  # AddPermission
    log_retention_days: int | None = None
    layers: tuple[str, ...] | None = None  # names under aws.layers, and ARNs

    @property
    def layer_names(self) -> list[str]:
        """Return the names of the layers that are described under `aws.layers`."""
        return [each for each in self.layers or () if not each.startswith("arn:")]

    @property
    def label(self) -> str:
        return self.name

    @property
    def stem(self) -> str:
        return self.name

    @property
    def runtimes(self) -> list[str]:
        return [str(self.parameters.get("Runtime") or "")]

    @property
    def architectures(self) -> list[str]:
        return list(self.parameters.get("Architectures") or ["x86_64"])

    @property
    def folder(self) -> str:
        return ""


def _language(runtime: str) -> str:
    """Return the language of a runtime.

    >>> _language("python3.13"), _language("nodejs22.x"), _language("provided.al2023")
    ('python', 'nodejs', 'provided')
    """
    return re.split(r"[\d.]", runtime, maxsplit=1)[0]


def _age(runtime: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", runtime)]


def read_functions(
    base: Mapping[str, Any],
    overlay: Mapping[str, Any],
    target: str | None,
    shared: Mapping[str, Any],
    local: Local,
) -> dict[str, Function]:
    """Read `functions`, each over `function_defaults`, and over both those of the target.

    `shared` are settings that hold for all functions that do not set them; `local` has the
    values of references. Raises `SettingsError`.
    """
    defaults = _merged("function_defaults", base, overlay, target)
    functions = {}
    for name, value in _merged("functions", base, overlay, target).items():
        key = f"aws.functions.{name}"
        values = _known(deep_merge(defaults, mapping(value, key)), key, local)
        own, parameters = _split(name, key, values, FUNCTION_SETTINGS)
        code = parameters.get("Code")
        if not (isinstance(code, Mapping) and "ImageUri" in code):
            _need_source(key, own)
        functions[name] = Function(name=name, key=key, parameters=parameters, **{**shared, **own})
        _check_alias(functions[name])
    return functions


def read_layers(
    base: Mapping[str, Any],
    overlay: Mapping[str, Any],
    target: str | None,
    shared: Mapping[str, Any],
    local: Local,
) -> dict[str, Layer]:
    """Read `layers`, and over them those of the target. Raises `SettingsError`."""
    layers = {}
    for name, value in _merged("layers", base, overlay, target).items():
        key = f"aws.layers.{name}"
        values = _known(mapping(value, key), key, local)
        own, parameters = _split(name, key, values, LAYER_SETTINGS)
        _need_source(key, own)
        layers[name] = Layer(name=name, key=key, parameters=parameters, **{**shared, **own})
    return layers


def _merged(
    key: str, base: Mapping[str, Any], overlay: Mapping[str, Any], target: str | None
) -> dict[str, Any]:
    return deep_merge(
        mapping(base.get(key), f"aws.{key}"),
        mapping(overlay.get(key), f"aws.targets.{target}.{key}"),
    )


def _known(values: Mapping[str, Any], key: str, local: Local) -> dict[str, Any]:
    """Return settings with the values of references, as far as they are known by now."""
    return {
        name: local.read(
            value,
            f"{key}.{name}",
            later=name in LATER or (name[:1].isupper() and name not in PACKAGED_FOR),
        )
        for name, value in values.items()
    }


def check_name(name: str, label: str) -> None:
    """Refuse what cannot be a function's name, which names files of ours, too."""
    if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):
        raise SettingsError(
            f"`{label}` is not a name that a function may have.",
            fix="Use 1 to 64 of A-Z a-z 0-9 _ and -.",
        )


def _split(
    name: str, key: str, values: Mapping[str, Any], parsers: Mapping[str, Parser]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return our own keys, parsed, and the API's parameters as they are."""
    check_name(name, key)
    given = {each: value for each, value in values.items() if value is not None}
    own = {each: given[each] for each in given if not each[:1].isupper()}
    only_known(own, key, list(parsers))
    parsed = {each: parsers[each](value, f"{key}.{each}") for each, value in own.items()}
    return parsed, {each: given[each] for each in given if each[:1].isupper()}


def _need_source(key: str, own: Mapping[str, Any]) -> None:
    if not own.get("source") and not own.get("archive"):
        raise SettingsError(
            f"`{key}.source` is missing.",
            why="It says which folder to package.",
            fix="Set it to a folder, relative to the folder of tasks.py.",
        )


def _check_alias(function: Function) -> None:
    if function.canary and not function.alias:
        raise SettingsError(
            f"`{function.key}.canary` needs `alias`.",
            why="Traffic is shifted between the versions of an alias.",
            fix=f"Set `{function.key}.alias`, such as `alias: live`, and have callers use it.",
        )


def deep_merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping in which `upper` lies over `lower`, key by key at every depth."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        merged[key] = deep_merge(below, value) if both else value  # type: ignore[arg-type]
    return merged
