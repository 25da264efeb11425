"""Values of our options where a shell completes them.

The scripts of ``invoke --print-completion-script`` ask ``invoke --complete`` at each press of Tab.
That prints names of tasks and options, and nothing after an option that takes a value. invoke has
no hook for values, so in that process, which only prints, ours stands before its own function.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import invoke.program
from invoke.collection import Collection
from invoke.exceptions import Exit
from invoke.parser import Parser

from ..config.load import find_targets, root_key
from ..process.importing import own_imports
from ..ui.program import running_program
from .decorator import AwsTask
from .functions import POLICY_FORMATS

_OPTIONS = ("--format", "--function", "--profile", "--target")
_program: Any = invoke.program  # its own function is none of its public names
_complete = _program.complete


def complete_values() -> None:
    """Let ``invoke --complete`` print the values of our options, too."""
    _program.complete = _complete_with_values


def _complete_with_values(
    *, core: Any, collection: Collection, parser: Parser, **more: Any
) -> Exit:
    typed, prefix, found = "", "", None
    with suppress(Exception):  # whatever is wrong in a file, no traceback while somebody types
        before, option, typed, prefix = _split(shlex.split(core.remainder)[1:])
        if option in _OPTIONS and "--" not in before:
            found = _find_values(option, before, collection, parser)
    if found is not None:
        offered = [each for each in map(str, found) if each.startswith(typed) and _is_plain(each)]
        # Scripts do not tell whether a blank follows the last word: a whole value may be done with.
        is_whole = typed in offered
        if len(offered) > is_whole:
            print(*(prefix + each for each in offered), sep="\n")
        if not is_whole:
            raise Exit
    try:
        ended: Exit = _complete(core=core, collection=collection, parser=parser, **more)
    except ValueError:  # a quotation mark is open
        raise Exit from None
    return ended


def _is_plain(name: str) -> bool:
    """Return whether a name is the same word in every shell.

    The script for bash splits what is printed at blanks, and runs the commands in it.
    """
    return re.fullmatch(r"[\w.@:/+=,-]+", name) is not None


class _Typed(NamedTuple):
    """The words of a command line up to an option, and what is typed of the option's value."""

    before: list[str]
    option: str
    value: str = ""
    prefix: str = ""  # what the shell takes for the start of the value


def _split(words: list[str]) -> _Typed:
    *before, last = words
    if last.startswith("--"):
        option, equals, value = last.partition("=")
        return _Typed(before, option, value, option + equals if equals else "")
    if last == "=":  # bash takes it for a word
        return _Typed(before[:-1], before[-1])
    if before[-1] == "=":
        before.pop()
    return _Typed(before[:-1], before[-1], last)


def _find_values(
    option: str, before: list[str], collection: Collection, parser: Parser
) -> Iterable[str] | None:
    """Return the values of an option; None if it is not of a task of ours."""
    context = parser.parse_argv(before)[-1]
    task, program = collection[context.name or ""], running_program()
    if not isinstance(task, AwsTask) or option not in context.flags or program is None:
        return None
    if option == "--format":
        return _find_formats(task.name)
    if option == "--profile":
        with own_imports():
            from ..auth.aws_config import read_config

        return sorted(read_config(os.environ).profiles)
    config = program.config
    config.load_collection(collection.configuration(context.name))
    settings = config.get(root_key(config)) or {}
    return find_targets(settings) if option == "--target" else _names(settings.get("functions"))


def _find_formats(task: str) -> Iterable[str]:
    if task == "policy":
        return POLICY_FORMATS
    with own_imports():
        from ..auth.formats import FORMATS

    return FORMATS


def _names(section: Any) -> Iterable[str]:
    return section if isinstance(section, Mapping) else ()
