"""Which files are left out of an archive: by default, and by the patterns of the user."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from fnmatch import translate
from pathlib import Path

from ..config.functions import Layer
from ..ui.output import say
from .ignore_rules import IgnoreRules, read_patterns

IGNORE_FILE = ".lambdaignore"
OUTPUT_FOLDER = ".tasks_aws"

# Ignored by default: secrets, the files of other tools, and our own output. An `include` pattern
# brings one back, except our output: an archive that contains itself grows with every run. These
# patterns match single names, and most functions have no others: one regular expression is all
# that is matched for each file.
SECRETS = (
    *("*.jks", "*.key", "*.p12", "*.pem", "*.pfx", "*.ppk", ".aws", ".env*", ".git-credentials"),
    *(".netrc", "_netrc", ".npmrc", ".pypirc", ".ssh", "id_dsa*", "id_ecdsa*", "id_ed25519*"),
    *("id_rsa*", "terraform.tfstate*"),
)
TOOL_FILES = (
    *("*.pyc", ".DS_Store", ".aws-sam", ".coverage", ".git", ".hg", IGNORE_FILE, ".mypy_cache"),
    *(".nox", ".pytest_cache", ".ruff_cache", ".serverless", ".svn", OUTPUT_FOLDER, ".terraform"),
    *(".tox", ".venv", "__pycache__", "htmlcov", "venv"),
)
_match_ignored_name = re.compile("|".join(map(translate, (*SECRETS, *TOOL_FILES)))).match
_match_secret_name = re.compile("|".join(map(translate, SECRETS))).match

# Of the project itself: the tasks, and their settings.
TASK_FILES = (
    *("tasks.py", "invoke.yaml", "invoke.yml", "invoke.json", "invoke.py"),
    *("fabfile.py", "fabric.yaml", "fabric.yml", "fabric.json", "fabric.py"),
)

# Files that name package indexes, in which a password may stand. Most files end differently.
_INDEX_SUFFIXES = (
    ".txt",
    ".in",
    ".toml",
    ".lock",
    ".json",
    ".yaml",
    ".yml",
    ".conf",
    ".ini",
    ".cfg",
    ".yarnrc",
    "Pipfile",
)
names_indexes = re.compile(
    r"(?:.*/)?(?:[^/]*(?:requirements|constraints)[^/]*\.(?:txt|in)|requirements/[^/]*\.(?:txt|in)"
    r"|pip\.(?:conf|ini)|uv\.(?:toml|lock)|pyproject\.toml|pylock[^/]*\.toml|poetry\.(?:toml|lock)"
    r"|pdm\.lock|setup\.cfg|Pipfile(?:\.lock)?|package-lock\.json|npm-shrinkwrap\.json|yarn\.lock"
    r"|\.yarnrc(?:\.yml)?|bun\.lock|bunfig\.toml|pnpm-lock\.yaml)"
).fullmatch
# A variable and the user of an SSH URL are not passwords. A long user name is probably a token.
_has_password = re.compile(
    rb"""://(?:[^\s/@:'"]*:(?!\$)[^\s/@:'"]+|(?!\$)[^\s/@:'"]{20,})@"""
).search
# Yarn and Bun take a token that is in no URL. That of npm is in .npmrc, a secret in any case.
_may_have_token = re.compile(r"(?:.*/)?(?:\.yarnrc(?:\.yml)?|bunfig\.toml)").fullmatch
_has_token = re.compile(
    rb"""(?:auth(?:token|ident)|_auth|(?<![$\w])(?:password|token))["']?(?:\s*[:=]\s*|\s+)["']?[^\s"'$:=]""",
    re.IGNORECASE,
).search

# A requirements file may have any name.
_has_index_with_password = re.compile(
    rb"""^\s*(?:-i|-f|--(?:extra-)?index-url|--find-links)[ =]\s*\S+://[^\s/@:$]*:(?!\$)[^\s/@]+@""",
    re.MULTILINE,
).search
_LARGEST_REQUIREMENTS = 1 << 20  # bytes

