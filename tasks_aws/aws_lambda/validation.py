"""Checking settings against botocore's model of the Lambda API.

botocore itself checks only types and minima, one problem at a time; its model also has patterns,
maxima and known values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from botocore.utils import parse_to_aware_datetime

from ..config.functions import FUNCTION_KEYS, Function, Layer, is_none, language_of
from ..config.mistakes import Mistakes
from ..config.references import ReferenceValue, Unresolved, reject_hidden
from ..errors import SettingsError
from ..ui.output import count, suggest, warn
from .attachments import ATTACHMENTS, Attachment
from .defaults import default_configuration
from .iam_actions import get_setting
from .parameters import (
    IDENTIFIERS,
    Parameters,
    input_shape,
    qualifier_of_function,
    select,
    split_parameters,
)

# What only `deploy` sets: parameters of CreateFunction, and members of its `Code`.
PUBLISHING = ("Publish", "PublishTo")
ARCHIVE_MEMBERS = ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion")

LAYERS_MAXIMUM = 5  # "Lambda quotas"
_UNMANAGED_MAXIMA = {"Timeout": 900, "MemorySize": 10_240}  # the same
ENVIRONMENT_MAXIMUM_BYTES = 4096  # "Lambda quotas", measured as compact JSON
# "Defined runtime environment variables", Lambda Developer Guide: those that are reserved, without
# those that the model's pattern excludes. Others, such as AWS_XRAY_CONTEXT_MISSING, may be set.
_RESERVED_VARIABLES = frozenset(
    {
        *("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV"),
        *("AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
        *("AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE"),
        *("AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API"),
        *("AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
        *("LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"),
    }
)

_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "structure": ("a mapping", (Mapping,)),
    "map": ("a mapping", (Mapping,)),
    "list": ("a list", (list, tuple)),
    "string": ("a string", (str,)),
    "integer": ("an integer", (int,)),
    "long": ("an integer", (int,)),
    "float": ("a number", (int, float)),
    "double": ("a number", (int, float)),
    "boolean": ("a boolean", (bool,)),
}
_NUMBERS = ("integer", "long", "float", "double")
_KNOWN_VALUES_SHOWN = 8
_SEE_REFERENCE = "See the Lambda API reference for names and values."
# Examples of ARNs, by a part of their patterns.
_ARNS = {
    ":role/": "arn:aws:iam::123456789012:role/hello",
    ":layer:": "arn:aws:lambda:eu-central-1:123456789012:layer:hello:1",
}


class UnknownValue(str):
    """A problem that may be due to a botocore that is older than the value."""

    __slots__ = ()


def validate_function(function: Function) -> Parameters:
    """Check a function's settings and return them split by API call.

    Raises one `SettingsError` with all problems. A value that only a newer botocore may know is
    a warning. References that are not resolved yet pass: check the function again afterwards.
    """
    parameters = _convert(function)
    raise_problems(function, _check_function(parameters))
    return parameters


def validate_functions(functions: Iterable[Function]) -> dict[Function, Parameters]:
    """Check functions as `validate_function` does; raise one error with the problems of all."""
    mistakes = Mistakes()
    checked = {}
    for function in functions:
        with mistakes.collected():
            checked[function] = _convert(function)
            problems = warn_of_unknown(function, _check_function(checked[function]))
            mistakes.add(map(SettingsError, problems))
    mistakes.raise_all()
    return checked


def find_function_problems(function: Function) -> list[str]:
    """Return all problems of a function, with its keys as the user wrote them."""
    return warn_of_unknown(function, _check_function(_convert(function)))


def _convert(function: Function) -> Parameters:
    reject_hidden(function.parameters, function.key)
    return split_parameters(_convert_function(_take_out_removed(function)))


def _check_function(parameters: Parameters) -> Iterator[str]:
    function = parameters.function
    yield from _check_basics(parameters)
    yield from _check_limits(parameters)
    yield from _check_smoke(parameters)
    yield from _check_environment(function)
    yield from _check_layers(parameters)
    yield from _check_storage(parameters)
    yield from _check_snap_start(function)
    yield from _check_parameters(function)
    yield from _check_attachments(function)


def _take_out_removed(function: Function) -> Function:
    """Return a function without the parameters that are `none`.

    Those of attachments are among its `removed`, and those of the function itself have their
    default.
    """
    members = function_members()
    nothing = {
        key
        for key, value in function.parameters.items()
        if value == {} or is_none(value, scalar=key in members and is_scalar(members[key]))
    }
    removed = nothing & {key for attachment in ATTACHMENTS for key in attachment.keys}
    if not nothing:
        return function
    defaults = default_configuration(function.parameters.get("FunctionName", function.name))
    kept = {key: value for key, value in function.parameters.items() if key not in removed}
    return replace(
        function,
        parameters={**kept, **select(defaults, nothing)},
        removed=function.removed | removed,
    )


@cache
def function_members() -> Mapping[str, Any]:
    """Return the shapes of all parameters that stand beside each other in a function's settings."""
    members = dict(input_shape("CreateFunction").members)
    for attachment in ATTACHMENTS:
        if attachment.operation and attachment.key is None:
            attached = input_shape(attachment.operation).members
            members |= {key: attached[key] for key in attachment.keys}
    return members


