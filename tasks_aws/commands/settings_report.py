"""What the task `settings` does: print the settings in force, or all mistakes in them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from invoke.context import Context

from ..auth.active import read_with_mistakes, settings_in_force
from ..auth.aws_config import read_config
from ..auth.environment import environment_before_assume, users_own
from ..auth.region import find_region
from ..auth.resolve import named_profile
from ..aws_lambda.layers import find_layer_problems
from ..aws_lambda.parameters import bare_name
from ..aws_lambda.schema import make_schema
from ..aws_lambda.validation import find_function_problems
from ..config.functions import Function, Layer
from ..config.load import find_targets, root_key
from ..config.mistakes import Mistakes
from ..config.origins import Origin, Origins
from ..config.references import LocalResolver, NoTargetError, UnsetError
from ..config.settings import SETTINGS, Settings
from ..config.unset import refuse_if_unset
from ..errors import PackageError, SettingsError, WrongSettingsError
from ..packaging.files import convert_file_errors, find_source_files
from ..packaging.handler import check_source
from ..secret import Secret
from ..text.masking import find_secrets, without_passwords, without_secrets
from ..ui.output import count, print_result, print_table, say
from .selection import find_foreign

_MASKED = "***"
# What is never shown: an external ID is a shared secret, and a command may contain the seed of
# the MFA device.
_SECRET = ("external_id", "mfa_command")
_VARIABLES = ("Environment", "Variables")

# Where settings come from that are not set: the first variable that is there counts.
_AWS_VARIABLES = {
    "profile": ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
}
_OF_THE_PROFILE = ("region", "role_arn", "mfa_serial")


class _Row(NamedTuple):
    """A value in force, and its origin."""

    entry: str  # functions.hello, layers.common, or empty for a key of `aws`
    name: str
    value: Any
    origin: Origin

    def as_json(self) -> dict[str, Any]:
        return {
            "setting": ".".join(filter(None, [self.entry, self.name])),
            "value": self.value,
            "origin": self.origin.kind,
            "name": self.origin.name or None,
            "key": self.origin.key or None,
            "target": self.origin.target,
        }

    def cells(self) -> tuple[str, str, str]:
        if self.origin.kind == "default" and not self.value and self.value is not False:
            shown = SETTINGS[self.name].unset.replace("`", "")
        elif isinstance(self.value, str):
            shown = self.value
        else:
            shown = json.dumps(self.value, default=str)
        return self.name, str(self.origin), shown


def print_settings(c: Context, *, target: str | None, as_json: bool) -> None:
    """Print the settings in force and where each comes from, on stdout.

    The profile need not exist, and nothing is asked of AWS.
    """
    settings = settings_in_force(c, target)
    origins = Origins(c.config, project=settings.project, target=settings.target)
    rows = [*_rows_of_keys(settings, origins)]
    for section in (settings.functions, settings.layers):
        for layer in section.values():
            rows += _rows_of_layer(layer, settings, origins)
    if as_json:
        print_result(json.dumps([row.as_json() for row in rows], indent=2, default=str))
        return
    for number, entry in enumerate(dict.fromkeys(row.entry for row in rows)):
        if number:
            print_result("")
        header = (entry or "setting", "from", "value")
        print_table(header, [row.cells() for row in rows if row.entry == entry], result=True)


def print_schema() -> None:
    """Print the JSON Schema of invoke.yaml on stdout."""
    print_result(json.dumps(make_schema(), indent=1, ensure_ascii=False))


def check_settings(c: Context) -> None:
    """Raise one `SettingsError` with the mistakes of all functions, layers and targets.

    That there is nothing to check is a mistake, too: of a misspelt `aws`, invoke says nothing.
    """
    mistakes, functions, targets = _find_mistakes(c, sources=True)
    mistakes.raise_all()
    refuse_if_unset(c.config, read_with_mistakes(c, target=None)[0])
    counted = [count(len(functions), "function"), count(len(targets), "target")]
    say("settings", f"no mistakes in {' and '.join(counted)}")


def with_all_mistakes(c: Context, error: WrongSettingsError) -> SettingsError:
    """Return an error that has all mistakes in the settings, for one that has some of them.

    Variables that only other targets need may be missing.
    """
    mistakes, own = Mistakes(), {str(each) for each in error.mistakes}
    found, *_ = _find_mistakes(c)
    mistakes.add(each for each in found if str(each) in own or not isinstance(each, UnsetError))
    named = {_key_of(each.what) for each in mistakes}
    mistakes.add(each for each in error.mistakes if _key_of(each.what) not in named)
    return mistakes.as_error() if len(mistakes) > len(error.mistakes) else error


def _find_mistakes(c: Context, *, sources: bool = False) -> tuple[Mistakes, set[str], list[str]]:
    """Return all mistakes, and the functions and targets that there are.

    With `sources`, those that are not there, or do not define a handler, are mistakes, too, and so
    is a misspelt region.
    """
    mistakes = Mistakes()
    targets = find_targets(c.config.get(root_key(c.config)))
    functions: set[str] = set()
    regions: dict[str | None, Settings] = {}
    for target in (None, *targets):
        settings, found = read_with_mistakes(c, target=target)
        # With targets, a reference to the target need not have a value without one.
        mistakes.add(each for each in found if not (targets and isinstance(each, NoTargetError)))
        right = _add_problems(mistakes, settings)
        whole = (*right, *settings.layers.values())
        for each in (*settings.functions.values(), *settings.layers.values()) if sources else ():
            with mistakes.collected(each.overlays.as_written):
                check = check_source if each in whole else find_source_files
                _check_source(each, settings.project, check)
        functions.update(settings.functions)
        regions.setdefault(settings.labels.get("region"), settings)
    for settings in regions.values() if sources else ():
        with mistakes.collected():
            _check_region(settings)
    return mistakes, functions, targets


def _check_region(settings: Settings) -> None:
    """Refuse or warn of a region that the settings name and botocore does not know."""
    if settings.region:
        own = users_own(environment_before_assume())
        find_region(settings, read_config(own), own, profile=named_profile(settings, own)[0])


def _check_source(layer: Layer, project: Path, check: Callable[[Layer, Path], object]) -> None:
    try:
        with convert_file_errors():
            check(layer, project)
    except PackageError as error:
        raise SettingsError(error.what, why=error.why, fix=error.fix) from error


def _add_problems(mistakes: Mistakes, settings: Settings) -> list[Function]:
    """Add what botocore's model finds in functions and layers; return the functions without any."""
    right: list[Function] = []
    for function in settings.functions.values():
        with mistakes.collected(function.overlays.as_written):
            problems = [*find_function_problems(function), *find_foreign(function, settings)]
            _add_new(mistakes, problems)
            right += [] if problems else [function]
    mistakes.add(_find_same(right))
    with mistakes.collected():
        _add_new(mistakes, find_layer_problems(settings, right))
    return right