_SHOWN = 5

# A pattern such as `!*/`, which lets git look into folders, does not ask for `.git` or `.env`.
_names_nothing = re.compile(r"![*?/ ]*").fullmatch


def is_ignored_by_default(name: str) -> bool:
    """Return whether a file is one of those that are ignored unless an `include` names them."""
    return _match_ignored_name(name.rstrip("/").rpartition("/")[2]) is not None


class Exclusion:
    """Decides which names of a tree are left out."""

    def __init__(
        self,
        root: Path,
        include: Sequence[str],
        *layers: tuple[str, Sequence[str]],
        of_tasks: Collection[str] = (),
    ) -> None:
        """Take the tree, the patterns that bring names back, and those that ignore names.

        The first layer that has an opinion decides. Each is a prefix, which its patterns expect
        before a name, and its patterns. `of_tasks` are names that are ignored by default in this
        tree alone.
        """
        self.secrets: list[str] = []  # that were left out by default
        self._root = root
        self._of_tasks = of_tasks
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
        if decided:
            return True
        if decided is False and _decide(self._named, name) is False:
            return base == OUTPUT_FOLDER
        return self._is_ignored_by_default(name, base)

    def _is_ignored_by_default(self, name: str, base: str) -> bool:
        if _match_ignored_name(base):
            if _match_secret_name(base):
                self.secrets.append(name)
            return True
        if base.endswith(_INDEX_SUFFIXES) and self._has_password(name):
            self.secrets.append(name)
            return True
        return name in self._of_tasks

    def _has_password(self, name: str) -> bool:
        path = self._root / name
        if names_indexes(name):
            text = path.read_bytes() if path.is_file() else b""
            return bool(_has_password(text) or (_may_have_token(name) and _has_token(text)))
        if not name.endswith((".txt", ".in")) or not path.is_file():
            return False
        small = path.stat().st_size < _LARGEST_REQUIREMENTS
        return small and bool(_has_index_with_password(path.read_bytes()))


def say_left_out(function: Layer, secrets: Sequence[str]) -> None:
    """Print which secrets were left out of a function, if there are any."""
    if secrets:
        shown = ", ".join(sorted(secrets)[:_SHOWN])
        more = f" and {len(secrets) - _SHOWN} more" if len(secrets) > _SHOWN else ""
        say(
            "left out",
            f"{function.label}  {shown}{more} (secrets; `{function.key}.include` brings them back)",
        )


def exclusion_of_source(function: Layer, source: Path, project: Path) -> Exclusion:
    """Return what is left out of a source: by its own ignore file, then by the project's."""
    own = [*read_patterns(source / IGNORE_FILE), *function.exclude]
    if function.language == "nodejs" and function.requirements != "none":
        own.append("/node_modules/")  # installed anew, for Lambda
    layers = [("", own)]
    if source != project and source.is_relative_to(project):
        prefix = f"{source.relative_to(project).as_posix()}/"
        layers.append((prefix, read_patterns(project / IGNORE_FILE)))
    of_tasks = set()
    if (resolved := project.resolve()).is_relative_to(source.resolve()):
        inside = resolved.relative_to(source.resolve())
        of_tasks = {(inside / name).as_posix() for name in TASK_FILES}
    return Exclusion(source, function.include, *layers, of_tasks=of_tasks)


def exclusion_of_output(function: Layer, folder: Path) -> Exclusion:
    """Return what is left out of what build commands make: ignore files describe the sources."""
    return Exclusion(folder / function.folder, function.include, ("", function.exclude))


def _decide(layers: Sequence[tuple[str, IgnoreRules]], name: str) -> bool | None:
    for prefix, rules in layers:
        decided = rules.decide(prefix + name)
        if decided is not None:
            return decided
    return None
