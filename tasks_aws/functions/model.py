"""A function's capitalised settings, checked and split by botocore's model of the Lambda API.

Which keys exist, what they may hold and which call takes them is all in the model, so that a
new field of Lambda works as soon as botocore knows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel

from ..errors import SettingsError
from ..output import suggestion, warn
from ..settings import Function

ENVIRONMENT_MAXIMUM_BYTES = 4096  # "Lambda quotas", measured as compact JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """A function's parameters, by the API call that takes them."""

    name: str  # FunctionName
    create: Mapping[str, Any]  # CreateFunction: all of them
    configuration: Mapping[str, Any]  # UpdateFunctionConfiguration
    code: Mapping[str, Any]  # UpdateFunctionCode
    image: bool  # whether the code is a container image, and no archive


def parameters_of(function: Function) -> Parameters:
    """Check a function's parameters and split them by call.

    Raises one `SettingsError` with everything that is wrong. A value that only a newer botocore
    may know is a warning.
    """
    model = _lambda_model()
    given = {"FunctionName": function.name, **function.parameters}
    code = given.get("Code")
    image = isinstance(code, Mapping) and "ImageUri" in code
    if image:
        given.setdefault("PackageType", "Image")
    problems = [*_missing(function, image=image), *_too_long(function)]
    for problem in _walk(_input(model, "CreateFunction"), given, function.key):
        if isinstance(problem, _Unknown):
            warn(str(problem))
        else:
            problems.append(problem)
    if problems:
        what = f"`{function.key}` has {len(problems)} problems:\n  - " + "\n  - ".join(problems)
        raise SettingsError(
            problems[0] if len(problems) == 1 else what,
            fix="Correct it; the names and values are those of Lambda's CreateFunction.",
        )
    return Parameters(
        name=given["FunctionName"],
        create=given,
        configuration=_taken_by(_input(model, "UpdateFunctionConfiguration"), given),
        code={
            **_taken_by(_input(model, "UpdateFunctionCode"), given),
            **({"ImageUri": given["Code"]["ImageUri"]} if image else {}),
        },
        image=image,
    )


@cache
def _lambda_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("lambda")


def _input(model: ServiceModel, operation: str) -> Any:
    return model.operation_model(operation).input_shape


def _taken_by(shape: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key in shape.members}


def _missing(function: Function, *, image: bool) -> Iterator[str]:
    for key, example in (("Handler", "app.handler"), ("Runtime", "python3.13")):
        if not image and not function.parameters.get(key):
            yield f"`{function.key}.{key}` is missing, such as `{key}: {example}`."
    if "Publish" in function.parameters or ("Code" in function.parameters and not image):
        yield (
            f"`{function.key}` may have neither `Publish` nor a `Code` other than ImageUri: "
            "`deploy` gives them by itself."
        )


def _too_long(function: Function) -> Iterator[str]:
    environment = function.parameters.get("Environment")
    variables = environment.get("Variables") if isinstance(environment, Mapping) else None
    if not isinstance(variables, Mapping):
        return
    if not all(isinstance(text, str) for text in variables.values()):
        return  # which is told by itself
    total = len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())
    if total > ENVIRONMENT_MAXIMUM_BYTES:  # AWS's own message would print the values
        longest = sorted(variables, key=lambda name: -len(str(variables[name])))[:3]
        sizes = ", ".join(f"{name} {len(str(variables[name]))} B" for name in longest)
        yield (
            f"`{function.key}.Environment.Variables` is {total} bytes, of "
            f"{ENVIRONMENT_MAXIMUM_BYTES} allowed; the longest: {sizes}."
        )


class _Unknown(str):
    """A problem that may be due to a botocore that is older than the setting."""

    __slots__ = ()


def _walk(shape: Any, value: Any, key: str) -> Iterator[str]:
    """Yield what is wrong with a value, by the shape that the API's model has for it."""
    expected: dict[str, tuple[type, ...]] = {
        "structure": (Mapping,),
        "map": (Mapping,),
        "list": (list, tuple),
        "string": (str,),
        "integer": (int,),
        "long": (int,),
        "float": (int, float),
        "double": (int, float),
        "boolean": (bool,),
    }
    kind = shape.type_name
    wrong = not isinstance(value, expected.get(kind, (object,)))
    if wrong or (isinstance(value, bool) and kind != "boolean"):
        shown = repr(value)
        if shape.metadata.get("sensitive") or isinstance(value, Mapping | list | tuple):
            shown = f"of type {type(value).__name__}"
        yield f"`{key}` is {shown}, not of type {kind}."
    elif kind == "structure":
        yield from _walk_structure(shape, value, key)
    elif kind == "map":
        yield from _in_range(shape, len(value), f"`{key}` has {len(value)} entries")
        for name, each in value.items():
            yield from _walk(shape.key, name, f"{key}: the name {name!r}")
            yield from _walk(shape.value, each, f"{key}.{name}")
    elif kind == "list":
        yield from _in_range(shape, len(value), f"`{key}` has {len(value)} entries")
        for index, each in enumerate(value):
            yield from _walk(shape.member, each, f"{key}[{index}]")
    elif kind == "string":
        yield from _walk_text(shape, value, key)
    elif kind in ("integer", "long", "float", "double"):
        yield from _in_range(shape, value, f"`{key}` is {value}")


def _walk_structure(shape: Any, value: Mapping[str, Any], key: str) -> Iterator[str]:
    for name, each in value.items():
        if name not in shape.members:
            hint = suggestion(name, list(shape.members))
            yield f"`{key}.{name}` is not a parameter of the Lambda API. {hint}".rstrip()
        else:
            yield from _walk(shape.members[name], each, f"{key}.{name}")
    if not key.count("[") and key.count(".") == 2:
        return  # the function itself: what it needs depends on whether it exists
    for name in shape.required_members:
        if name not in value:
            yield f"`{key}.{name}` is missing."


def _walk_text(shape: Any, value: str, key: str) -> Iterator[str]:
    shown = "its value" if shape.metadata.get("sensitive") else repr(value)
    if shape.enum and value not in shape.enum:
        hint = suggestion(value, list(shape.enum)) or f"Known are: {_some(shape.enum)}."
        yield _Unknown(f"`{key}`: the installed botocore does not know {shown}. {hint}")
    yield from _in_range(shape, len(value), f"`{key}` has {len(value)} characters")
    pattern = shape.metadata.get("pattern")
    if pattern and not _matches(pattern, value):
        yield f"`{key}` is {shown}, which does not match {pattern}"


def _in_range(shape: Any, number: float, what: str) -> Iterator[str]:
    lowest, highest = shape.metadata.get("min"), shape.metadata.get("max")
    if (lowest is not None and number < lowest) or (highest is not None and number > highest):
        bounds = (
            f"{lowest} to {highest}"
            if None not in (lowest, highest)
            else (f"at least {lowest}" if highest is None else f"at most {highest}")
        )
        yield f"{what}, but AWS allows {bounds}."


def _matches(pattern: str, value: str) -> bool:
    try:
        return bool(re.fullmatch(pattern, value))
    except re.error:  # a few of the model's patterns are Java's
        return True


def _some(names: Iterable[str]) -> str:
    return ", ".join(list(names)[-8:])
