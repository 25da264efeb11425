"""Functions and layers, as the settings describe them.

Lower-case keys are declared here. Capitalised keys are parameters of the Lambda API, which
`tasks_aws.aws_lambda.validation` checks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SettingsError
from ..ui.output import suggest
from .declare import Setting, declared, setting
from .function_parsers import (
    Canary,
    Smoke,
    Source,
    parse_alias,
    parse_canary,
    parse_retention,
    parse_smoke,
    parse_sources,
)
from .parsers import (
    choice_parser,
    integer_parser,
    parse_bool,
    parse_bucket,
    parse_mapping,
    parse_mappings,
    parse_string,
    parse_strings,
    reject_unknown_keys,
)
from .references import LocalResolver, nested_too_deeply

# The API parameters that an archive depends on. Only these may not hold references that AWS
# resolves, because an archive is built without credentials.
ARCHIVE_PARAMETERS = (
    *("Runtime", "Architectures", "Handler"),
    *("CompatibleRuntimes", "CompatibleArchitectures"),
)


# eq=False and repr=False in this package: nothing compares these values, or shows them except
# `Source`; generating the methods would take a good part of the time that a cached `assume` takes.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Layer:
    """One entry of `aws.layers`: what to package, and the Lambda API's own parameters."""

    name: str
    key: str  # the full key, such as aws.layers.common
    parameters: Mapping[str, Any]  # the capitalised keys
    source: tuple[Source, ...] = setting(
        parse_sources,
        "File or folder to package, relative to the folder of tasks.py. `{common: lib}` puts the "
        "contents of the folder `common` into the folder `lib` of the archive.",
        default=(),
    )
    requirements: str | None = setting(
        parse_string,
        "Dependency file to install from, or `none` to install nothing.",
        unset="the lock or requirements file in the source",
    )
    allow_sdist: tuple[str, ...] = setting(
        parse_strings,
        "Python packages to build from their source distribution. They have to be pure Python.",
        default=(),
    )
    groups: tuple[str, ...] = setting(
        parse_strings,
        "Dependency groups of the Python project to install as well, such as `[dependency-groups]` "
        "of pyproject.toml, or those of Poetry.",
        default=(),
    )
    extras: tuple[str, ...] = setting(
        parse_strings,
        "Extras of the Python project to install as well.",
        default=(),
    )
    installer: str | None = setting(
        choice_parser("uv", "pip"),
        "Tool that installs Python dependencies, `uv` or `pip`.",
        unset="uv if it is installed, otherwise pip",
    )
    build: tuple[str, ...] = setting(
        parse_strings,
        "Commands to run in the staging folder. They get the variables `TASKS_AWS_FUNCTION`, "
        "`TASKS_AWS_PROJECT`, `TASKS_AWS_RUNTIME` and `TASKS_AWS_ARCHITECTURE`, but not the "
        "session of `assume`.",
        default=(),
    )
    bytecode: bool = setting(
        parse_bool,
        "Compile Python ahead of time, for faster cold starts. The runtime's version of Python "
        "must be installed.",
        default=False,
    )
    archive: str | None = setting(
        parse_string, "Existing zip file to deploy as it is, instead of packaging `source`."
    )
    include: tuple[str, ...] = setting(
        parse_strings,
        "Gitignore patterns of files to package although they are ignored by default, such as "
        "`.env`.",
        default=(),
    )
    exclude: tuple[str, ...] = setting(
        parse_strings,
        "Gitignore patterns of files to leave out, in addition to `.lambdaignore`.",
        default=(),
    )
    bucket: str | None = setting(
        parse_bucket,
        "S3 bucket for large archives.",
        unset="`aws.bucket`",
        aws_references=True,
    )
    key_prefix: str | None = setting(
        parse_string,
        "Prefix of the archives' keys in the bucket.",
        unset="`aws.key_prefix`",
        aws_references=True,
    )
    keep_versions: int | None = setting(
        integer_parser(1, 10_000),
        "How many versions to keep after a successful deploy. Versions of a function that an "
        "alias uses, or used before, are always kept. Functions keep a deleted version of a layer.",
        unset="all",
    )
    permissions: tuple[Mapping[str, Any], ...] | None = setting(
        parse_mappings,
        "Statements of the resource-based policy. For a function: parameters of AddPermission; "
        "others stay. For a layer: parameters of AddLayerVersionPermission; others are removed.",
        aws_references=True,
        removable=True,
    )

    @property
    def label(self) -> str:
        """Return what messages call it; a function and a layer may have the same name."""
        return f"layer {self.name}"

    @property
    def stem(self) -> str:
        """Return the stem of its file names; a function's name contains no dot."""
        return f"{self.name}.layer"

    @property
    def runtimes(self) -> list[str]:
        """Return the compatible runtimes, the oldest first: it is built for that one."""
        return sorted(map(str, self.parameters.get("CompatibleRuntimes") or ()), key=_age)

    @property
    def architectures(self) -> list[str]:
        """Return the compatible architectures; it is built for the first."""
        return list(map(str, self.parameters.get("CompatibleArchitectures") or ["x86_64"]))

    @property
    def runtime(self) -> str:
        """Return the runtime that it is built for, or an empty string."""
        return self.runtimes[0] if self.runtimes else ""

    @property
    def language(self) -> str:
        """Return the language of all its runtimes, such as ``python``, or an empty string."""
        languages = {_language(runtime) for runtime in self.runtimes}
        return languages.pop() if len(languages) == 1 else ""

    @property
    def folder(self) -> str:
        """Return the folder of the archive where its language looks for libraries."""
        return self.language if self.language in ("python", "nodejs") else ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Function(Layer):
    """One entry of `aws.functions`: the keys of a layer, and those that only functions have.

    What the settings do not name stays on AWS, unless it is pruned. An empty `layers` removes all
    layers of the function.
    """

    removed: frozenset[str] = frozenset()  # keys that are `none`: what they describe is to go
    # What the function has with other targets; None is the function itself.
    aliases_of_others: frozenset[str | None] = frozenset()
    alias: str | None = setting(
        parse_alias,
        "Alias that callers use. `deploy` publishes a version and points the alias to it, "
        "`rollback` points it back. `none` deletes the aliases of the function.",
        removable=True,
    )
    smoke: Smoke | None = setting(
        parse_smoke,
        "Smoke test: a new version is invoked with `payload`, and gets the alias only if its "
        "answer contains `expect`.",
        aws_references=True,
    )
    canary: Canary | None = setting(
        parse_canary,
        "Share of the alias's traffic that a new version gets at first, and for how long, such as "
        "`10% for 5m`. Errors that CloudWatch reports take it back.",
    )
    events: tuple[Mapping[str, Any], ...] | None = setting(
        parse_mappings,
        "Event source mappings of the function, or of its alias: parameters of "
        "CreateEventSourceMapping.",
        aws_references=True,
        removable=True,
    )
    url: Mapping[str, Any] | None = setting(
        parse_mapping,
        "Function URL: parameters of CreateFunctionUrlConfig. `AuthType: NONE` adds both "
        "permissions that a public URL needs.",
        aws_references=True,
        removable=True,
    )
    schedules: tuple[Mapping[str, Any], ...] | None = setting(
        parse_mappings,
        "Schedules of EventBridge Scheduler that invoke the function, or its alias: parameters of "
        "CreateSchedule, without `Target.Arn`.",
        aws_references=True,
        removable=True,
    )
    log_retention_days: int | None = setting(
        parse_retention, "Retention of the function's log group, in days.", removable=True
    )
    layers: tuple[str, ...] | None = setting(
        parse_strings,
        "Layers in the order of Lambda's `Layers`: names under `aws.layers`, and ARNs of versions "
        "of other layers.",
    )

    check_imports: bool = setting(
        parse_bool,
        "Look for every module that the handler imports before anything is uploaded: in the "
        "archive, its layers and the runtime. What is missing is an error, or a warning if a layer "
        "is named by its ARN.",
        default=True,
    )

    @property
    def layer_names(self) -> list[str]:
        """Return the names of those of its layers that are under `aws.layers`."""
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


