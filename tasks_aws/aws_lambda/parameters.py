"""A function's settings, checked and split by botocore's model of the Lambda API.

Which keys exist, what they may hold and which call takes them is all in the model, so that a
new field of Lambda works as soon as botocore knows it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel

from ..config.functions import Function
from ..config.references import Unresolved
from ..errors import SettingsError
from ..ui.output import warn
from .validation import Unknown, problems, typed

LAYERS_MAXIMUM = 5  # "Lambda quotas"
ENVIRONMENT_MAXIMUM_BYTES = 4096  # "Lambda quotas", measured as compact JSON


@dataclass(frozen=True, slots=True, eq=False)
class OwnCalls:
    """Operations that read and write parameters which CreateFunction does not have.

    A `qualified` one is made for the alias, if there is one.
    """

    read: str
    write: str
    qualified: bool = False

    def keys(self, model: ServiceModel) -> set[str]:
        """Return the parameters that they are for."""
        return {*_input(model, self.write).members} - {"FunctionName", "Qualifier"}


OWN_CALLS = (
    OwnCalls("GetFunctionConcurrency", "PutFunctionConcurrency"),
    OwnCalls("GetFunctionEventInvokeConfig", "PutFunctionEventInvokeConfig", qualified=True),
    OwnCalls("GetRuntimeManagementConfig", "PutRuntimeManagementConfig"),
    OwnCalls("GetFunctionRecursionConfig", "PutFunctionRecursionConfig"),
    OwnCalls("GetFunctionCodeSigningConfig", "PutFunctionCodeSigningConfig"),
    OwnCalls("GetProvisionedConcurrencyConfig", "PutProvisionedConcurrencyConfig", qualified=True),
)


# Settings that hold parameters of other calls, and those calls.
_AROUND = {
    "events": "CreateEventSourceMapping",
    "permissions": "AddPermission",
    "url": "CreateFunctionUrlConfig",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameters:
    """A function's parameters, by the API call that takes them; `FunctionName` is in none."""

    function: Function
    name: str  # FunctionName
    create: Mapping[str, Any]  # CreateFunction: all that it takes
    configuration: Mapping[str, Any]  # UpdateFunctionConfiguration
    code: Mapping[str, Any]  # UpdateFunctionCode, but for the archive
    own: Mapping[OwnCalls, Mapping[str, Any]]
    image: bool  # whether the code is a container image, and no archive

    @property
    def qualifier(self) -> dict[str, str]:
        """Return the `Qualifier` of calls that are for the alias, if there is one."""
        return {"Qualifier": self.function.alias} if self.function.alias else {}

    @property
    def log_group(self) -> str:
        """Return the name of the log group that Lambda writes to."""
        logging = self.create.get("LoggingConfig")
        named = logging.get("LogGroup") if isinstance(logging, Mapping) else None
        return str(named or f"/aws/lambda/{self.name}")


def parameters_of(function: Function) -> Parameters:
    """Check a function's parameters and split them by call.

    Raises one `SettingsError` with everything that is wrong. A value that only a newer botocore
    may know is a warning. What waits for an answer of AWS is not checked: of what
    `lookups.resolved` gives, everything is.
    """
    model = lambda_model()
    function = _typed(function, model)
    given = {each: value for each, value in function.parameters.items() if each != "FunctionName"}
    code = given.get("Code")
    code = code if isinstance(code, Mapping) else {}
    image = "ImageUri" in code
    if image:
        given.setdefault("PackageType", "Image")
    found = [
        *_missing(function, image=image),
        *_too_long(function),
        *_layers(function, image=image),
    ]
    found += [*_unlike_the_model(function, model), *_around(function, model)]
    refuse(function.key, found)
    own = {calls: _of(given, calls.keys(model)) for calls in OWN_CALLS}
    return Parameters(
        function=function,
        name=function.parameters.get("FunctionName", function.name),
        create=_of(given, _input(model, "CreateFunction").members),
        configuration=_of(given, _input(model, "UpdateFunctionConfiguration").members),
        code=_of({**given, **code}, _input(model, "UpdateFunctionCode").members),
        own={calls: values for calls, values in own.items() if values},
        image=image,
    )


def with_layers(parameters: Parameters, arns: Sequence[str]) -> Parameters:
    """Return the parameters with versions of layers named after those under `Layers`."""
    named = {"Layers": [*parameters.create.get("Layers", ()), *arns]}
    return replace(
        parameters,
        create={**parameters.create, **named},
        configuration={**parameters.configuration, **named},
    )


def refuse(key: str, problems: Iterable[str]) -> None:
    """Warn of what only a newer botocore may know; raise one `SettingsError` for all the rest."""
    found = []
    for problem in problems:
        if isinstance(problem, Unknown):
            _warn_once(problem)
        else:
            found.append(problem)
    if found:
        what = f"`{key}` has {len(found)} problems:\n  - " + "\n  - ".join(found)
        raise SettingsError(
            found[0] if len(found) == 1 else what,
            fix="Correct it; the names and values are those of the Lambda API.",
        )


@cache
def lambda_model() -> ServiceModel:
    """Return botocore's model of the Lambda API."""
    session = botocore.session.get_session()
    session.register_component("data_loader", data_loader())
    return session.get_service_model("lambda")


@cache
def data_loader() -> Any:
    """Return what reads botocore's models, shared so that each is read only once."""
    return botocore.session.get_session().get_component("data_loader")