def is_scalar(shape: Any) -> bool:
    """Return whether a value of a shape is neither a list nor a mapping."""
    return shape.type_name not in ("list", "map", "structure")


def warn_of_unknown(layer: Layer, problems: Iterable[str]) -> list[str]:
    """Warn of values that only a newer botocore may know; return all other problems."""
    found = []
    for problem in problems:
        written = layer.overlays.as_written(problem)
        if isinstance(problem, UnknownValue):
            _warn_once(written)
        else:
            found.append(written)
    return found


def raise_problems(layer: Layer, problems: Iterable[str], *, fix: str = _SEE_REFERENCE) -> None:
    """Warn of values that only a newer botocore may know; raise all other problems at once."""
    found = warn_of_unknown(layer, problems)
    if found:
        listed = f"`{layer.key}` has {count(len(found), 'problem')}:\n  - " + "\n  - ".join(found)
        raise SettingsError(
            found[0] if len(found) == 1 else listed,
            fix=fix,
        )


def find_problems(
    shape: Any, value: Any, key: str, *, partial: bool = False, ours: Iterable[str] = FUNCTION_KEYS
) -> Iterator[str]:
    """Yield what is wrong with a value, according to its shape in the API's model.

    A `partial` value may lack required members, and has keys of `ours` beside it. References that
    are not resolved yet pass.
    """
    if isinstance(value, Unresolved):
        return
    kind = shape.type_name
    expected, types = _TYPES.get(kind, (f"a {kind}", (object,)))
    fits: bool = isinstance(value, types)
    if not fits or (isinstance(value, bool) and kind != "boolean"):
        shown = _show(value, sensitive=bool(shape.metadata.get("sensitive")))
        yield f"`{key}` must be {expected}, got {shown}."
    elif kind == "structure":
        yield from _check_structure(shape, value, key, partial=partial, ours=ours)
    elif kind == "map":
        yield from _check_length(shape, value, key, "item")
        for name, each in value.items():
            yield from _check_name(shape.key, name, f"{key}.{name}")
            yield from find_problems(shape.value, each, f"{key}.{name}")
    elif kind == "list":
        yield from _check_length(shape, value, key, "item")
        for index, each in enumerate(value):
            yield from find_problems(shape.member, each, f"{key}[{index}]")
    elif kind == "string":
        yield from _check_string(shape, value, key)
    elif kind == "timestamp":
        yield from _check_timestamp(value, key)
    elif kind in _NUMBERS and (bounds := _find_broken_bounds(shape, value)):
        yield f"`{key}` must be {bounds}, got {value}."


def _check_name(shape: Any, name: Any, key: str) -> Iterator[str]:
    """Yield what is wrong with a name in a mapping, and not with its value."""
    for problem in find_problems(shape, name, key):
        yield type(problem)(problem.replace(f"`{key}`", f"`{key}`: the name", 1))


def convert_references(shape: Any, value: Any) -> Any:
    """Return a value with numbers and booleans where references gave strings for them."""
    kind = shape.type_name
    if isinstance(value, ReferenceValue):
        return _convert_string(kind, value)
    if kind == "structure" and isinstance(value, Mapping):
        members = shape.members
        return {
            name: convert_references(members[name], each) if name in members else each
            for name, each in value.items()
        }
    if kind == "map" and isinstance(value, Mapping):
        return {name: convert_references(shape.value, each) for name, each in value.items()}
    if kind == "list" and isinstance(value, list | tuple):
        return [convert_references(shape.member, each) for each in value]
    return value


