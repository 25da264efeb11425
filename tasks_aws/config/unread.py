"""Files with settings that invoke does not read: of a project, it reads one file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from invoke.config import Config

from ..ui.output import warn
from .load import root_key
from .origins import project_file

_PREFIXES = ("invoke", "fabric")
_SUFFIXES = ("yaml", "yml", "json", "py")  # the first one that is there is read
# At the root of YAML or Python, or anywhere in JSON.
_OUR_KEY = r'(?m)^(?:tasks_)?aws\b|"(?:tasks_)?aws"\s*:'

_warned_of: set[str] = set()


def warn_of_unread(config: Config) -> None:
    """Warn once of a file that the one with our settings hides, or that has them instead of it."""
    text = _hidden(config) or why_unset(config)
    if text and text not in _warned_of:
        _warned_of.add(text)
        warn(text)


def why_unset(config: Config) -> str:
    """Return why nothing is set although a file has our settings; an empty string if none has."""
    if root_key(config) in config:
        return ""
    read = project_file(config)
    project = read.parent
    folders = dict.fromkeys((project, project / config.tasks.collection_name, Path.cwd()))
    found = [
        path
        for folder in folders
        for prefix in _PREFIXES
        for path in _find(folder, prefix)
        if path != read and _has_our_key(path)
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
        f"{' and '.join(others)} beside {read} is not read any more: merge these files, or keep "
        "only one of them."
    )


def _find(folder: Path, prefix: str) -> Iterator[Path]:
    for suffix in _SUFFIXES:
        if (path := folder / f"{prefix}.{suffix}").is_file():
            yield path


def _has_our_key(path: Path) -> bool:
    try:
        return bool(re.search(_OUR_KEY, path.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return False
