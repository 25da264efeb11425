"""Where a setting comes from: an option, a target, a file, a variable, or its default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from invoke.config import Config

from ..text.as_typed import name_settings
from .load import root_key
from .overlays import Overlays
from .settings import SECTIONS, SETTINGS


class Origin(NamedTuple):
    """Where a setting comes from.

    `kind` is `option`, `variable`, `file`, `configure` (invoke's `Collection.configure`), `task`
    (set in Python by a task), `profile` (of the AWS config files) or `default`.
    """

    kind: str
    name: str = ""  # the option, the variable, the path of the file, or the profile
    key: str = ""  # the full key in the configuration, such as aws.targets.prod.region
    target: str | None = None  # whose overlay has it

    def __str__(self) -> str:
        shown = {"configure": "ns.configure", "task": "a task", "profile": f"profile {self.name}"}
        words = [
            f"target {self.target}" if self.target else "",
            "function_defaults" if ".function_defaults." in self.key else "",
            shown.get(self.kind, self.name),
        ]
        return ", ".join(filter(None, words)) or self.kind


# invoke's levels of configuration, those that count most first. invoke has no public names for
# them, nor for the files that they were read from.
_LEVELS = {
    "modifications": "task",
    "overrides": "task",
    "runtime": "file",
    "env": "variable",
    "project": "file",
    "user": "file",
    "system": "file",
    "collection": "configure",
    "defaults": "configure",
}


class Origins:
    """Finds out where settings come from, in the configuration that invoke has merged."""

    def __init__(self, config: Config, *, project: Path, target: str | None) -> None:
        self._config = config
        self._project = project
        self._target = target

    def of_label(self, label: str | None) -> Origin:
        """Return the origin of one of `Settings.labels`; None stands for a default."""
        if label is None:
            return Origin("default")
        if label.startswith("-"):
            return Origin("option", label)
        if not label.startswith("aws."):
            return Origin("variable", label)
        return self._of_key(label, ())

    def of_entry(self, overlays: Overlays, names: Sequence[str]) -> Origin:
        """Return the origin of what the names lead to in a function or layer."""
        part = overlays.find(names)
        return self._of_key(part.key if part else overlays.key, names)

    def _of_key(self, key: str, names: Sequence[str]) -> Origin:
        overlay = f"aws.targets.{self._target}."
        target = self._target if key.startswith(overlay) else None  # its name may contain dots
        path = ["targets", target, *key[len(overlay) :].split(".")] if target else None
        path = [root_key(self._config), *(path or key.split(".")[1:]), *names]
        for level, kind in _LEVELS.items():
            if _leads(getattr(self._config, f"_{level}", {}), path):
                name = self._name_of(level, kind, path)
                return Origin(kind, name, ".".join(map(str, path)), target)
        return Origin("task", key=".".join(map(str, path)), target=target)

    def _name_of(self, level: str, kind: str, path: Sequence[Any]) -> str:
        if kind == "variable":
            return getattr(self._config, "_env_prefix", "") + "_".join(path).upper()
        if kind != "file":
            return ""
        file = Path(getattr(self._config, f"_{level}_path", None) or "")
        return str(file.relative_to(self._project) if self._project in file.parents else file)


def root_as_written(config: Config) -> str:
    """Return the key of our settings, after which messages name these, and the file they are in."""
    root = root_key(config)
    name_settings(root, (*SETTINGS, *SECTIONS), project_file(config).name)
    return root


def project_file(config: Config) -> Path:
    """Return the file of the project that invoke has read, or would read; fab has its own."""
    folder = Path(getattr(config, "_project_prefix", None) or ".").resolve()
    found = folder / Path(getattr(config, "_project_path", None) or "").name
    if found.is_file():  # invoke takes the last one it looks for, invoke.py, for found without it
        return found
    return folder / f"{config.file_prefix or config.prefix}.yaml"


def settings_files(config: Config) -> list[Path]:
    """Return the files that invoke has read the configuration from."""
    return [*values_by_file(config)]


def values_by_file(config: Config) -> dict[Path, Mapping[str, Any]]:
    """Return what invoke has read from each file, those that count most first."""
    levels = [level for level, kind in _LEVELS.items() if kind == "file"]
    found = ((getattr(config, f"_{each}_path", None), each) for each in levels)
    return {Path(path): getattr(config, f"_{each}", None) or {} for path, each in found if path}


def _leads(values: Any, path: Sequence[Any]) -> bool:
    for name in path:
        if not isinstance(values, Mapping) or name not in values:
            return False
        values = values[name]
    return values is not None
