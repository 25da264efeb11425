"""A function's settings, split by the API call that takes them, and back from AWS's answers.

Which keys exist and which call takes them is in botocore's model of the Lambda API: a new
parameter works as soon as botocore knows it.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ..config.functions import Function, Layer
from ..sdk.models import service_model

# Parameters that `deploy` sets: which function and alias a call is for, and its code.
IDENTIFIERS = ("FunctionName", "Qualifier")

# What callers get of a function on Lambda Managed Instances, unless they name a version.
LATEST_PUBLISHED = "$LATEST.PUBLISHED"
# An ARN or, as Lambda takes it too, only the end of one: "CreateFunction", Lambda API reference.
_FUNCTION_NAME = re.compile(
    r"(?:(?:arn:[^:]*:lambda:)?(?:[a-z]+(?:-[a-z]+)+-\d+:)?(?P<account>\d{12}):)?(?:function:)?"
    r"(?P<name>[\w-]+)(?P<qualifier>(?::(?:\$LATEST|[\w-]+))?)",
    re.ASCII,
)
_NOT_EXPORTED = (*IDENTIFIERS, "Code", "Publish", "PublishTo")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parameters:
    """A function's parameters by the API call that takes them, without `FunctionName`."""

    function: Function
    name: str  # FunctionName
    create: Mapping[str, Any]  # CreateFunction: everything that it takes
    configuration: Mapping[str, Any]  # UpdateFunctionConfiguration
    code: Mapping[str, Any]  # UpdateFunctionCode, except for the archive
    image: bool  # whether the code is a container image
    image_digest: str | None = None  # of the image that its tag means now, where that is known

    @property
    def bare_name(self) -> str:
        """Return the name of the function, without the beginning of an ARN."""
        return bare_name(self.name)

    @property
    def qualified_name(self) -> str:
        """Return what calls name the function by, or its alias if it has one."""
        return ":".join([self.name, *self.qualifier.values()])

    @property
    def qualifier(self) -> dict[str, str]:
        """Return the `Qualifier` of calls that are for the alias, empty without an alias."""
        return {"Qualifier": self.function.alias} if self.function.alias else {}

    @property
    def managed(self) -> bool:
        """Return whether the function runs on Lambda Managed Instances."""
        return "CapacityProviderConfig" in self.create

    @property
    def published(self) -> str | None:
        """Return the alias, or the version, that `deploy` publishes for callers."""
        return self.function.alias or (LATEST_PUBLISHED if self.managed else None)

    @property
    def log_group(self) -> str:
        """Return the name of the log group that Lambda writes to."""
        logging = self.create.get("LoggingConfig")
        name = logging.get("LogGroup") if isinstance(logging, Mapping) else None
        return str(name or f"/aws/lambda/{self.bare_name}")


def split_parameters(function: Function) -> Parameters:
    """Split a function's parameters by API call, without checking them."""
    given = {key: value for key, value in function.parameters.items() if key != "FunctionName"}
    code = given.get("Code")
    code = code if isinstance(code, Mapping) else {}
    image = "ImageUri" in code
    if image:
        given.setdefault("PackageType", "Image")
    return Parameters(
        function=function,
        name=function.parameters.get("FunctionName", function.name),
        create=select(given, input_shape("CreateFunction").members),
        configuration=select(given, input_shape("UpdateFunctionConfiguration").members),
        code=select({**given, **code}, input_shape("UpdateFunctionCode").members),
        image=image,
    )


def add_layers(parameters: Parameters, arns: Sequence[str]) -> Parameters:
    """Return the parameters with layer versions added after those under `Layers`."""
    layers = {"Layers": [*parameters.create.get("Layers", ()), *arns]}
    return replace(
        parameters,
        create={**parameters.create, **layers},
        configuration={**parameters.configuration, **layers},
    )


def extract_parameters(
    operation: str,
    answer: Mapping[str, Any],
    defaults: Mapping[str, Any],
    service: str = "lambda",
) -> dict[str, Any]:
    """Return the parameters of an operation that an answer contains, as settings for YAML.

    Identifiers, empty values and defaults are left out.
    """
    members = [key for key in input_shape(operation, service).members if key not in _NOT_EXPORTED]
    return without_empty({key: answer[key] for key in members if key in answer}, defaults)


def without_empty(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return values in YAML's plain types, without those that are empty or a default."""
    plain = {key: _make_plain(value) for key, value in values.items()}
    return {
        key: value
        for key, value in plain.items()
        if value not in (None, "", [], {}) and not (key in defaults and value == defaults[key])
    }


def _make_plain(value: Any) -> Any:
    """Return a value in YAML's plain types, without what is empty at any depth.

    A nested string may be empty on purpose, such as the value of an environment variable.
    """
    if isinstance(value, Mapping):
        plain = {key: _make_plain(each) for key, each in value.items()}
        return {key: each for key, each in plain.items() if each not in (None, [], {})}
    if isinstance(value, list | tuple):
        return [_make_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value


def bare_name(name: str) -> str:
    """Return the name of a function, or of its alias, without the beginning of an ARN.

    >>> bare_name("arn:aws:lambda:eu-west-1:123456789012:function:hello:live"), bare_name("hello")
    ('hello:live', 'hello')
    """
    found = _FUNCTION_NAME.fullmatch(name)
    return f"{found['name']}{found['qualifier']}" if found else name.rpartition(":function:")[2]


def account_of_function(name: str) -> str | None:
    """Return the account that a FunctionName names, in an ARN or a part of one.

    >>> account_of_function("123456789012:hello"), account_of_function("hello")
    ('123456789012', None)
    """
    found = _FUNCTION_NAME.fullmatch(name)
    return found["account"] if found else None


def qualifier_of_function(name: str) -> str:
    """Return the version or alias that a FunctionName ends with, with its colon.

    >>> qualifier_of_function("hello:live"), qualifier_of_function("123456789012:hello")
    (':live', '')
    """
    found = _FUNCTION_NAME.fullmatch(name)
    return found["qualifier"] if found else ""


def layer_name(layer: Layer) -> str:
    """Return the LayerName of a layer."""
    return str(layer.parameters.get("LayerName", layer.name))


def input_shape(operation: str, service: str = "lambda") -> Any:
    """Return the shape of an operation's parameters."""
    return service_model(service).operation_model(operation).input_shape


def own_members(operation: str) -> list[str]:
    """Return the parameters of an operation, except for those that say which function it is for."""
    return [key for key in input_shape(operation).members if key not in IDENTIFIERS]


def select(values: Mapping[str, Any], keys: Container[str]) -> dict[str, Any]:
    """Return those of the values that have one of the keys."""
    return {key: value for key, value in values.items() if key in keys}