def _convert_string(kind: str, text: str) -> Any:
    converters: dict[str, Callable[[str], Any]] = {
        "integer": int,
        "long": int,
        "float": float,
        "double": float,
        "boolean": {"true": True, "false": False}.__getitem__,
    }
    try:
        return converters.get(kind, str)(text)
    except (KeyError, ValueError):
        return text  # a problem that `find_problems` reports


def _check_structure(
    shape: Any, value: Mapping[str, Any], key: str, *, partial: bool, ours: Iterable[str]
) -> Iterator[str]:
    for name, each in value.items():
        if name not in shape.members:
            hint = _suggest_member(shape, str(name), ours=ours if partial else ())
            yield f"`{key}.{name}` is not a parameter of the Lambda API. {hint}".rstrip()
        else:
            yield from find_problems(shape.members[name], each, f"{key}.{name}")
    for name in shape.required_members:
        if name not in value and not partial:
            yield f"`{key}.{name}` is missing."


def _suggest_member(shape: Any, name: str, ours: Iterable[str]) -> str:
    """Return what may be meant by a name that a structure does not have, or a key of ours."""
    maps = [member for member, each in shape.members.items() if each.type_name == "map"]
    if maps and len(shape.members) == 1:
        return f"Put it under `{maps[0]}`."
    return suggest(name, [*ours, *shape.members])


def _is_misspelt_language(shape: Any, value: str) -> bool:
    """Return whether a value is a runtime whose language is misspelt: it is built for none."""
    unknown = shape.name == "Runtime" and language_of(value) not in map(language_of, shape.enum)
    return unknown and bool(suggest(value, list(shape.enum)))


def _check_string(shape: Any, value: str, key: str) -> Iterator[str]:
    sensitive = bool(shape.metadata.get("sensitive"))
    shown = _show(value, sensitive=sensitive)
    if shape.enum and value not in shape.enum:
        known = ", ".join(list(shape.enum)[-_KNOWN_VALUES_SHOWN:])
        hint = suggest(value, list(shape.enum)) or f"It knows: {known}."
        problem = f"`{key}`: the installed botocore does not know {shown}. {hint}"
        yield problem if _is_misspelt_language(shape, value) else UnknownValue(problem)
    yield from _check_length(shape, value, key, "character")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        expected = f"match {pattern}"
        if shape.name.endswith("Arn") and not value.startswith("arn:"):
            example = next((arn for part, arn in _ARNS.items() if part in pattern), "arn:aws:…")
            expected = f"be an ARN, such as {example}"
        yield f"`{key}` must {expected}" + ("" if sensitive else f", got {shown}.")


def _check_timestamp(value: Any, key: str) -> Iterator[str]:
    try:
        parse_to_aware_datetime(value)
    except (ValueError, RuntimeError, TypeError):
        shown = _show(value)
        yield f"`{key}` must be a timestamp such as 2026-01-31T12:00:00Z, got {shown}."


def _check_length(shape: Any, value: Any, key: str, noun: str) -> Iterator[str]:
    if bounds := _find_broken_bounds(shape, len(value), noun):
        yield f"`{key}` must have {bounds}, got {len(value)}."


def _find_broken_bounds(shape: Any, number: float, noun: str = "") -> str:
    """Return the bounds that a number or a count violates, or an empty string."""
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    if (lowest is None or number >= lowest) and (highest is None or number <= highest):
        return ""
    last = lowest if highest is None else highest
    last_of = count(last, noun) if noun else str(last)
    if highest is None:
        return f"at least {last_of}"
    if lowest is None or (noun and not lowest):
        return f"at most {last_of}"
    return f"exactly {last_of}" if lowest == highest else f"between {lowest} and {last_of}"


def _matches(pattern: str, value: str) -> bool:
    return not is_pattern(pattern) or bool(re.fullmatch(pattern, value))


@cache
def is_pattern(pattern: str | None) -> bool:
    """Return whether it is a regular expression here: a few of the model's patterns are Java's."""
    try:
        return pattern is not None and bool(re.compile(pattern))
    except re.error:
        return False


