"""Options whose values are more than text, for the task that runs and for those that follow.

The command line says what later tasks are given, too: a typo behind `assume` costs no MFA code, and
one behind `deploy` is found before anything is deployed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from invoke.parser.context import ParserContext
from invoke.program import Program
from invoke.tasks import Task

from ..config.load import find_targets
from ..config.origins import root_as_written
from ..config.parsers import duration_parser, integer_parser
from ..config.settings import SETTINGS, require_functions, require_target
from ..config.shards import parse_shard
from ..process.importing import own_imports


def _parse_time_needed(text: Any, name: str) -> int:
    with own_imports():
        from ..auth.duration import parse_time_needed

    return parse_time_needed(text, name)


_PARSERS: dict[str, Callable[[Any, str], Any]] = {
    "duration": SETTINGS["duration_seconds"].parse,
    "for_": _parse_time_needed,
    "keep": integer_parser(1, 10_000),
    "parallel": integer_parser(1, 16),
    "profile": SETTINGS["profile"].parse,
    "region": SETTINGS["region"].parse,
    "role_arn": SETTINGS["role_arn"].parse,
    "session_name": SETTINGS["role_session_name"].parse,
    "shard": parse_shard,
    "since": duration_parser(1, 10 * 366 * 24 * 3600),
    "to": integer_parser(1),
}
_OF_AWS = ("init",)  # tasks whose functions need not be in the settings


def parse(option: str, text: str) -> Any:
    """Return the value of an option, by the name of its parameter. Raises `SettingsError`."""
    return _PARSERS[option](text, f"--{option.rstrip('_').replace('_', '-')}")


@cache
def check_command_line(program: Program, ours: type[Task[Any]]) -> None:
    """Raise the error of what a command line gives the tasks of ours after the first one.

    Functions and targets have to be in the settings, unless a task of the user's, which may change
    these, comes before they are needed.
    """
    began = may_change = False
    for context in program.tasks:
        task = program.collection[context.name or ""]
        if not isinstance(task, ours):
            may_change = began
        elif began:
            _check(context, task, program, may_change=may_change)
        else:  # it is running, and checks its own
            began = True


def _check(context: ParserContext, task: Task[Any], program: Program, *, may_change: bool) -> None:
    given = {each.name: each.value for each in context.args.values() if each.got_value}
    for option, value in given.items():
        if option in _PARSERS and isinstance(value, str):  # the `--keep` of `local` is none
            parse(option, value)
    if check := getattr(task, "check", None):
        check(program.config, **context.as_kwargs)
    named = {"function", "target"} & given.keys()
    if named and not may_change and task.name not in _OF_AWS:
        config = program.config.clone()
        config.load_collection(program.collection.configuration(context.name))
        config.load_shell_env()
        _check_names(given, config.get(root_as_written(config)))


def _check_names(given: Mapping[str, Any], settings: Any) -> None:
    """Check names of functions and targets, as far as the settings are what they have to be."""
    for target in _listed(given.get("target")):
        require_target(target, find_targets(settings))
    functions = settings.get("functions") if isinstance(settings, Mapping) else None
    if functions and isinstance(functions, Mapping):
        require_functions(_listed(given.get("function")), [*functions])


def _listed(value: Any) -> list[str]:
    """Return the values of an option that may be given once or more often."""
    return value if isinstance(value, list) else [] if value is None else [value]
