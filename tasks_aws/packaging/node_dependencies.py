"""Node's dependencies: what `npm ci` installs, without those for development."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ..config.functions import Layer
from ..errors import PackageError
from .installs import Dependencies, digest_of, run_tool

_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
_MACHINES = {"x86_64": "x64", "arm64": "arm64"}


def node_dependencies(function: Layer, project: Path) -> Dependencies | None:
    """Return what a Node function depends on, or None when its package.json names nothing."""
    if function.language != "nodejs" or function.requirements == "none":
        return None
    folders = [project / source.path for source in function.source]
    manifest = next((folder for folder in folders if (folder / "package.json").is_file()), None)
    if manifest is None:
        return None
    package = _read(manifest / "package.json")
    if not package.get("dependencies") and not package.get("optionalDependencies"):
        return None
    lock = next((manifest / name for name in _LOCKS if (manifest / name).is_file()), None)
    if lock is None:
        raise PackageError(
            f"{manifest / 'package.json'} has dependencies, but there is no package-lock.json.",
            why="Without a lock, every build could install something else.",
            fix="Run `npm install` there and commit the lock, or set `requirements: none`.",
        )
    machine = _MACHINES.get(function.architectures[0], "x64")
    many = len(function.architectures) > 1
    files = [manifest / "package.json", lock, manifest / ".npmrc"]
    present = [path for path in files if path.is_file()]

    def install(target: Path) -> None:
        for path in present:
            shutil.copy(path, target)
        words = ["npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--no-progress"]
        run_tool(
            [*words, f"--cpu={machine}", "--os=linux", "--libc=glibc"],
            folder=target,
            fix="Correct package.json and its lock; `npm ci` there shows the same error.",
        )
        for path in present:
            (target / path.name).unlink()
        shutil.rmtree(target / "node_modules" / ".bin", ignore_errors=True)
        (target / "node_modules" / ".package-lock.json").unlink(missing_ok=True)
        if many:
            _check_portable(function, target)

    contents = [path.read_text() for path in present]
    return Dependencies(
        described=f"{lock.name} for {function.runtime} on {machine}",
        digest=digest_of("npm", machine, many, contents),
        install=install,
    )


def _check_portable(layer: Layer, target: Path) -> None:
    """Refuse, for a layer of several processors, what is built for one of them."""
    native = next(target.rglob("*.node"), None)
    if native:
        raise PackageError(
            f"{native.relative_to(target)} runs on {layer.architectures[0]} only.",
            why=f"`{layer.key}.CompatibleArchitectures` names {', '.join(layer.architectures)}.",
            fix="Name one of them; describe a layer of its own for each other.",
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise PackageError(f"{path} is not JSON.", why=str(error), fix="Correct it.") from error
    return found if isinstance(found, dict) else {}
