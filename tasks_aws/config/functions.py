"""Functions and layers, as the settings describe them.

Lower-case keys are declared here. Capitalised keys are parameters of the Lambda API, which
`tasks_aws.aws_lambda.validation` checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
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
from .mistakes import Mistakes
from .overlays import Overlays, Part, Written
from .parsers import (
    choice_parser,
    integer_parser,
    parse_account_id,
    parse_bool,
    parse_bucket,
    parse_mapping,
    parse_mappings,
    parse_string,
    parse_strings,
)
from .references import LocalResolver, NoTargetError

# The API parameters that an archive depends on. Only these may not hold references that AWS
# resolves, because an archive is built without credentials.
ARCHIVE_PARAMETERS = (
    *("Runtime", "Architectures", "Handler"),
    *("CompatibleRuntimes", "CompatibleArchitectures"),
)

# Keys, and their values if not any, beside which others are never looked at, and why.
_DEPENDENCIES = ("allow_sdist", "groups", "extras", "installer")
_PACKAGING = ("source", "requirements", *_DEPENDENCIES, "build", "bytecode", "include", "exclude")
_WITHOUT_EFFECT: tuple[tuple[tuple[str, ...], str | None, tuple[str, ...], str], ...] = (
    (("archive",), None, _PACKAGING, "An archive is deployed as it is."),
    (("Code", "ImageUri"), None, ("archive", *_PACKAGING), "A container image is not packaged."),
    (("requirements",), "none", _DEPENDENCIES, "With `none`, nothing is installed."),
)

ANY_ALIAS = "*"  # stands for the aliases that nobody can list


# eq=False and repr=False in this package: nothing compares these values, or shows them except
# `Source`; generating the methods would take a good part of the time that a cached `assume` takes.
@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Layer:
    """One entry of `aws.layers`: what to package, and the Lambda API's own parameters."""

    name: str
    key: str  # the full key, such as aws.layers.common
    parameters: Mapping[str, Any]  # the capitalised keys
    overlays: Overlays = field(default_factory=Overlays)  # what it is merged from
    variant: str = ""  # the target, if another one in the same run packages it differently
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
    bucket_owner: str | None = setting(
        parse_account_id,
        "Account that the bucket must belong to.",
        unset="`aws.bucket_owner`",
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
        "others stay, unless pruned. For a layer: parameters of AddLayerVersionPermission; others "
        "are removed.",
        aws_references=True,
        removable=True,
    )

    @property
    def label(self) -> str:
        """Return what messages call it; a function and a layer may have the same name."""
        return f"layer {self._name_of_variant}"

    @property
    def stem(self) -> str:
        """Return the stem of its file names; a function's name contains no dot."""
        return f"{self._name_of_variant}.layer"

    @property
    def _name_of_variant(self) -> str:
        return f"{self.name}@{self.variant}" if self.variant else self.name

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
        languages = {language_of(runtime) for runtime in self.runtimes}
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
    # What the function has with other targets; None is the function itself. See `is_of_others`.
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

    def is_of_others(self, alias: str | None) -> bool:
        """Return whether an alias, or the function itself, is or may be that of another target."""
        others = self.aliases_of_others
        unknown = ANY_ALIAS in others and alias is not None
        return alias != self.alias and (alias in others or unknown)

    @property
    def layer_names(self) -> list[str]:
        """Return the names of those of its layers that are under `aws.layers`."""
        return [each for each in self.layers or () if not each.startswith("arn:")]

    @property
    def label(self) -> str:
        return self._name_of_variant

    @property
    def stem(self) -> str:
        return self._name_of_variant

    @property
    def runtimes(self) -> list[str]:
        return [str(self.parameters.get("Runtime") or "")]

    @property
    def architectures(self) -> list[str]:
        return list(self.parameters.get("Architectures") or ["x86_64"])

    @property
    def folder(self) -> str:
        return ""


def is_none(value: Any, *, scalar: bool = False) -> bool:
    """Return whether a value removes on AWS what its setting describes.

    An empty list does not where the setting is a `scalar`: it is a mistake there.

    >>> [is_none(each) for each in ("none", [], (), {}, 0)]
    [True, True, True, False, False]
    >>> [is_none(each, scalar=True) for each in ("none", [])]
    [True, False]
    """
    return (isinstance(value, str) and value == "none") or (not scalar and value in ([], ()))


LAYER_KEYS = declared(Layer)
FUNCTION_KEYS = declared(Function)


