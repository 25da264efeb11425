"""Python dependencies: from every kind of manifest, as wheels for the function's platform."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...config.functions import Layer
from ...errors import PackageError
from ..installs import Dependencies, hash_parts
from ..workspace import Workspace
from .installed import check_installed
from .installers import Installer, ToInstall, choose_installer, find_uv, wheels_folder
from .local_projects import local_sources
from .locks import export, local_packages, names_local_files
from .manifests import LOCKS, Manifest, dependencies_of, find_manifests
from .platforms import Platform, platform_of
from .requirements import Requirement, parse_requirements, read_requirements, read_text


def find_python_dependencies(function: Layer, workspace: Workspace) -> Dependencies | None:
    """Return the dependencies of a Python function, or None when no file names any.

    Raises `PackageError` for a file that names some, and cannot be used.
    """
    platform = platform_of(function)
    if platform is None and function.language != "python":
        return None
    manifests = find_manifests(function, workspace.project)
    if not manifests:
        return None
    if platform is None:
        raise PackageError(
            f"Cannot choose wheels for {function.label} from {manifests[0].name}.",
            why=f"The runtime is {function.runtime or 'not set'}, the architecture "
            f"{function.architectures[0]}.",
            fix="Set a runtime such as python3.13 and the architecture x86_64 or arm64, or set "
            f"`{function.key}.requirements` to none.",
        )
    environ = workspace.environ
    folder = manifests[0].project
    installer = choose_installer(function, manifests, platform, environ, folder)
    _check_one_configuration(manifests)
    contents, reusable = _read(manifests, function, environ)
    names = " and ".join(dict.fromkeys(_short(each.path, workspace) for each in manifests))

    def install(target: Path) -> None:
        wanted = _wanted(manifests, function, platform, installer, environ)
        try:
            installer.install(wanted, target)
        finally:
            shutil.rmtree(wheels_folder(target), ignore_errors=True)
        check_installed(target, platform)

    options = (function.allow_sdist, function.groups, function.extras)
    projects = [os.path.relpath(each.project, each.path.parent) for each in manifests]
    if not reusable:  # the same line in another folder may name another project
        projects += [str(each.path) for each in manifests]
    return Dependencies(
        reusable=reusable,
        description=f"{names} for {platform}, {installer}",
        digest=hash_parts(projects, platform, options, str(installer), contents),
        install=install,
    )


def _short(path: Path, workspace: Workspace) -> str:
    inside = path.is_relative_to(workspace.project)
    return path.relative_to(workspace.project).as_posix() if inside else str(path)


def _check_one_configuration(manifests: Sequence[Manifest]) -> None:
    """Raise `PackageError` if several projects could each say where packages come from.

    uv reads the settings of one project only.
    """
    for each in manifests[1:]:
        if each.name == "pyproject.toml" and each.needs_uv:
            raise PackageError(
                f"{manifests[0].path} and {each.path} cannot be installed together.",
                why=each.needs_uv,
                fix="Add a uv.lock for each, or package the sources as a function and a layer.",
            )


def _read(
    manifests: Sequence[Manifest], function: Layer, environ: Mapping[str, str]
) -> tuple[list[str], bool]:
    """Return the contents that decide what is installed, and whether they do so alone."""
    contents, reusable = [], True
    for manifest in manifests:
        contents += [manifest.name, *map(read_text, manifest.governing_files())]
        if manifest.is_dynamic:
            reusable = False
        elif manifest.name == "pyproject.toml":
            named = _parse_pyproject(manifest, function, environ)
            reusable &= not (local_sources(manifest.project) or any(each.changes for each in named))
        elif _is_lock(manifest):
            reusable &= not names_local_files(read_text(manifest.path))
        else:
            _refuse_choices(manifest, function)
            found = read_requirements(manifest.path, environ)
            contents += found.contents
            reusable &= not any(each.changes for each in found.requirements)
    return contents, reusable


def _parse_pyproject(
    manifest: Manifest, function: Layer, environ: Mapping[str, str]
) -> list[Requirement]:
    text = "\n".join(dependencies_of(manifest, function))
    return parse_requirements(text, manifest.path, environ)


def _wanted(
    manifests: Sequence[Manifest],
    function: Layer,
    platform: Platform,
    installer: Installer,
    environ: Mapping[str, str],
) -> ToInstall:
    requirements: list[Requirement] = []
    projects: list[Path] = []
    dynamic: list[Manifest] = []
    local: dict[str, Path | None] = {}
    for manifest in manifests:
        if manifest.is_dynamic:
            dynamic.append(manifest)
        elif manifest.name == "pyproject.toml" and installer.name == "uv":
            projects.append(manifest.path)
            local |= local_sources(manifest.project)
        elif manifest.name == "pyproject.toml":
            requirements += _parse_pyproject(manifest, function, environ)
        elif _is_lock(manifest):
            text = export(manifest, function, platform, environ, find_uv(environ))
            requirements += parse_requirements(text, manifest.path, environ)
            if manifest.name == "uv.lock":
                local |= local_packages(manifest.path)
        else:
            requirements += read_requirements(manifest.path, environ).requirements
    for each in requirements:
        if each.path is not None and each.path.is_dir():
            local |= local_sources(each.path)
    return ToInstall(
        requirements=tuple(requirements),
        projects=tuple(projects),
        dynamic=tuple(dynamic),
        extras=function.extras,
        groups=function.groups,
        local=local,
    )


def _is_lock(manifest: Manifest) -> bool:
    return manifest.name in LOCKS or bool(re.fullmatch(r"pylock\..+\.toml", manifest.name))


def check_choices(manifest: Manifest, function: Layer) -> None:
    """Raise `PackageError` for groups and extras that a file does not have.

    Those of a lock and of dynamic projects are left to their tools.
    """
    if manifest.name == "pyproject.toml" and not manifest.is_dynamic:
        dependencies_of(manifest, function)
    elif not (manifest.is_dynamic or _is_lock(manifest)):
        _refuse_choices(manifest, function)


def _refuse_choices(manifest: Manifest, function: Layer) -> None:
    for key in ("groups", "extras"):
        if getattr(function, key):
            raise PackageError(
                f"{manifest.path} has no {key}.",
                why=f"`{function.key}.{key}` is set; only a lock and pyproject.toml have some.",
                fix=f"Remove `{function.key}.{key}`, or set `{function.key}.requirements`.",
            )
