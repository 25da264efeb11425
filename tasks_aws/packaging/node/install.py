"""Installing what a lock of npm, pnpm or Yarn names, in a copy of what the lock depends on."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from invoke.util import yaml  # type: ignore[attr-defined]  # PyYAML, as invoke has it

from ...errors import PackageError
from ...ui.output import warn
from ..files import Entry
from ..installs import run_tool
from .locks import NodeLock, find_local_packages, list_workspace
from .tree import DEPENDENCIES, lay_out, read_dependencies, read_json

_COPY = "copy"
_SCRIPTS = ("preinstall", "install", "postinstall")


def install(
    lock: NodeLock, inputs: list[Entry], target: Path, machine: str, environ: Mapping[str, str]
) -> None:
    """Install a package's dependencies into `node_modules` of a folder. Raises `PackageError`.

    `machine` is a CPU in npm's words. The tool runs in a copy, because it changes the folder that
    it runs in, and has to be told of Lambda's platform.
    """
    _warn_of_scripts(lock)
    base = Path(os.path.commonpath([lock.root, *(Path(entry.name).parent for entry in inputs)]))
    copy = (target / _COPY).resolve()
    for entry in inputs:
        _copy(entry, copy / Path(entry.name).relative_to(base))
    for folder in list_workspace(lock):
        _remove_scripts(copy / folder.relative_to(base) / "package.json")
    if lock.tool == "npm":
        for folder in find_local_packages(lock):
            _remove_scripts(copy / folder.relative_to(base) / "package.json", "prepare")
    root = copy / lock.root.relative_to(base)
    _run(lock, root, machine, {**environ, "NO_COLOR": "1"})
    lay_out(root / lock.member, target, within=copy, machine=machine)
    shutil.rmtree(copy)


def _copy(entry: Entry, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if entry.link is not None:
        path.symlink_to(entry.link)
    else:
        shutil.copy(entry.path, path)


def _remove_scripts(manifest: Path, *names: str) -> None:
    """Remove the project's own scripts: all, or those named.

    They need its other files, and often its development dependencies.
    """
    found = read_json(manifest)
    scripts = found.get("scripts")
    if not isinstance(scripts, dict) or (names and not scripts.keys() & set(names)):
        return
    kept = {name: text for name, text in scripts.items() if names and name not in names}
    manifest.write_text(json.dumps({**found, "scripts": kept}, indent=2), encoding="utf-8")


def _warn_of_scripts(lock: NodeLock) -> None:
    for folder in dict.fromkeys([lock.root, lock.package]):
        manifest = folder / "package.json"
        scripts = read_json(manifest).get("scripts") if manifest.is_file() else None
        for name in _SCRIPTS:
            if isinstance(scripts, dict) and name in scripts:
                warn(
                    f"{manifest}: its script `{name}` is not run. Move what packaging needs from "
                    "it into `build`."
                )


def _run(lock: NodeLock, root: Path, machine: str, environ: Mapping[str, str]) -> None:
    if lock.tool == "npm":
        _run_npm(lock, root, machine, environ)
    elif lock.tool == "pnpm":
        _run_pnpm(lock, root, machine, environ)
    elif lock.is_classic:
        _run_classic_yarn(lock, root, environ)
    else:
        _run_yarn(lock, root, machine, environ)


def _run_npm(lock: NodeLock, root: Path, machine: str, environ: Mapping[str, str]) -> None:
    # npm 12 does not read npm-shrinkwrap.json any more, whose format is the same.
    (root / lock.path.name).replace(root / "package-lock.json")
    words = ["ci", "--omit=dev", "--no-audit", "--no-fund", "--no-progress"]
    words += [f"--cpu={machine}", "--os=linux", "--libc=glibc"]
    if lock.member != ".":
        words += [f"--workspace={lock.member}", "--include-workspace-root=false"]
    _run_manager(lock, words, folder=root, environ=environ)


def _run_pnpm(lock: NodeLock, root: Path, machine: str, environ: Mapping[str, str]) -> None:
    # pnpm reads these from one file or the other, depending on its version.
    architectures = _describe_platform(machine)
    if (root / "package.json").is_file():
        manifest = read_json(root / "package.json")
        manifest["pnpm"] = {**(manifest.get("pnpm") or {}), "supportedArchitectures": architectures}
        (root / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
    workspace = {"packages": ["."], **_read_yaml(root / "pnpm-workspace.yaml")}
    workspace["supportedArchitectures"] = architectures
    _write_yaml(root / "pnpm-workspace.yaml", workspace)
    words = ["install", "--prod", "--frozen-lockfile", "--config.node-linker=isolated"]
    if lock.member != ".":
        words += ["--filter", f"{{./{lock.member}}}..."]
    _run_manager(lock, words, folder=root, environ=environ)


def _run_classic_yarn(lock: NodeLock, root: Path, environ: Mapping[str, str]) -> None:
    _check_yarn(lock, root, environ)
    _check_classic_lock(lock, root)
    words = ["install", "--frozen-lockfile", "--production", "--non-interactive", "--no-progress"]
    # It can only install for this machine, or for all; what is for others is not laid out.
    _run_manager(lock, [*words, "--ignore-platform"], folder=root, environ=environ)


def _run_yarn(lock: NodeLock, root: Path, machine: str, environ: Mapping[str, str]) -> None:
    _check_yarn(lock, root, environ)
    settings = _read_yaml(root / ".yarnrc.yml")
    linker = environ.get("YARN_NODE_LINKER") or settings.get("nodeLinker") or "pnp"
    if linker == "pnp":
        raise PackageError(
            f"{lock.root} uses Yarn Plug'n'Play, which does not work on Lambda.",
            why="Node.js on Lambda looks for packages in `node_modules`.",
            fix="Set `nodeLinker: node-modules` in .yarnrc.yml and run `yarn install`, or bundle "
            "the code with a command in `build`, and set `requirements` to none.",
        )
    settings["supportedArchitectures"] = _describe_platform(machine)
    _write_yaml(root / ".yarnrc.yml", settings)
    # The second of these does not check the lock, and the first installs too much.
    member = root / lock.member
    words = ["install", "--immutable", "--mode=skip-build"]
    _run_manager(lock, words, folder=member, environ=environ)
    _run_manager(lock, ["workspaces", "focus", "--production"], folder=member, environ=environ)


def _check_yarn(lock: NodeLock, root: Path, environ: Mapping[str, str]) -> None:
    """Raise `PackageError` when Yarn cannot read the lock: Yarn 1 would ignore newer locks."""
    version = _run_manager(lock, ["--version"], folder=root, environ=environ).strip()
    if version.startswith("1.") != lock.is_classic:
        raise PackageError(
            f"{lock.path} was written by Yarn {'1' if lock.is_classic else '2 or later'}, but "
            f"`yarn` is version {version}.",
            fix="Run `corepack enable`, or install that version of Yarn.",
        )


def _check_classic_lock(lock: NodeLock, root: Path) -> None:
    """Raise `PackageError` for a stale lock: Yarn 1 does not check the members of a workspace."""
    keys = re.findall(r"^(\S.*):$", lock.path.read_text(encoding="utf-8"), re.MULTILINE)
    locked = {each.strip('"') for key in keys for each in key.split(", ")}
    siblings = {
        str(read_json(folder / "package.json").get("name")) for folder in list_workspace(lock)
    }
    resolutions = tuple(read_dependencies(read_json(root / "package.json"), "resolutions"))
    for folder in {root, root / lock.member}:
        manifest = read_json(folder / "package.json")
        for kind in DEPENDENCIES[:2]:
            for name, spec in read_dependencies(manifest, kind).items():
                replaced = any(each.endswith(name) for each in resolutions)
                if not replaced and f"{name}@{spec}" not in locked and name not in siblings:
                    raise _stale(lock, f"It has no entry for {name}@{spec}.")


def _run_manager(
    lock: NodeLock, words: list[str], *, folder: Path, environ: Mapping[str, str]
) -> str:
    missing = "Install Node.js with npm."
    if lock.tool != "npm":
        missing = f"Install {lock.tool}, which wrote {lock.path}, such as with `corepack enable`."
    return run_tool(
        [lock.tool, *words], folder=folder, environ=environ, missing=missing, fix=_fix(lock)
    )


def _stale(lock: NodeLock, why: str) -> PackageError:
    return PackageError(f"{lock.path} does not agree with package.json.", why=why, fix=_fix(lock))


def _fix(lock: NodeLock) -> str:
    return f"If the lock is out of date, run `{lock.tool} install` in {lock.root} and commit it."


def _describe_platform(machine: str) -> dict[str, list[str]]:
    return {"os": ["linux"], "cpu": [machine], "libc": ["glibc"]}


def _read_yaml(path: Path) -> dict[str, Any]:
    load: Any = yaml.safe_load
    try:
        found = load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except yaml.YAMLError as error:
        raise PackageError(f"{path} is not valid YAML.", why=str(error)) from error
    return found if isinstance(found, dict) else {}


def _write_yaml(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")  # which is YAML, too
