"""From functions that exist to settings: what the task `init` does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from invoke.context import Context
from invoke.util import yaml  # type: ignore[attr-defined]  # PyYAML, as invoke has it

from ..auth.active import settings_in_force
from ..aws_lambda.clients import Account
from ..aws_lambda.download import download_code, refuse_existing_folder
from ..aws_lambda.error_messages import translating
from ..aws_lambda.export import export_settings
from ..config.function_keys import Source
from ..config.functions import Function, check_name
from ..config.load import Settings
from ..errors import SettingsError, TasksAwsError, raise_failures
from ..ui.output import say, warn
from .clients import active_account


def describe_all(c: Context, names: Iterable[str], *, code: bool) -> None:
    """Print the settings of existing functions as YAML on stdout; fetch their code if asked."""
    settings = settings_in_force(c)
    functions = [_function(each, settings) for each in names or settings.functions]
    if not functions:
        raise SettingsError(
            "No function is named, and none is configured.", fix="Name one with --function."
        )
    for function in functions if code else ():
        refuse_existing_folder(settings.project / _folder(function, settings))
    where, found = active_account(c), {}
    failures: list[tuple[str, TasksAwsError]] = []
    for function in functions:
        try:
            with translating(function.name, "describe"):
                found[function.name] = _described(c, function, where, code=code)
        except TasksAwsError as error:
            failures.append((function.name, error))
    if found:
        dump: Any = yaml.safe_dump
        text = dump({"aws": {"functions": found}}, sort_keys=False, allow_unicode=True)
        print(text, end="", flush=True)
    shown = [name for name in found if "Environment" in found[name]]
    if shown:
        warn(
            f"The values of the environment of {', '.join(shown)} are printed: keep what is "
            "secret out of files that others can read."
        )
    raise_failures(failures, of=len(functions), what="could not be described")


def _function(name: str, settings: Settings) -> Function:
    """Return a function as it is configured, or one of which there is only the name."""
    check_name(name, "--function")
    configured = settings.functions.get(name)
    return configured or Function(name=name, key=f"aws.functions.{name}", parameters={})


def _folder(function: Function, settings: Settings) -> str:
    """Return the folder for its code: the source, if it is still missing, or one of its name."""
    for source in function.source if len(function.source) == 1 else ():
        if not source.inside and not (settings.project / source.path).exists():
            return source.path
    return function.name


def _described(c: Context, function: Function, where: Account, *, code: bool) -> dict[str, Any]:
    found = export_settings(function, where)
    if code:
        name = found.get("FunctionName", function.name)
        folder = _folder(function, where.settings)
        if c.config.run.dry:
            say("init", f"would download {name} into {folder}")
        else:
            download_code(name, where.settings.project / folder, where)
            say("init", f"{name}  its code is in {folder}")
        return {"source": folder, "requirements": "none", **found}
    if "Code" in found:  # an image has no source
        return found
    if not function.source:
        say("init", f"{function.name}  let `source` name the folder of its code, or --download it")
        function = replace(function, source=(Source(function.name),))
    sources = [{each.path: each.inside} if each.inside else each.path for each in function.source]
    return {"source": sources[0] if len(sources) == 1 else sources, **found}
