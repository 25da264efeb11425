"""JSON Schema of invoke.yaml, for editors: the declared settings, and botocore's model of Lambda.

A schema judges one file, while settings are merged from several: so at no depth that is merged is
a key required. Values that AWS may add to, such as runtimes, are suggestions.
"""

from __future__ import annotations

import html
import re
from collections.abc import Container, Iterable, Mapping
from typing import Any

import botocore

from ..config.declare import Setting
from ..config.functions import ARCHIVE_PARAMETERS, FUNCTION_KEYS, LAYER_KEYS, Function
from ..config.references import FROM_AWS, KINDS
from ..config.settings import SECTIONS, SETTINGS
from .attachments import ATTACHMENTS, Attachment
from .defaults import REMOVABLE
from .parameters import IDENTIFIERS, input_shape
from .validation import ARCHIVE_MEMBERS, PUBLISHING, function_members, is_pattern, is_scalar

Schema = dict[str, Any]

_SCALARS = {"integer", "number", "boolean"}
_LOCAL, _ANY = "local-reference", "reference"


def make_schema() -> Schema:
    """Return the schema, which fits the installed botocore."""
    aws = _object(_settings())
    targets = _entry({name: _ref(f"aws/properties/{name}") for name in aws["properties"]})
    aws["properties"]["targets"] = {
        "description": SECTIONS["targets"],
        "type": "object",
        "additionalProperties": targets,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": f"Made by `invoke settings --schema` with botocore {botocore.__version__}.",
        "title": "invoke.yaml with tasks-aws",
        "type": "object",
        "properties": {
            "aws": {"description": "Settings of tasks-aws.", **_ref("aws")},
            "tasks_aws": {
                "description": "Settings of tasks-aws, where `aws` is the project's own key.",
                **_ref("aws"),
            },
        },
        "$defs": {
            "aws": aws,
            "function": _entry(_function()),
            "layer": _entry(_layer()),
            "layer-permissions": _layer_permissions(),
            **{key: _attached(attachment) for key, attachment in _attachments().items()},
            _LOCAL: _reference([kind for kind in KINDS if kind not in FROM_AWS], without=FROM_AWS),
            _ANY: _reference(KINDS),
        },
    }


def _settings() -> Schema:
    named = {"type": "object", "propertyNames": {"pattern": "^[A-Za-z0-9_-]{1,64}$"}}
    sections = {
        "functions": {**named, "additionalProperties": _ref("function")},
        "function_defaults": _ref("function"),
        "layers": {**named, "additionalProperties": _ref("layer")},
    }
    described = {key: {"description": SECTIONS[key], **each} for key, each in sections.items()}
    return {**_keys(SETTINGS), **described}


def _function() -> Schema:
    removable = REMOVABLE.union(*(attachment.keys for attachment in ATTACHMENTS))
    return {**_keys(FUNCTION_KEYS), **_members(function_members(), PUBLISHING, removable)}


def _layer() -> Schema:
    members = input_shape("PublishLayerVersion").members
    permissions = {
        "description": LAYER_KEYS["permissions"].doc,
        **_either(_ref("layer-permissions"), _none(scalar=False)),
    }
    parameters = _members(members, without=["Content"])
    return {**_keys(LAYER_KEYS), "permissions": permissions, **parameters}


def _layer_permissions() -> Schema:
    members = input_shape("AddLayerVersionPermission").members
    without = ("LayerName", "VersionNumber", "RevisionId")
    return _one_or_more(_object(_members(members, without)))


def _attachments() -> dict[str, Attachment]:
    """Return the attachments whose keys hold the parameters of an operation, by key."""
    return {each.key: each for each in ATTACHMENTS if each.key is not None and each.operation}


def _attached(attachment: Attachment) -> Schema:
    shape = input_shape(str(attachment.operation), attachment.service)
    found = _object(_members(shape.members, without=IDENTIFIERS))
    if "array" not in FUNCTION_KEYS[str(attachment.key)].parse.schema["type"]:
        return found  # merged, as everything in mappings is
    completed = attachment.complete(Function(name="", key="", parameters={}), {})
    required = [each for each in shape.required_members if each not in completed]
    return {**found, "required": required} if required else found


def _keys(settings: Mapping[str, Setting]) -> Schema:
    return {name: _key(name, each) for name, each in settings.items()}


def _key(name: str, setting: Setting) -> Schema:
    schema: Schema = {"description": setting.doc}
    if setting.default not in (None, ()) and setting.default != {}:
        schema["default"] = setting.default
    if name in _attachments():
        is_list = "array" in setting.parse.schema["type"]
        taken = _one_or_more(_ref(name)) if is_list else _ref(name)
    else:
        taken = _with_references(setting.parse.schema, _ANY if setting.aws_references else _LOCAL)
    none = _none(scalar=setting.is_scalar)
    return {**schema, **(_either(taken, none) if setting.removable else taken)}


