"""Node.js dependencies: what `npm ci` installs from the lock, without development packages."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ..config.functions import Layer
from ..errors import PackageError
from .installs import Dependencies, hash_parts, run_tool
from .workspace import Workspace

_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_MACHINES = {"x86_64": "x64", "arm64": "arm64"}


def find_node_dependencies(function: Layer, workspace: Workspace) -> Dependencies | None:
    """Return the dependencies in a Node.js function's package.json, or None if it has none."""
    if function.language != "nodejs" or function.requirements == "none":
        return None
    folders = [workspace.project / source.path for source in function.source]
    manifest = next((folder for folder in folders if (folder / "package.json").is_file()), None)
    if manifest is None:
        return None
    package = _read_json(manifest / "package.json")
    if not package.get("dependencies") and not package.get("optionalDependencies"):
        return None
    lock = next((manifest / name for name in _LOCKS if (manifest / name).is_file()), None)
    if lock is None:
        raise PackageError(
            f"{manifest / 'package.json'} has dependencies, but there is no package-lock.json.",
            why="Without a lock, two builds could install different packages.",
            fix="Run `npm install` there and commit the lock, or set "
            f"`{function.key}.requirements` to none.",
        )
    machine = _MACHINES.get(function.architectures[0], "x64")
    portable = len(function.architectures) > 1
    files = [manifest / "package.json", lock, manifest / ".npmrc"]
    present = [path for path in files if path.is_file()]

    def install(target: Path) -> None:
        for path in present:
            shutil.copy(path, target)
        words = ["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--no-progress"]
        run_tool(
            [*words, f"--cpu={machine}", "--os=linux", "--libc=glibc"],
            folder=target,
            environ=workspace.environ,
            missing="Install Node.js with npm.",
            fix=f"Run `npm ci` in {manifest} to see the whole error.",
        )
        for path in present:
            (target / path.name).unlink()
        shutil.rmtree(target / "node_modules" / ".bin", ignore_errors=True)
        (target / "node_modules" / ".package-lock.json").unlink(missing_ok=True)
        if portable:
            _check_portable(function, target)

    contents = [path.read_text() for path in present]
    return Dependencies(
        description=f"{lock.name} for {function.runtime} on {machine}",
        digest=hash_parts("npm", machine, portable, contents),
        install=install,
    )


def _check_portable(layer: Layer, target: Path) -> None:
    """Raise `PackageError` when a layer for several architectures contains native code for one."""
    native = next(target.rglob("*.node"), None)
    if native:
        raise PackageError(
            f"{native.relative_to(target)} runs only on {layer.architectures[0]}.",
            why=f"`{layer.key}.CompatibleArchitectures` is {', '.join(layer.architectures)}.",
            fix="Name one architecture, and add a layer for each of the others.",
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise PackageError(f"{path} is not valid JSON.", why=str(error)) from error
    return found if isinstance(found, dict) else {}
