"""Locks of Python projects, as requirements: each is read by the tool that wrote it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...config.functions import Layer
from ...errors import PackageError
from ...process.importing import own_imports
from ..installs import run_tool
from .local_projects import read_toml, table
from .manifests import Manifest
from .platforms import Platform
from .requirements import read_text

_PYPI = "https://pypi.org/simple"

# What in a lock means files of this machine: their contents may change while the lock does not.
_LOCAL = re.compile(
    r"^source = \{ (directory|editable|path) = \"(?!\.\")"  # uv.lock; "." is the project itself
    r"|^type = \"(directory|file)\""  # poetry.lock
    r"|^\s*\"(path|file)\": "  # Pipfile.lock
    r"|^(path|url) = \"(\.|/|file:)"  # pdm.lock
    r"|\bpath = ",  # pylock.toml
    re.MULTILINE,
)


def names_local_files(text: str) -> bool:
    """Return whether a lock names files of this machine."""
    return bool(_LOCAL.search(text))


def local_packages(lock: Path) -> dict[str, Path | None]:
    """Return what a uv.lock takes from this machine or from elsewhere, with the folders."""
    found: dict[str, Path | None] = {}
    for package in _packages(lock, "package"):
        source = package.get("source") or {}
        place = next(
            (source[key] for key in ("directory", "editable", "path") if key in source), ""
        )
        if place:
            found[package["name"]] = (lock.parent / place).resolve()
        elif "git" in source or "url" in source:
            found[package["name"]] = None
    return found


def export(
    manifest: Manifest,
    function: Layer,
    platform: Platform,
    environ: Mapping[str, str],
    uv: str | None,
) -> str:
    """Return a lock as requirements. Paths are relative to the folder of the lock.

    Raises `PackageError` if the lock is older than what it was made from.
    """
    if manifest.name == "uv.lock":
        return _export_uv(manifest, function, environ, uv or "uv")
    if manifest.name == "poetry.lock":
        return _export_poetry(manifest, function, environ)
    if manifest.name == "Pipfile.lock":
        return _export_pipenv(manifest, function, environ)
    if manifest.name == "pdm.lock":
        return _export_pdm(manifest, function, environ)
    return _export_pylock(manifest, function, platform)


def _export_uv(manifest: Manifest, function: Layer, environ: Mapping[str, str], uv: str) -> str:
    words = [uv, "export", "--quiet", "--locked", "--no-default-groups", "--no-dev"]
    words += ["--no-emit-project", "--no-editable", "--no-header", "--no-annotate"]
    words += [*_each("--group", function.groups), *_each("--extra", function.extras)]
    # An environment that is active is not the project's.
    environ = {name: text for name, text in environ.items() if name != "VIRTUAL_ENV"}
    exported = run_tool(words, folder=manifest.project, environ=environ, missing="Install uv.")
    indexes = {
        package["source"]["registry"]
        for package in _packages(manifest.path, "package")
        if "://" in (package.get("source") or {}).get("registry", "")
    }
    _check_hashes(manifest.path, indexes - {_PYPI})
    return "".join(f"{line}\n" for line in [*_extra_indexes(indexes), exported])


def _check_hashes(lock: Path, indexes: set[str]) -> None:
    """Raise `PackageError` if a package could come from another index than the lock names.

    Its hash tells: an installer asks all indexes for all packages.
    """
    for package in _packages(lock, "package") if indexes else ():
        registry = (package.get("source") or {}).get("registry", "")
        files = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
        if "://" in registry and not all("hash" in file for file in files):
            raise PackageError(
                f"{lock} has no hashes for {package['name']}.",
                why=f"It comes from {registry}. Without a hash, a package of the same name from "
                "another index would do.",
                fix="Use one index for all packages, or an index that gives hashes.",
            )


def _export_poetry(manifest: Manifest, function: Layer, environ: Mapping[str, str]) -> str:
    folder, plugin = manifest.path.parent, "Install poetry and poetry-plugin-export, or export a "
    plugin += "requirements.txt."
    check = ["poetry", "check", "--lock", "--no-interaction"]
    run_tool(check, folder=folder, environ=environ, missing=plugin, fix="Run `poetry lock`.")
    words = ["poetry", "export", "--no-interaction", "--format", "requirements.txt"]
    words += _each("--with", function.groups) or ["--only", "main"]
    words += _each("--extras", function.extras)
    try:
        return run_tool(words, folder=folder, environ=environ, missing=plugin)
    except PackageError as error:
        if "command" not in error.why:
            raise
        raise PackageError(error.what, why=error.why, fix=plugin) from error


def _export_pipenv(manifest: Manifest, function: Layer, environ: Mapping[str, str]) -> str:
    _refuse("extras", function.extras, manifest, function)
    folder, missing = manifest.path.parent, "Install pipenv, or export a requirements.txt."
    if (folder / "Pipfile").is_file():
        run_tool(
            ["pipenv", "verify"],
            folder=folder,
            environ=environ,
            missing=missing,
            fix="Run `pipenv lock`.",
        )
    words = ["pipenv", "requirements", "--hash"]
    if function.groups:
        words.append(f"--categories={' '.join(['packages', *function.groups])}")
    return run_tool(words, folder=folder, environ=environ, missing=missing)


def _export_pdm(manifest: Manifest, function: Layer, environ: Mapping[str, str]) -> str:
    folder, missing = manifest.path.parent, "Install pdm, or export a requirements.txt."
    check = ["pdm", "lock", "--check"]
    run_tool(check, folder=folder, environ=environ, missing=missing, fix="Run `pdm lock`.")
    locked = table(read_toml(manifest.path), "metadata").get("groups") or ()
    for kind in ("groups", "extras"):  # pdm says nothing of those that it did not lock
        unknown = set(getattr(function, kind)) - set(locked)
        _refuse(kind, sorted(unknown), manifest, function, fix="Run `pdm lock --group :all`.")
    words = ["pdm", "export", "--format", "requirements", "--prod", "--expandvars"]
    words += _each("--group", [*function.groups, *function.extras])
    if names_local_files(read_text(manifest.path)):
        words.append("--no-hashes")  # a folder has none, and then pdm exports no others
    return run_tool(words, folder=folder, environ=environ, missing=missing)


def _export_pylock(manifest: Manifest, function: Layer, platform: Platform) -> str:
    """Return a pylock.toml (PEP 751) as requirements."""
    with own_imports():
        from packaging.markers import InvalidMarker, Marker

    lock = read_toml(manifest.path)
    for kind, key in (("extras", "extras"), ("groups", "dependency-groups")):
        unknown = set(getattr(function, kind)) - set(lock.get(key) or ())
        _refuse(kind, sorted(unknown), manifest, function)
    wanted: Any = {
        **platform.markers,
        "extras": frozenset(function.extras),
        "dependency_groups": frozenset(function.groups or lock.get("default-groups") or ()),
    }
    lines: list[str] = []
    for package in _entries(lock, "packages"):
        try:
            marker = Marker(package["marker"]) if "marker" in package else None
            if marker and not marker.evaluate(wanted, context="lock_file"):
                continue
            lines.append(_pylock_line(package))
        except (InvalidMarker, KeyError, TypeError) as error:
            raise PackageError(
                f"{manifest.path}: the entry of {package.get('name')} cannot be read.",
                why=f"{type(error).__name__}: {error}.",
            ) from error
    indexes = {str(each["index"]) for each in _entries(lock, "packages") if "index" in each}
    return "".join(f"{line}\n" for line in [*_extra_indexes(indexes), *lines])


def _extra_indexes(urls: set[str]) -> list[str]:
    return [
        f"--extra-index-url {url}" for url in sorted({url.rstrip("/") for url in urls} - {_PYPI})
    ]


def _pylock_line(package: Mapping[str, Any]) -> str:
    name = package["name"]
    if directory := package.get("directory"):
        below = directory.get("subdirectory")
        return f"{name} @ {directory['path']}" + (f"/{below}" if below else "")
    if vcs := package.get("vcs"):
        below = f"#subdirectory={vcs['subdirectory']}" if "subdirectory" in vcs else ""
        place = vcs.get("url") or vcs["path"]
        return f"{name} @ {vcs['type']}+{place}@{vcs['commit-id']}{below}"
    if archive := package.get("archive"):
        return f"{name} @ {archive.get('url') or archive['path']}{_hashes([archive])}"
    files = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
    local = next((file["path"] for file in files if "path" in file and "url" not in file), None)
    if local:
        return f"{name} @ {local}{_hashes(files)}"
    return f"{name}=={package['version']}{_hashes(files)}"


def _hashes(files: Sequence[Mapping[str, Any]]) -> str:
    return "".join(
        f" --hash={algorithm}:{digest}"
        for file in files
        for algorithm, digest in (file.get("hashes") or {}).items()
    )


def _packages(lock: Path, key: str) -> list[dict[str, Any]]:
    return _entries(read_toml(lock), key)


def _entries(values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    found = values.get(key) or []
    return [each for each in found if isinstance(each, dict)]


def _each(option: str, names: Sequence[str]) -> list[str]:
    return [word for name in names for word in (option, name)]


def _refuse(
    kind: str, names: Sequence[str], manifest: Manifest, function: Layer, *, fix: str = ""
) -> None:
    if names:
        raise PackageError(
            f"{manifest.path} has no {kind} {', '.join(names)}.",
            why=f"`{function.key}.{kind}` names them.",
            fix=fix or f"Remove `{function.key}.{kind}`, or use another lock.",
        )
