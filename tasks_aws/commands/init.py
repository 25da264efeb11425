"""From existing functions to settings: what the task `init` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from invoke.context import Context

from ..auth.active import settings_in_force
from ..aws_lambda.clients import Account
from ..aws_lambda.download import download_code, refuse_existing_folder
from ..aws_lambda.error_messages import translating
from ..aws_lambda.export import export_settings
from ..config.function_parsers import Source
from ..config.functions import Function, check_name
from ..config.load import root_key
from ..config.references import HIDDEN, escape_references
from ..config.settings import Settings
from ..errors import SettingsError, TasksAwsError, raise_failures
from ..ui.output import print_result, say, warn
from ..ui.yaml_format import format_yaml
from .accounts import get_active_account


def print_existing(c: Context, names: Sequence[str], *, code: bool, show_values: bool) -> None:
    """Print the settings of existing functions as YAML on stdout; download their code if asked.

    The values of environment variables are printed only with `show_values`: also a file, or the
    log of a CI job, is no place for secrets that somebody else has put there.
    """
    settings = settings_in_force(c)
    if settings.functions and not names:
        say(
            "init",
            f"this project has functions already ({', '.join(settings.functions)}): prints their "
            "settings as they are on AWS",
        )
    functions = [_get_function(each, settings) for each in names or settings.functions]
    if not functions:
        raise SettingsError(
            "No function is named, and none is configured.", fix="Name one with --function."
        )
    for function in functions if code else ():
        refuse_existing_folder(settings.project / _get_folder(function, settings))
    account, found = get_active_account(c), {}
    failed: dict[str, TasksAwsError] = {}
    for function in functions:
        try:
            with translating(function.name, "describe"):
                read = _read_settings(c, function, account, code=code)
                found[function.name] = escape_references(read)
                if not show_values:
                    _hide_variables(found[function.name])
        except TasksAwsError as error:
            failed[function.name] = error
    if found:
        print_result(format_yaml({root_key(c.config): {"functions": found}}), end="")
    with_variables = ", ".join(name for name in found if "Environment" in found[name])
    if with_variables and show_values:
        warn(
            f"The environment variables of {with_variables} are printed: keep secrets out of "
            "files that others can read."
        )
    elif with_variables:
        say(
            "init",
            f"{with_variables}  values of environment variables are left out: write each in place "
            f"of {HIDDEN}, or pass --show-values",
        )
    outcomes = ((each.name, failed.get(each.name)) for each in functions)
    raise_failures(outcomes, what="could not be described")


def _hide_variables(settings: dict[str, Any]) -> None:
    """Put a placeholder, which cannot be deployed, in place of the values of variables."""
    if "Environment" in settings:
        names = settings["Environment"]["Variables"]
        settings["Environment"] = {"Variables": dict.fromkeys(names, HIDDEN)}


def _get_function(name: str, settings: Settings) -> Function:
    """Return a function as it is configured, or else one with nothing but its name."""
    check_name(name, "--function")
    configured = settings.functions.get(name)
    return configured or Function(name=name, key=f"aws.functions.{name}", parameters={})


def _get_folder(function: Function, settings: Settings) -> str:
    """Return the folder for a function's code: a source that does not exist yet, or its name."""
    for source in function.source if len(function.source) == 1 else ():
        if not source.inside and not (settings.project / source.path).exists():
            return source.path
    return function.name


def _read_settings(
    c: Context, function: Function, account: Account, *, code: bool
) -> dict[str, Any]:
    """Return the settings of an existing function, and download its code if asked."""
    found = export_settings(function, account)
    if code:
        name = found.get("FunctionName", function.name)
        folder = _get_folder(function, account.settings)
        if c.config.run.dry:
            say("init", f"would download {name} into {folder}")
        else:
            download_code(name, account.settings.project / folder, account)
            say("init", f"{name}  downloaded into {folder}")
        return {"source": folder, "requirements": "none", **found}
    if "ImageUri" in found.get("Code", {}):  # an image has no source
        return found
    if not function.source:
        say("init", f"{function.name}  set `source` to the folder of its code, or pass --download")
        function = replace(function, source=(Source(function.name),))
    sources = [{each.path: each.inside} if each.inside else each.path for each in function.source]
    return {"source": sources[0] if len(sources) == 1 else sources, **found}
