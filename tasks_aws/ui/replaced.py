"""Tasks of the user's own that an import of ours has replaced, found in tasks.py."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from invoke.collection import Collection
from invoke.program import Program
from invoke.tasks import Task

from .output import warn

# What may give a name to a task that is not ours: only with that, the text is parsed.
_BINDING = (
    rb"(?m)^def %(name)s\b"
    rb"|^from (?!tasks_aws\b)\S+ import (?:\*|.*\b%(name)s\b|\([^)]*\b%(name)s\b)"
)
_warned_of: set[str] = set()


def warn_of_replaced(task: Task[Any], program: Program) -> None:
    """Warn once if a task has taken the place of one of the user's own."""
    if task.name in _warned_of:
        return
    _warned_of.add(task.name)
    module = line = None
    with suppress(AttributeError, KeyError, OSError, SyntaxError, ValueError):  # another's program
        module = _tasks_module(program)
        line = module and find_replaced(task, module)
    if module and line:
        warn(
            f"This `{task.name}` is the task of tasks-aws: an import of it has replaced yours, of "
            f"{Path(str(module.__file__)).name} line {line}. Import the tasks that you use by "
            "their names, or add `tasks_aws` to a collection."
        )


def find_replaced(task: Task[Any], module: ModuleType) -> int | None:
    """Return the line of the user's task that a task of ours has replaced; None if it has not.

    A task that was put elsewhere before the import is not lost: that may be what the user wants.
    """
    names = [name for name, value in vars(module).items() if _is(value, task)]
    if task.name not in names:
        return _find_namesake(task, module) if names else None
    text = Path(str(module.__file__)).read_bytes()
    if not re.search(_BINDING % {b"name": task.name.encode()}, text):
        return None
    line = None
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom):
            for value in _imported_as(task.name, node, module):
                if line and _is(value, task):
                    return line
                line = node.lineno if isinstance(value, Task) and not _is(value, task) else None
        elif not isinstance(node, ast.FunctionDef):
            if any(isinstance(each, ast.Name) and each.id == task.name for each in ast.walk(node)):
                line = None
        elif node.name == task.name:
            line = node.decorator_list[0].lineno if _is_declared_task(node) else None
    return None


def _find_namesake(task: Task[Any], module: ModuleType) -> int | None:
    """Return the line of a task of the same name: invoke heeds no name that an import gives."""
    values = vars(module).values()
    if any(isinstance(value, Collection) for value in values):  # it says what there is
        return None
    (*_, last) = (each for each in values if isinstance(each, Task) and each.name == task.name)
    others = (value for value in values if isinstance(value, Task) and value.name == task.name)
    lost = next((each for each in others if not _is(each, task)), None)
    return lost.body.__code__.co_firstlineno if lost and _is(last, task) else None


def _tasks_module(program: Program) -> ModuleType | None:
    if program.namespace is not None:  # it was made without tasks.py
        return None
    name = program.args.collection.value or program.config.tasks.collection_name
    module = sys.modules.get(name)
    return module if getattr(module, "__file__", None) else None


def _is(value: object, task: Task[Any]) -> bool:
    return isinstance(value, Task) and value.body is task.body


def _is_declared_task(node: ast.FunctionDef) -> bool:
    """Return whether `task` is all that decorates a function: others may put it elsewhere."""
    called = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
    return [getattr(each, "id", getattr(each, "attr", "")) for each in called] == ["task"]


def _imported_as(name: str, node: ast.ImportFrom, module: ModuleType) -> Iterator[object]:
    """Yield what an import binds to a name."""
    package = (module.__package__ or "").split(".")
    above = package[: len(package) - node.level + 1] if node.level else []
    source = sys.modules.get(".".join(filter(None, [*above, node.module])))
    for each in node.names:
        if each.name == "*" and name in getattr(source, "__all__", [name]):
            yield getattr(source, name, None)
        elif (each.asname or each.name) == name:
            yield getattr(source, each.name, None)
