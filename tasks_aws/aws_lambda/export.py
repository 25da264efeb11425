"""The settings of an existing function, as one would write them to deploy it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ..config.functions import Function
from ..errors import FunctionError
from ..ui.output import warn
from .attachments import ATTACHMENTS, Attachment, Unreadable, read_unnamed
from .attachments.aliases import list_aliases
from .clients import Account
from .defaults import default_configuration
from .parameters import Parameters, extract_parameters, select, split_parameters, without_empty
from .remote_state import (
    normalize_configuration,
    wait_until_settled,
    warn_of_unreadable_parts,
)

# What Lambda sets by default at the creation: "CreateFunction", Lambda API reference.
_AT_CREATION = {"Architectures": ["x86_64"], "PackageType": "Zip"}


def export_settings(function: Function, account: Account) -> dict[str, Any]:
    """Return the settings of an existing function, without its source.

    Only the names and the alias of the given function are used. What the credentials may not
    read, and what a deploy cannot set, is skipped with a warning. Raises `FunctionError` if
    there is no such function.
    """
    name = str(function.parameters.get("FunctionName", function.name))
    answer = wait_until_settled(name, account)
    if answer is None:
        raise FunctionError(
            f"There is no function {name} in {account}.", fix="Check the name and the region."
        )
    warn_of_unreadable_parts(name, answer, "will be missing")
    configuration = normalize_configuration(answer)
    alias = function.alias or _find_alias(name, account)
    logging = {key: configuration[key] for key in ("LoggingConfig",) if key in configuration}
    given = {"FunctionName": name, **logging}
    parameters = split_parameters(
        Function(name=function.name, key=function.key, parameters=given, alias=alias)
    )
    attached = _export_attachments(parameters, account, answer)
    code = select(configuration, ("ImageUri", "SourceKMSKeyArn"))
    settings = {
        "FunctionName": name if name != function.name else None,
        **_export_configuration({**configuration, **attached}, name),
        "Code": code,
        **{key: value for key, value in attached.items() if key[0].isupper()},
        "alias": alias,
        **attached,
    }
    return without_empty(settings, {})


def _find_alias(name: str, account: Account) -> str | None:
    """Return the alias of a function if it has exactly one."""
    aliases = [alias["Name"] for alias in list_aliases(name, account)]
    if len(aliases) > 1:
        warn(
            f"{name} has the aliases {', '.join(aliases)}: set `alias` to the one that deploy "
            "moves. What is attached to an alias is skipped."
        )
    return aliases[0] if len(aliases) == 1 else None


def _export_configuration(configuration: Mapping[str, Any], name: str) -> dict[str, Any]:
    defaults = _AT_CREATION | default_configuration(name)
    exported = extract_parameters("CreateFunction", configuration, defaults)
    return {
        key: without_empty(value, defaults[key]) if isinstance(defaults.get(key), dict) else value
        for key, value in exported.items()
    }


def _export_attachments(
    parameters: Parameters, account: Account, answer: Mapping[str, Any]
) -> dict[str, Any]:
    read = {
        attachment.name: read_unnamed(
            attachment, parameters, account, answer, partial(_warn_of_skipped, attachment)
        )
        for attachment in ATTACHMENTS
    }
    found = {name: None if isinstance(each, Unreadable) else each for name, each in read.items()}
    return {
        key: value
        for attachment in ATTACHMENTS
        if found[attachment.name]
        for key, value in attachment.export(found[attachment.name], found).items()
    }


def _warn_of_skipped(attachment: Attachment, why: str) -> None:
    warn(f"{attachment.name} skipped: {why}")