def language_of(runtime: str) -> str:
    """Return the language of a runtime.

    >>> language_of("python3.13"), language_of("nodejs22.x"), language_of("provided.al2023")
    ('python', 'nodejs', 'provided')
    """
    return re.split(r"[\d.]", runtime, maxsplit=1)[0]


def _age(runtime: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", runtime)]


def parse_functions(
    written: Written,
    shared: Mapping[str, Any],
    local: LocalResolver,
    mistakes: Mistakes,
) -> dict[str, Function]:
    """Return the functions, each merged with `function_defaults` and the target's overlay.

    `shared` holds the settings under `aws` that apply to functions without their own. A function
    in which there are mistakes lacks what is wrong.
    """
    defaults = _read_section("function_defaults", written, mistakes)
    functions = {}
    for name, overlays in _find_entries("functions", written, mistakes, defaults):
        with mistakes.collected(overlays.as_written):
            keys, parameters = _parse_entry(name, overlays, FUNCTION_KEYS, local, mistakes)
            functions[name] = function = Function(
                name=name,
                key=overlays.key,
                overlays=overlays,
                parameters=parameters,
                aliases_of_others=_aliases_of_others(name, written, local.project),
                **{**shared, **keys},
            )
            code = parameters.get("Code")
            if not (isinstance(code, Mapping) and "ImageUri" in code):
                _require_source(overlays, keys)
            _refuse_without_effect(overlays)
            _require_alias(function)
    return functions


def _aliases_of_others(name: str, written: Written, project: Path) -> frozenset[str | None]:
    """Return the aliases that a function has with other targets: nothing may be moved from there.

    In another account or region, it is another function: to protect a name there costs nothing.
    """
    targets = written.base.get("targets")
    overlays: dict[str | None, Mapping[str, Any]] = {None: {}}
    for other, overlay in targets.items() if isinstance(targets, Mapping) else ():
        overlays[other] = overlay if isinstance(overlay, Mapping) else {}
    found: set[str | None] = set()
    for other, overlay in overlays.items():
        own = _merge_function(name, written.base, overlay).get("alias")
        if re.search(r"\$\{(?!target(:-[^{}]*)?\})", str(own)):  # such as a variable, which changes
            found.add(ANY_ALIAS)
        elif other != written.target:
            with suppress(NoTargetError):  # without a target, it cannot be deployed
                alias = LocalResolver(project, other, {}).resolve(own, "alias")
                is_without = alias is None or is_none(alias, scalar=True)
                found.add(None if is_without else str(alias))
    return frozenset(found)


def _merge_function(
    name: str, base: Mapping[str, Any], overlay: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the settings of a function as they are written, without checking them."""
    merged: dict[str, Any] = {}
    for path in (["function_defaults"], ["functions", name]):
        for settings in (base, overlay):
            value = _value_at(settings, path)
            merged |= value if isinstance(value, Mapping) else {}
    return merged


def parse_layers(
    written: Written,
    shared: Mapping[str, Any],
    local: LocalResolver,
    mistakes: Mistakes,
) -> dict[str, Layer]:
    """Return the layers, each merged with the target's overlay, without what is wrong in them."""
    layers = {}
    for name, overlays in _find_entries("layers", written, mistakes):
        with mistakes.collected(overlays.as_written):
            keys, parameters = _parse_entry(name, overlays, LAYER_KEYS, local, mistakes)
            # The statements of a layer are exactly these.
            keys |= dict.fromkeys(keys.pop("removed", ()), ())
            layers[name] = Layer(
                name=name,
                key=overlays.key,
                overlays=overlays,
                parameters=parameters,
                **{**shared, **keys},
            )
            if keys.get("requirements", "none") == "none":
                _require_source(overlays, keys)
            _refuse_without_effect(overlays)
    return layers


def check_name(name: str, label: str) -> None:
    """Raise `SettingsError` for what cannot be the name of a function, and of its files."""
    if not re.fullmatch(r"[\w-]{1,64}", name, re.ASCII):
        raise SettingsError(
            f"`{label}`: {name!r} is not a valid name.",
            fix="Use 1 to 64 of A-Z, a-z, 0-9, _ and -.",
        )


def _read_section(section: str, written: Written, mistakes: Mistakes) -> list[Part]:
    """Return a section of the settings, and the target's part that lies over it."""
    parts = []
    for key, values in (
        (f"aws.{section}", written.base),
        (f"aws.targets.{written.target}.{section}", written.overlay),
    ):
        with mistakes.collected():
            parts.append(Part(key, parse_mapping(values.get(section), key)))
    return parts


def _find_entries(
    section: str, written: Written, mistakes: Mistakes, defaults: Sequence[Part] = ()
) -> Iterator[tuple[str, Overlays]]:
    """Yield the entries of a section by name; a target has no entries of its own."""
    parts = _read_section(section, written, mistakes)
    names = next((part.values for part in parts if part.key == f"aws.{section}"), None)
    if names is None:  # it is no mapping
        return
    for name in names:
        found = [*defaults]
        for part in parts:
            if name in part.values:
                key = f"{part.key}.{name}"
                with mistakes.collected():
                    found.append(Part(key, parse_mapping(part.values[name], key)))
        yield name, Overlays(f"aws.{section}.{name}", found)
    mistakes.add(
        SettingsError(
            f"`{part.key}.{name}` overrides a {section[:-1]} that does not exist.",
            fix=suggest(name, [*names]) or f"Add it to `aws.{section}`.",
        )
        for part in parts
        for name in part.values
        if name not in names
    )


def _parse_entry(
    name: str,
    overlays: Overlays,
    known: Mapping[str, Setting],
    local: LocalResolver,
    mistakes: Mistakes,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the parsed lower-case keys, and the API's parameters as they are."""
    key = overlays.key
    check_name(name, key)
    parsed: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    removed: set[str] = set()
    for each, value in overlays.merge().items():
        if value is None:
            continue
        label = f"{key}.{each}"
        try:
            if each[:1].isupper():
                allow_aws = each not in ARCHIVE_PARAMETERS
                parameters[each] = local.resolve(value, label, allow_aws=allow_aws)
                continue
            _require_known(each, key, known)
            resolved = local.resolve(value, label, allow_aws=known[each].aws_references)
            if known[each].removable and is_none(resolved, scalar=known[each].is_scalar):
                removed.add(each)
            else:
                parsed[each] = known[each].parse(resolved, label)
        except SettingsError as error:
            mistakes.note(error, overlays.as_written)
    if removed:
        parsed["removed"] = frozenset(removed)
    return parsed, parameters


def _require_known(name: str, key: str, known: Mapping[str, Setting]) -> None:
    if name in known:
        return
    parameters = _names_in_the_api("layer" if known is LAYER_KEYS else "function")
    meant = suggest(re.sub("[_-]", "", name), parameters)
    if suggest(name, [*known]) or not meant:
        meant = suggest(name, [*parameters, *known])
    raise SettingsError(
        f"Unknown setting `{key}.{name}`.",
        why="Keys in lower case are those of tasks-aws; parameters of the Lambda API are written "
        "as there.",
        fix=meant or f"Use one of: {', '.join(sorted(known))}.",
    )


def _names_in_the_api(kind: str) -> list[str]:
    """Return the parameters that the schema in this package has, which is there without botocore.

    >>> "MemorySize" in _names_in_the_api("function")
    True
    """
    schema = json.loads((Path(__file__).parents[1] / "schema.json").read_bytes())
    properties = schema["$defs"][kind]["properties"]
    return [name for name in properties if name[:1].isupper()]


def _require_source(overlays: Overlays, keys: Mapping[str, Any]) -> None:
    if keys.get("source") or keys.get("archive"):
        return
    if "source" in keys or not overlays.find(["source"]):  # else it is wrong, and a mistake already
        raise SettingsError(
            f"`{overlays.key}.source` is missing.",
            why="It names the folder to package.",
            fix="Set it to a folder, relative to the folder of tasks.py.",
        )


def _refuse_without_effect(overlays: Overlays) -> None:
    """Raise `SettingsError` for a key beside another one for which it is never looked at.

    Both have to be in one mapping: an archive of a target's may well cover the source of others.
    """
    for names, wanted, others, why in _WITHOUT_EFFECT:
        part = overlays.find(names)
        value = _value_at(part.values, names) if part else None
        if part is None or value is None or wanted not in (None, value):
            continue
        for other in others:
            if part.values.get(other) is not None:
                raise SettingsError(
                    f"`{part.key}.{other}` has no effect beside `{'.'.join((part.key, *names))}`.",
                    why=why,
                    fix="Remove one of them.",
                )


def _value_at(values: Any, names: Sequence[str]) -> Any:
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _require_alias(function: Function) -> None:
    # One that is wrong is a mistake already.
    alias = function.overlays.merge().get("alias")
    if function.canary and (alias is None or "alias" in function.removed):
        raise SettingsError(
            f"`{function.key}.canary` needs an alias.",
            why="A canary shifts traffic between two versions of an alias.",
            fix=f"Set `{function.key}.alias`, such as `alias: live`, and let callers use it.",
        )