def is_none(value: Any) -> bool:
    """Return whether a value removes on AWS what its setting describes.

    >>> [is_none(each) for each in ("none", [], (), {}, 0)]
    [True, True, True, False, False]
    """
    return (isinstance(value, str) and value == "none") or value in ([], ())


LAYER_KEYS = declared(Layer)
FUNCTION_KEYS = declared(Function)


def _language(runtime: str) -> str:
    """Return the language of a runtime.

    >>> _language("python3.13"), _language("nodejs22.x"), _language("provided.al2023")
    ('python', 'nodejs', 'provided')
    """
    return re.split(r"[\d.]", runtime, maxsplit=1)[0]


def _age(runtime: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", runtime)]


def parse_functions(
    base: Mapping[str, Any],
    overlay: Mapping[str, Any],
    target: str | None,
    shared: Mapping[str, Any],
    local: LocalResolver,
) -> dict[str, Function]:
    """Return the functions, each merged with `function_defaults` and the target's overlay.

    `shared` holds the settings under `aws` that apply to functions without their own. Raises
    `SettingsError`.
    """
    defaults = _merge_section("function_defaults", base, overlay, target)
    functions = {}
    for name, value in _merge_section("functions", base, overlay, target).items():
        key = f"aws.functions.{name}"
        values = _merge(defaults, parse_mapping(value, key), key)
        keys, parameters = _parse_entry(name, key, values, FUNCTION_KEYS, local)
        code = parameters.get("Code")
        if not (isinstance(code, Mapping) and "ImageUri" in code):
            _require_source(key, keys)
        functions[name] = Function(
            name=name,
            key=key,
            parameters=parameters,
            aliases_of_others=_aliases_of_others(name, base, target),
            **{**shared, **keys},
        )
        _require_alias(functions[name])
    return functions


def _aliases_of_others(
    name: str, base: Mapping[str, Any], target: str | None
) -> frozenset[str | None]:
    """Return the aliases that a function has with other targets: nothing may be moved from there.

    In another account or region, it is another function.
    """
    targets = base.get("targets") or {}
    overlays = {None: {}, **{each: overlay or {} for each, overlay in targets.items()}}
    own = _identify(name, base, overlays[target])
    others = [
        _merge_function(name, base, overlay).get("alias")
        for other, overlay in overlays.items()
        if other != target and _identify(name, base, overlay) == own
    ]
    return frozenset(None if each in (None, "none") else str(each) for each in others)


def _identify(name: str, base: Mapping[str, Any], overlay: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what distinguishes a function from those of the same key with other targets."""
    merged = {**base, **overlay}
    role = re.match(r"arn:[^:]*:iam::(\d+):", str(merged.get("role_arn")))
    account = merged.get("account_id") or (role[1] if role else merged.get("profile"))
    name_on_aws = _merge_function(name, base, overlay).get("FunctionName")
    return account, merged.get("region"), name_on_aws


def _merge_function(
    name: str, base: Mapping[str, Any], overlay: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the settings of a function as they are written, without checking them."""
    merged: dict[str, Any] = {}
    for path in (["function_defaults"], ["functions", name]):
        for settings in (base, overlay):
            value: Any = settings
            for key in path:
                value = value.get(key) if isinstance(value, Mapping) else None
            merged |= value if isinstance(value, Mapping) else {}
    return merged


def parse_layers(
    base: Mapping[str, Any],
    overlay: Mapping[str, Any],
    target: str | None,
    shared: Mapping[str, Any],
    local: LocalResolver,
) -> dict[str, Layer]:
    """Return the layers, each merged with the target's overlay. Raises `SettingsError`."""
    layers = {}
    for name, value in _merge_section("layers", base, overlay, target).items():
        key = f"aws.layers.{name}"
        keys, parameters = _parse_entry(name, key, parse_mapping(value, key), LAYER_KEYS, local)
        # The statements of a layer are exactly these.
        keys |= dict.fromkeys(keys.pop("removed", ()), ())
        if keys.get("requirements", "none") == "none":
            _require_source(key, keys)
        layers[name] = Layer(name=name, key=key, parameters=parameters, **{**shared, **keys})
    return layers


def check_name(name: str, label: str) -> None:
    """Raise `SettingsError` for what cannot be the name of a function, and of its files."""
    if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):
        raise SettingsError(
            f"`{label}`: {name!r} is not a valid name.",
            fix="Use 1 to 64 of A-Z, a-z, 0-9, _ and -.",
        )


def _merge_section(
    key: str, base: Mapping[str, Any], overlay: Mapping[str, Any], target: str | None
) -> dict[str, Any]:
    return _merge(
        parse_mapping(base.get(key), f"aws.{key}"),
        parse_mapping(overlay.get(key), f"aws.targets.{target}.{key}"),
        f"aws.{key}",
    )


def _merge(lower: Mapping[str, Any], upper: Mapping[str, Any], key: str) -> dict[str, Any]:
    try:
        return _deep_merge(lower, upper)
    except RecursionError as error:
        raise nested_too_deeply(key) from error


def _deep_merge(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Return `lower` with `upper` merged over it, key by key at every depth."""
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = _deep_merge(below, value)
        else:
            merged[key] = value
    return merged


def _parse_entry(
    name: str,
    key: str,
    values: Mapping[str, Any],
    known: Mapping[str, Setting],
    local: LocalResolver,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parsed lower-case keys, and the API's parameters as they are."""
    check_name(name, key)
    given = {each: value for each, value in values.items() if value is not None}
    ours = {each: given[each] for each in given if not each[:1].isupper()}
    for each in ours:
        if each not in known and not suggest(each, list(known)):
            raise SettingsError(
                f"Unknown setting `{key}.{each}`.",
                why="Parameters of the Lambda API are written as there, and all others are keys of "
                f"tasks-aws: {', '.join(sorted(known))}.",
                fix=f"Did you mean `{_as_in_the_api(each)}`?",
            )
    reject_unknown_keys(ours, key, list(known))
    resolved = {
        each: local.resolve(value, f"{key}.{each}", allow_aws=known[each].aws_references)
        for each, value in ours.items()
    }
    removed = frozenset(
        each for each, value in resolved.items() if known[each].removable and is_none(value)
    )
    parsed = {
        each: known[each].parse(value, f"{key}.{each}")
        for each, value in resolved.items()
        if each not in removed
    }
    if removed:
        parsed["removed"] = removed
    parameters = {
        each: local.resolve(value, f"{key}.{each}", allow_aws=each not in ARCHIVE_PARAMETERS)
        for each, value in given.items()
        if each not in ours
    }
    return parsed, parameters


def _as_in_the_api(name: str) -> str:
    """Return a name as the API writes its parameters.

    >>> _as_in_the_api("memory_size")
    'MemorySize'
    """
    return "".join(word[:1].upper() + word[1:] for word in re.split("[_-]", name))


def _require_source(key: str, keys: Mapping[str, Any]) -> None:
    if not keys.get("source") and not keys.get("archive"):
        raise SettingsError(
            f"`{key}.source` is missing.",
            why="It names the folder to package.",
            fix="Set it to a folder, relative to the folder of tasks.py.",
        )


def _require_alias(function: Function) -> None:
    if function.canary and not function.alias:
        raise SettingsError(
            f"`{function.key}.canary` needs an alias.",
            why="A canary shifts traffic between two versions of an alias.",
            fix=f"Set `{function.key}.alias`, such as `alias: live`, and let callers use it.",
        )