def _input(model: ServiceModel, operation: str) -> Any:
    return model.operation_model(operation).input_shape


def _of(given: Mapping[str, Any], keys: Any) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key in keys}


@cache
def _warn_once(problem: str) -> None:
    """Warn of a value that may be wrong; it is checked again when AWS has answered."""
    warn(str(problem))


def _typed(function: Function, model: ServiceModel) -> Function:
    """Return it with numbers where a reference gave a text, and the API wants a number."""
    shapes = {**_input(model, "CreateFunction").members}
    for calls in OWN_CALLS:
        shapes |= {key: _input(model, calls.write).members[key] for key in calls.keys(model)}
    around: dict[str, Any] = {
        name: typed(_input(model, operation), value)
        if isinstance(value, Mapping)
        else tuple(typed(_input(model, operation), each) for each in value)
        for name, operation in _AROUND.items()
        if (value := getattr(function, name)) is not None
    }
    parameters = {
        key: typed(shapes[key], value) if key in shapes else value
        for key, value in function.parameters.items()
    }
    return replace(function, parameters=parameters, **around)


def _unlike_the_model(function: Function, model: ServiceModel) -> Iterator[str]:
    """Yield what is wrong with the capitalised keys."""
    own = _of(function.parameters, {key for calls in OWN_CALLS for key in calls.keys(model)})
    rest = {key: value for key, value in function.parameters.items() if key not in own}
    yield from problems(_input(model, "CreateFunction"), rest, function.key, partial=True)
    for calls in OWN_CALLS:
        values = _of(own, calls.keys(model))
        given = {"FunctionName": function.name, "Qualifier": function.alias or "live", **values}
        if values:
            shape = _input(model, calls.write)
            yield from problems(shape, _of(given, shape.members), function.key)


def _around(function: Function, model: ServiceModel) -> Iterator[str]:
    """Yield what is wrong with what lies around the function."""
    given = {"FunctionName": function.name}
    for name, operation in _AROUND.items():
        values = getattr(function, name) or ()
        for index, value in enumerate((values,) if isinstance(values, Mapping) else values):
            key = f"{function.key}.{name}" + ("" if name == "url" else f"[{index}]")
            for ours in ("FunctionName", "Qualifier"):
                if ours in value:
                    yield f"`{key}.{ours}` may not be set: `deploy` gives it by itself."
            yield from problems(_input(model, operation), {**given, **value}, key)
            sources = ("EventSourceArn", "SelfManagedEventSource")
            if name == "events" and not any(source in value for source in sources):
                yield f"`{key}` has neither {' nor '.join(sources)}."
    identifiers = [each.get("StatementId") for each in function.permissions or ()]
    for identifier in dict.fromkeys(identifiers):
        if identifiers.count(identifier) > 1:
            yield f"`{function.key}.permissions` has the StatementId {identifier} more than once."
    if "ProvisionedConcurrentExecutions" in function.parameters and not function.alias:
        yield f"`{function.key}.ProvisionedConcurrentExecutions` needs `alias`."


def _missing(function: Function, *, image: bool) -> Iterator[str]:
    for key, example in (("Handler", "app.handler"), ("Runtime", "python3.13")):
        if not image and not function.parameters.get(key):
            yield f"`{function.key}.{key}` is missing, such as `{key}: {example}`."
    if "Publish" in function.parameters:
        yield f"`{function.key}.Publish` may not be set: with `alias`, `deploy` publishes."
    code = function.parameters.get("Code")
    for key in ("ZipFile", "S3Bucket", "S3Key", "S3ObjectVersion"):
        if isinstance(code, Mapping) and key in code:
            yield f"`{function.key}.Code.{key}` may not be set: `deploy` gives it by itself."


def _layers(function: Function, *, image: bool) -> Iterator[str]:
    """Yield why a function cannot have the layers that it names."""
    ours, others = function.layers or (), function.parameters.get("Layers") or ()
    arns = [each for each in ours if each not in function.layer_names]
    shape = _input(lambda_model(), "CreateFunction").members["Layers"]
    yield from problems(shape, arns, f"{function.key}.layers")
    if image and ours:
        yield f"`{function.key}.layers`: a container image has no layers."
    if len(set(ours)) < len(ours):
        yield f"`{function.key}.layers` names a layer twice."
    if isinstance(others, list | tuple) and len(ours) + len(others) > LAYERS_MAXIMUM:
        yield (
            f"`{function.key}` has {len(ours) + len(others)} layers, with those under `Layers`; "
            f"Lambda allows {LAYERS_MAXIMUM}."
        )


def _too_long(function: Function) -> Iterator[str]:
    environment = function.parameters.get("Environment")
    variables = environment.get("Variables") if isinstance(environment, Mapping) else None
    if not isinstance(variables, Mapping):
        return
    if not all(isinstance(text, str) for text in variables.values()):
        return  # which is told by itself
    if any(isinstance(text, Unresolved) for text in variables.values()):
        return  # nobody knows yet
    total = len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())
    if total > ENVIRONMENT_MAXIMUM_BYTES:  # AWS's own message would print the values
        longest = sorted(variables, key=lambda name: -len(str(variables[name])))[:3]
        sizes = ", ".join(f"{name} {len(str(variables[name]))} B" for name in longest)
        yield (
            f"`{function.key}.Environment.Variables` is {total} bytes, of "
            f"{ENVIRONMENT_MAXIMUM_BYTES} allowed; the longest: {sizes}."
        )
