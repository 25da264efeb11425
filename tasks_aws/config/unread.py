"""Files and keys with settings of ours that invoke does not read, or that nothing looks at."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from invoke.config import Config
from invoke.util import yaml  # type: ignore[attr-defined]  # PyYAML, as invoke has it

from ..errors import SettingsError
from ..ui.output import suggest, warn
from .load import root_key
from .origins import project_file, values_by_file
from .settings import SECTIONS, SETTINGS

KEYS = ["aws", "tasks_aws"]
_PREFIXES = ("invoke", "fabric")
_SUFFIXES = ("yaml", "yml", "json", "py")  # the first one that is there is read
_TASKS = ("tasks", "fabfile")  # the modules of invoke and fab

_warned_of: set[str] = set()


def refuse_unread(config: Config) -> None:
    """Raise `SettingsError` for a file of ``-f`` that is not there, and for our key misspelt.

    invoke goes on without such a file. A key that is almost ours may be the project's own, unless
    it has settings of ours.
    """
    path = getattr(config, "_runtime_path", None)
    if (
        path
        and not getattr(config, "_runtime_found", None)
        and not Path(path).expanduser().exists()
    ):
        raise SettingsError(
            f"The file {path} of `-f` does not exist.",
            why="invoke goes on without it, and its settings would be missing.",
            fix="Correct its name.",
        )
    for file, values in values_by_file(config).items():
        for key, value in values.items():
            if key not in KEYS and _is_ours(value) and (fix := suggest(str(key), KEYS)):
                raise SettingsError(
                    f"{file} has settings of tasks-aws under the key `{key}`, which is not read.",
                    fix=fix,
                )


def warn_of_unread(config: Config) -> None:
    """Warn once of a file that the one with our settings hides, or that has them instead of it."""
    text = _hidden(config) or why_unset(config)
    if text and text not in _warned_of:
        _warned_of.add(text)
        warn(text)


def why_unset(config: Config) -> str:
    """Return why nothing is set although a file has our settings; an empty string if none has."""
    read = project_file(config)
    if root_key(config) in config or _has_our_settings(read):  # written by `init`
        return ""
    project = read.parent
    name = config.tasks.collection_name
    others = (each for each in (project / name, Path.cwd()) if not _has_tasks(each, name))
    folders = dict.fromkeys((project, *others))
    found = [
        path
        for folder in folders
        for prefix in _PREFIXES
        for path in _find(folder, prefix)
        if path != read and _has_our_settings(path)
    ]
    if not found:
        return ""
    name = found[0].relative_to(project) if project in found[0].parents else found[0]
    return f"{name} has settings for tasks-aws and is not read: move them to {read}."


def _hidden(config: Config) -> str:
    """Return that the file with our settings keeps others from being read; or an empty string."""
    if root_key(config) not in (getattr(config, "_project", None) or {}):
        return ""
    read = project_file(config)
    others = [each.name for each in _find(read.parent, read.stem) if each.name != read.name]
    if not others:
        return ""
    return (
        f"{' and '.join(others)} beside {read} is ignored: merge these files, or keep only "
        "one of them."
    )


def _find(folder: Path, prefix: str) -> Iterator[Path]:
    for suffix in _SUFFIXES:
        if (path := folder / f"{prefix}.{suffix}").is_file():
            yield path


def _has_tasks(folder: Path, name: str) -> bool:
    """Return whether a folder is a project, which reads the files in it."""
    return any(
        (folder / file).is_file()
        for each in (name, *_TASKS)
        for file in (f"{each}.py", f"{each}/__init__.py")
    )


def _has_our_settings(path: Path) -> bool:
    """Return whether settings of ours are in a file: a key `aws` may be the project's own."""
    try:
        values = _read(path)
    except (OSError, RecursionError, SyntaxError, ValueError, yaml.YAMLError):
        return False
    if not isinstance(values, Mapping):
        return False
    return _is_ours(values.get("aws")) or "tasks_aws" in values


def _is_ours(value: Any) -> bool:
    return isinstance(value, Mapping) and any(key in SETTINGS or key in SECTIONS for key in value)


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    if path.suffix == ".py":
        return dict(_read_python(text))
    return yaml.safe_load(text)  # type: ignore[no-untyped-call]


def _read_python(text: str) -> Iterator[tuple[str, dict[Any, None]]]:
    """Yield the names in a module, each with the keys of its dictionary; nothing in it is run."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            keys = node.value.keys if isinstance(node.value, ast.Dict) else []
            written = (key.value for key in keys if isinstance(key, ast.Constant))
            yield node.targets[0].id, dict.fromkeys(written)