def _find_same(functions: Iterable[Function]) -> Iterator[SettingsError]:
    """Yield an error for each function that is on AWS what one before it is."""
    seen: dict[str, Function] = {}
    for each in functions:
        name = bare_name(each.parameters.get("FunctionName", each.name))
        other = seen.setdefault(name, each)
        if other is not each:
            yield SettingsError(
                f"`{other.key}` and `{each.key}` are the same function on AWS: {name}.",
                why="Each would overwrite what the other changed.",
                fix="Set different names (FunctionName).",
            )


def _add_new(mistakes: Mistakes, problems: Sequence[str]) -> None:
    """Add problems of keys that have no mistake yet: of a wrong value, it may seem missing."""
    named = {_key_of(each.what) for each in mistakes}
    # A misspelt parameter seems to be missing, too.
    meant = {f"{_entry_of(each.what)}.{_key_of(each.fix)}" for each in mistakes}
    mistakes.add(SettingsError(each) for each in problems if _key_of(each) not in (named | meant))


def _entry_of(message: str) -> str:
    return _key_of(message).rpartition(".")[0]


def _key_of(message: str) -> str:
    found = re.search(r"`([^`]*)`", message)
    return found[1] if found else ""


def _rows_of_keys(settings: Settings, origins: Origins) -> Iterator[_Row]:
    environ = environment_before_assume()
    for name in SETTINGS:
        value, origin = getattr(settings, name), origins.of_label(settings.labels.get(name))
        if name not in settings.labels:
            value, origin = _from_aws(name, settings, environ) or (value, origin)
        yield _Row("", name, _mask(name, value, environ), origin)


def _from_aws(
    name: str, settings: Settings, environ: Mapping[str, str]
) -> tuple[str, Origin] | None:
    """Return what AWS's variables or the profile say about a setting that is not set."""
    for variable in _AWS_VARIABLES.get(name, ()):
        if environ.get(variable):
            return environ[variable], Origin("variable", variable)
    if name in _OF_THE_PROFILE:
        own = users_own(environ)
        profile = named_profile(settings, own)[0]
        if value := read_config(own).in_force(profile).get(name):
            return value, Origin("profile", profile or "default")
    return None


def _rows_of_layer(layer: Layer, settings: Settings, origins: Origins) -> Iterator[_Row]:
    environ = environment_before_assume()
    local = LocalResolver(settings.project, settings.target, environ)
    entry = layer.key.removeprefix("aws.")
    values = local.resolve(layer.overlays.merge(), layer.key, allow_aws=True)
    for names, value in _leaves(values):
        masked = names[:2] == _VARIABLES
        name = ".".join(names)
        shown = _MASKED if masked else _mask(name, value, environ)
        yield _Row(entry, name, shown, origins.of_entry(layer.overlays, names))


def _leaves(values: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yield what is in a mapping at any depth, with the names that lead to it."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*above, str(name)))
        elif value is not None:
            yield (*above, str(name)), value


def _mask(name: str, value: Any, environ: Mapping[str, str]) -> Any:
    """Return a value as it may be shown."""
    if value and (name in _SECRET or isinstance(value, Secret)):
        return _MASKED
    if isinstance(value, str):
        return without_passwords(without_secrets(value, find_secrets(environ)))
    if isinstance(value, Mapping):
        return {
            key: _MASKED if _stands_for_secret(key) else _mask("", each, environ)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_mask("", each, environ) for each in value]
    return value


def _stands_for_secret(key: Any) -> bool:
    """Return whether a key of `aws.local.values` is a reference to a secret."""
    return str(key).startswith("secret:")