def _none(*, scalar: bool) -> Schema:
    """Return the schema of what removes on AWS what a key describes, as `is_none` takes it."""
    return {"enum": ["none"] if scalar else ["none", []]}


def _members(
    members: Mapping[str, Any], without: Container[str], removable: Container[str] = ()
) -> Schema:
    found = {}
    for name, shape in members.items():
        if name not in without and not shape.metadata.get("idempotencyToken"):
            reference = _LOCAL if name in ARCHIVE_PARAMETERS else _ANY
            schema = _with_references({**_description(shape), **_from_shape(shape)}, reference)
            none = _none(scalar=is_scalar(shape))
            found[name] = _either(schema, none) if name in removable else schema
    return found


def _from_shape(shape: Any, *, in_list: bool = False, above: tuple[str, ...] = ()) -> Schema:
    """Return the schema of a shape of botocore's model, without references."""
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        if shape.name in above:  # it contains itself
            return {"type": "object"}
        inside = (*above, shape.name)
        found = _object(
            {
                name: {
                    **_description(each),
                    **_from_shape(each, in_list=in_list, above=inside),
                }
                for name, each in shape.members.items()
                if not (shape.name == "FunctionCode" and name in ARCHIVE_MEMBERS)
            }
        )
        required = list(shape.required_members) if in_list else []
        return {**found, "required": required} if required else found
    if kind == "map":
        value = _from_shape(shape.value, in_list=in_list, above=above)
        names = _from_shape(shape.key)
        bounds = _bounds(limits, "minProperties", "maxProperties")
        return {"type": "object", "propertyNames": names, "additionalProperties": value, **bounds}
    if kind == "list":
        items = _from_shape(shape.member, in_list=True, above=above)
        return {"type": "array", "items": items, **_bounds(limits, "minItems", "maxItems")}
    if kind == "string":
        return _string(shape)
    if kind in ("integer", "long"):
        return {"type": "integer", **_bounds(limits, "minimum", "maximum")}
    if kind in ("float", "double"):
        return {"type": "number", **_bounds(limits, "minimum", "maximum")}
    return {"type": "boolean"} if kind == "boolean" else {}


def _string(shape: Any) -> Schema:
    if shape.enum:
        return {"anyOf": [{"enum": list(shape.enum)}, {"type": "string", "pattern": "^[^$]*$"}]}
    schema: Schema = {"type": "string", **_bounds(shape.metadata, "minLength", "maxLength")}
    pattern = shape.metadata.get("pattern")
    return {**schema, "pattern": f"^(?:{pattern})$"} if is_pattern(pattern) else schema


def _bounds(limits: Mapping[str, Any], lowest: str, highest: str) -> Schema:
    found = {lowest: limits.get("min"), highest: limits.get("max")}
    return {name: bound for name, bound in found.items() if bound is not None}


def _with_references(schema: Mapping[str, Any], reference: str) -> Schema:
    """Return a schema that allows references wherever a value may be replaced by one."""
    changed = dict(schema)
    for name in ("items", "additionalProperties"):
        if isinstance(changed.get(name), Mapping):
            changed[name] = _with_references(changed[name], reference)
    if "properties" in changed:
        changed["properties"] = {
            name: _with_references(each, reference) for name, each in changed["properties"].items()
        }
    types = changed.get("type", ())
    types = {types} if isinstance(types, str) else {*types}
    constrained = {"pattern", "maxLength"} & changed.keys() and "string" in types
    if constrained or types & _SCALARS or {"enum", "anyOf"} & changed.keys():
        return _either(changed, _ref(reference))
    return changed


def _either(schema: Mapping[str, Any], other: Schema) -> Schema:
    """Return a schema that also takes what another one takes."""
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], other]}
    kept: Schema = {name: schema[name] for name in ("description", "default") if name in schema}
    rest = {name: each for name, each in schema.items() if name not in kept}
    return {**kept, "anyOf": [rest, other]}


def _one_or_more(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "array", "items": schema}]}


def _reference(kinds: Iterable[str], without: Iterable[str] = ()) -> Schema:
    no_other = rf"(?![\s\S]*{_written(without)})" if without else ""
    return {"type": "string", "pattern": rf"^{no_other}[\s\S]*{_written(kinds)}"}


def _written(kinds: Iterable[str]) -> str:
    return rf"\$\{{(?:{'|'.join(kinds)})\b"


def _object(properties: Mapping[str, Any]) -> Schema:
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def _entry(properties: Mapping[str, Any]) -> Schema:
    """Return the schema of what may be empty, such as a function that has defaults for all."""
    return {**_object(properties), "type": ["object", "null"]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _description(shape: Any) -> Schema:
    """Return the first paragraph of the documentation, as plain text."""
    paragraph = re.search(r"<p>(.*?)</p>", shape.documentation, re.DOTALL)
    text = html.unescape(re.sub(r"<[^>]+>", "", paragraph[1] if paragraph else ""))
    return {"description": " ".join(text.split())} if text.strip() else {}
