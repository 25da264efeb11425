"""Which files are left out of an archive: by default, and by the patterns of the user."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from pathlib import Path

from ..config.functions import Layer
from .ignore_rules import IgnoreRules, read_patterns

IGNORE_FILE = ".lambdaignore"
OUTPUT_FOLDER = ".tasks_aws"

# Ignored by default: secrets, the files of other tools, and our own output. An `include` pattern
# brings one back, except our output: an archive that contains itself grows with every run. These
# patterns match single names, and most functions have no others: one regular expression is all
# that is matched for each file.
_IGNORED_NAMES = (
    ".DS_Store",
    ".env*",
    ".git",
    ".hg",
    IGNORE_FILE,
    ".mypy_cache",
    ".npmrc",
    ".pytest_cache",
    ".ruff_cache",
    ".svn",
    OUTPUT_FOLDER,
    ".tox",
    ".venv",
    "*.pem",
    "*.pyc",
    "__pycache__",
    "venv",
)
_match_ignored_name = re.compile("|".join(map(translate, _IGNORED_NAMES))).match

# A pattern such as `!*/`, which lets git look into folders, does not ask for `.git` or `.env`.
_names_nothing = re.compile(r"![*?/ ]*").fullmatch


class Exclusion:
    """Decides which names of a tree are left out."""

    def __init__(self, include: Sequence[str], *layers: tuple[str, Sequence[str]]) -> None:
        """Take the patterns that bring names back, and those that ignore names.

        The first layer that has an opinion decides. Each is a prefix, which its patterns expect
        before a name, and its patterns.
        """
        self._include = IgnoreRules(include)
        self._layers = [(prefix, IgnoreRules(each)) for prefix, each in layers if each]
        self._named = [
            (prefix, IgnoreRules(one for one in each if not _names_nothing(one)))
            for prefix, each in layers
            if each
        ]

    def __call__(self, name: str) -> bool:
        """Return whether a name is left out; that of a folder ends with a slash."""
        base = name.rstrip("/").rpartition("/")[2]
        if self._include.decide(name):
            return base == OUTPUT_FOLDER
        decided = _decide(self._layers, name)
        if decided is None or (decided is False and _decide(self._named, name) is not False):
            return bool(_match_ignored_name(base))
        return decided or base == OUTPUT_FOLDER


def exclusion_of_source(function: Layer, source: Path, project: Path) -> Exclusion:
    """Return what is left out of a source: by its own ignore file, then by the project's."""
    own = [*read_patterns(source / IGNORE_FILE), *function.exclude]
    if function.language == "nodejs" and function.requirements != "none":
        own.append("/node_modules/")  # installed anew, for Lambda
    layers = [("", own)]
    if source != project and source.is_relative_to(project):
        prefix = f"{source.relative_to(project).as_posix()}/"
        layers.append((prefix, read_patterns(project / IGNORE_FILE)))
    return Exclusion(function.include, *layers)


def exclusion_of_output(function: Layer) -> Exclusion:
    """Return what is left out of what build commands make: ignore files describe the sources."""
    return Exclusion(function.include, ("", function.exclude))


def _decide(layers: Sequence[tuple[str, IgnoreRules]], name: str) -> bool | None:
    for prefix, rules in layers:
        decided = rules.decide(prefix + name)
        if decided is not None:
            return decided
    return None