def _show(value: Any, *, sensitive: bool = False) -> str:
    """Return a value as a message shows it: those that are long or sensitive by their type."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    if sensitive:
        names = {bool: "a boolean", int: "a number", float: "a number", str: "a string"}
        return names.get(type(value), "another type")
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return repr(value) if isinstance(value, str) else str(value)


@cache
def _warn_once(problem: str) -> None:
    """Warn of a problem that is found again when the references are resolved."""
    warn(problem)


def _convert_function(function: Function) -> Function:
    """Return a function with numbers and booleans where references gave strings for them."""
    shapes = {**input_shape("CreateFunction").members}
    attached: dict[str, Any] = {}
    for attachment in ATTACHMENTS:
        if attachment.operation and attachment.key is None:
            members = input_shape(attachment.operation).members
            shapes |= {key: members[key] for key in attachment.keys}
        elif attachment.operation and (value := getattr(function, str(attachment.key))) is not None:
            shape = input_shape(attachment.operation, attachment.service)
            attached[str(attachment.key)] = (
                convert_references(shape, value)
                if isinstance(value, Mapping)
                else tuple(convert_references(shape, each) for each in value)
            )
    parameters = {
        key: convert_references(shapes[key], value) if key in shapes else value
        for key, value in function.parameters.items()
    }
    return replace(function, parameters=parameters, **attached)


def _check_basics(parameters: Parameters) -> Iterator[str]:
    function = parameters.function
    for key, example in (("Handler", "app.handler"), ("Runtime", "python3.13")):
        if not parameters.image and not function.parameters.get(key):
            yield f"`{function.key}.{key}` is missing: set it, for example `{key}: {example}`."
    for key in PUBLISHING:
        if key in function.parameters:
            yield (
                f"`{function.key}.{key}` cannot be set: `deploy` publishes a version with `alias`, "
                "and with `CapacityProviderConfig` alone, $LATEST.PUBLISHED."
            )
    if qualifier := qualifier_of_function(parameters.name):
        yield (
            f"`{function.key}.FunctionName` cannot end with {qualifier}: it names the function "
            "itself, and `alias` what callers use."
        )
    packaged_as = function.parameters.get("PackageType", "Image" if parameters.image else "Zip")
    if packaged_as in ("Image", "Zip") and (packaged_as == "Image") != parameters.image:
        yield (
            f"`{function.key}.PackageType` is {packaged_as}, and the code "
            f"{'a' if parameters.image else 'no'} container image (`Code.ImageUri`)."
        )
    code = function.parameters.get("Code")
    for key in ARCHIVE_MEMBERS:
        if isinstance(code, Mapping) and key in code:
            yield f"`{function.key}.Code.{key}` cannot be set: `deploy` sets it."


def _check_limits(parameters: Parameters) -> Iterator[str]:
    """Yield what only managed instances may have; the model has their limits."""
    if parameters.managed:
        return
    members = input_shape("CreateFunction").members
    for key, highest in _UNMANAGED_MAXIMA.items():
        value, limits = parameters.create.get(key), members[key].metadata
        if isinstance(value, int) and highest < value <= limits.get("max", value):
            yield (
                f"`{parameters.function.key}.{key}` must be between {limits['min']} and {highest}, "
                f"got {value}; more is for functions with `CapacityProviderConfig`."
            )


def _check_smoke(parameters: Parameters) -> Iterator[str]:
    smoke, key = parameters.function.smoke, parameters.function.key
    if smoke is None:
        return
    if "TenancyConfig" in parameters.create and smoke.tenant is None:
        yield f"`{key}.smoke.tenant` is missing: `{key}.TenancyConfig` isolates tenants."
    member = input_shape("Invoke").members.get("TenantId")
    if smoke.tenant is not None and member is None:
        yield f"`{key}.smoke.tenant`: the installed botocore is too old for it."
    elif smoke.tenant is not None:
        yield from find_problems(member, smoke.tenant, f"{key}.smoke.tenant")


def _check_environment(function: Function) -> Iterator[str]:
    environment = function.parameters.get("Environment")
    variables = environment.get("Variables") if isinstance(environment, Mapping) else None
    if not isinstance(variables, Mapping):
        return
    for name in variables:
        if name in _RESERVED_VARIABLES:
            yield (
                f"`{function.key}.Environment.Variables.{name}` cannot be set: Lambda reserves the "
                "name."
            )
    if not all(isinstance(value, str) for value in variables.values()):
        return  # a problem of its own
    if any(isinstance(value, Unresolved) for value in variables.values()):
        return  # the size is not known yet
    total = len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())
    if total > ENVIRONMENT_MAXIMUM_BYTES:  # AWS's own message would print the values
        longest = sorted(variables, key=lambda name: -len(str(variables[name])))[:3]
        sizes = ", ".join(f"{name} {len(str(variables[name]))} B" for name in longest)
        yield (
            f"`{function.key}.Environment.Variables` must be at most {ENVIRONMENT_MAXIMUM_BYTES} "
            f"bytes, got {total}; the longest are: {sizes}."
        )


def _check_layers(parameters: Parameters) -> Iterator[str]:
    function = parameters.function
    named, others = function.layers or (), function.parameters.get("Layers") or ()
    arns = [each for each in named if each not in function.layer_names]
    shape = input_shape("CreateFunction").members["Layers"]
    yield from find_problems(shape, arns, f"{function.key}.layers")
    if parameters.image and named:
        yield f"`{function.key}.layers` cannot be set for a container image."
    if len(set(named)) < len(named):
        yield f"`{function.key}.layers` contains a layer twice."
    if isinstance(others, list | tuple) and len(named) + len(others) > LAYERS_MAXIMUM:
        yield (
            f"`{function.key}` has {len(named) + len(others)} layers, including those under "
            f"`Layers`; Lambda allows {LAYERS_MAXIMUM}."
        )


def _check_storage(parameters: Parameters) -> Iterator[str]:
    function = parameters.function
    key = f"`{function.key}.Code.S3ObjectStorageMode`"
    if get_setting(function, "Code.S3ObjectStorageMode") != "REFERENCE":
        return
    if parameters.image:
        yield f"{key} cannot be set for a container image."
    elif not function.bucket:
        yield f"{key} is REFERENCE, which requires `bucket`: Lambda has to find the archive in S3."


def _check_snap_start(function: Function) -> Iterator[str]:
    if get_setting(function, "SnapStart.ApplyOn") == "PublishedVersions" and not function.alias:
        yield (
            f"`{function.key}.SnapStart` requires `alias`: Lambda makes snapshots of published "
            "versions only."
        )


def _check_parameters(function: Function) -> Iterator[str]:
    """Yield what is wrong with the API's parameters."""
    rest = dict(function.parameters)
    identifiers = {"FunctionName": function.name, "Qualifier": "1"}  # as any version
    problems: list[str] = []
    for attachment in ATTACHMENTS:
        if attachment.operation and attachment.key is None:
            shape = input_shape(attachment.operation)
            values = {key: rest.pop(key) for key in attachment.keys if key in rest}
            given = select({**identifiers, **values}, shape.members)
            problems += find_problems(shape, given, function.key) if values else ()
    yield from find_problems(input_shape("CreateFunction"), rest, function.key, partial=True)
    yield from problems


def _check_attachments(function: Function) -> Iterator[str]:
    for attachment in ATTACHMENTS:
        if attachment.operation and attachment.key is not None:
            yield from _check_attachment(attachment, function)
        yield from attachment.check(function)


def _check_attachment(attachment: Attachment, function: Function) -> Iterator[str]:
    key, shape = attachment.key, input_shape(str(attachment.operation), attachment.service)
    value = getattr(function, str(key))
    if value is None:
        return
    values = (
        {f"{function.key}.{key}": value}
        if isinstance(value, Mapping)
        else {f"{function.key}.{key}[{index}]": each for index, each in enumerate(value)}
    )
    for full_key, each in values.items():
        for identifier in IDENTIFIERS:
            if identifier in each:
                yield f"`{full_key}.{identifier}` cannot be set: `deploy` sets it."
        for problem in find_problems(shape, attachment.complete(function, each), full_key):
            of_another = attachment.service != "lambda"
            named = problem.replace("the Lambda API", str(attachment.operation))
            yield type(problem)(named) if of_another else problem
