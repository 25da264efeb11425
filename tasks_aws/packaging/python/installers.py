"""uv and pip: each installs the same requirements as wheels for a function's platform.

What comes from sources (a folder, a repository, a source distribution that `allow_sdist` names) is
built on this machine. Nothing else is built, since building runs a package's own code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from zipfile import ZipFile

from ...config.functions import Layer
from ...errors import PackageError
from ...process.importing import own_imports
from ...process.locking import thread_lock
from ..installs import find_program, run_tool
from .installed import check_built
from .local_projects import has_uv_sources, left_as_they_are
from .manifests import Manifest
from .platforms import Platform
from .requirements import Requirement, normalize, parse_requirements, with_wheel

# Before 3.12, Python's `sysconfig` shows other threads a half of what the first one reads.
_LOCK = thread_lock()

INSTALL_UV = "Install uv: pip install 'tasks-aws[uv]'."
UPDATE_UV = "Update uv to 0.12 or later."

# Variables that say where packages come from: those of pip are not read by uv, nor the reverse.
_INDEXES_OF_PIP = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")
_INDEXES_OF_UV = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_INDEX", "UV_EXTRA_INDEX_URL")

_PIP_WHEEL = (
    *(sys.executable, "-I", "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-input"),
    *("--disable-pip-version-check", "--ignore-requires-python"),
)

_WHEELS_MISSING = re.compile(
    r"no wheels|no (?:usable|compatible) wheels|no matching|Could not find a version|only-binary"
    r"|not a supported wheel|Building source distributions|no version of",
    re.IGNORECASE,
)

_UNREACHABLE = re.compile(r"Connection|Retrying|timed out|client error|dns error", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToInstall:
    """What is installed together, so that one version of each package serves all."""

    requirements: tuple[Requirement, ...]
    projects: tuple[Path, ...] = ()  # files pyproject.toml that uv itself reads
    dynamic: tuple[Manifest, ...] = ()  # whose dependencies only the build backend knows
    extras: tuple[str, ...] = ()  # of these projects
    groups: tuple[str, ...] = ()
    local: Mapping[str, Path | None] = field(default_factory=dict)  # built, and not named here


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """A tool, and what decides its result beside the requirements."""

    name: str
    install: Callable[[ToInstall, Path], None]
    indexes: tuple[str, ...] = ()  # that variables name, without passwords

    def __str__(self) -> str:
        return f"by {self.name}" + (f" with {', '.join(self.indexes)}" if self.indexes else "")


def choose_installer(
    function: Layer,
    manifests: Sequence[Manifest],
    platform: Platform,
    environ: Mapping[str, str],
    folder: Path,
) -> Installer:
    """Return the tool that `installer` names, or uv if it is installed, and otherwise pip.

    Also pip, if only its variables name an index. Raises `PackageError` if that tool is missing, or
    cannot resolve a manifest.
    """
    uv = find_uv(environ)
    reasons = [reason for reason in (each.needs_uv for each in manifests) if reason]
    configured = [any(map(environ.get, names)) for names in (_INDEXES_OF_PIP, _INDEXES_OF_UV)]
    if reasons or function.installer == "uv":
        wanted = "uv"
    else:
        pip_only = configured == [True, False] and bool(importlib.util.find_spec("pip"))
        wanted = function.installer or ("uv" if uv and not pip_only else "pip")
    if reasons and function.installer == "pip" and not _only_exported(manifests):
        raise PackageError(
            "pip cannot resolve these dependencies.",
            why=reasons[0],
            fix=f"Remove `{function.key}.installer`, or set it to uv.",
        )
    if wanted == "uv" and function.installer != "pip":
        if not uv:
            raise PackageError(
                "The dependencies cannot be installed.",
                why=reasons[0]
                if reasons
                else f"`{function.key}.installer` is uv, which is not installed.",
                fix=INSTALL_UV,
            )
        tool = _Uv(uv, function.allow_sdist, platform, environ, folder)
        return Installer(name="uv", install=tool, indexes=_named(_INDEXES_OF_UV, environ))
    if not importlib.util.find_spec("pip"):
        raise PackageError(
            "The dependencies cannot be installed.",
            why="Neither uv nor pip is installed.",
            fix=INSTALL_UV,
        )
    pip = _Pip(function.allow_sdist, platform, environ, folder)
    return Installer(name="pip", install=pip, indexes=_named(_INDEXES_OF_PIP, environ))


def _only_exported(manifests: Iterable[Manifest]) -> bool:
    """Return whether uv is needed for nothing but to read its lock."""
    return all(each.name == "uv.lock" for each in manifests if each.needs_uv)


def _named(names: Iterable[str], environ: Mapping[str, str]) -> tuple[str, ...]:
    found = [url for name in names for url in environ.get(name, "").split()]
    return tuple(re.sub(r"(^|//)[^/@]*@", r"\1", url.rpartition("=")[2]) for url in found)


def find_uv(environ: Mapping[str, str]) -> str | None:
    """Return the path of uv: the one on PATH, or the one that the `uv` extra installs."""
    if found := find_program("uv", environ):
        return found
    try:
        with _LOCK:
            with own_imports():
                from uv import find_uv_bin

            return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None


class _Tool:
    def __init__(
        self,
        sdists: Sequence[str],
        platform: Platform,
        environ: Mapping[str, str],
        folder: Path,
    ) -> None:
        self._sdists = [normalize(name) for name in sdists]
        self._platform = platform
        self._environ = environ
        self._folder = folder

    def _run(self, words: Sequence[str]) -> None:
        try:
            run_tool(words, folder=self._folder, environ=self._environ, missing=INSTALL_UV)
        except PackageError as error:
            if "'--no-editable'" in error.why:
                raise PackageError(error.what, why=error.why, fix=UPDATE_UV) from error
            if not _WHEELS_MISSING.search(error.why) or _UNREACHABLE.search(error.why):
                raise
            platform = self._platform
            raise PackageError(
                error.what,
                why=error.why,
                fix=f"Choose versions that have wheels for Python {platform.python} on Linux "
                f"{platform.machine} (glibc 2.{platform.glibc_minor}), list pure Python packages "
                "in `allow_sdist`, or set `requirements` to another file.",
            ) from error

    def build(self, project: Path, folder: Path) -> Path:
        """Build the wheel of a project."""
        raise NotImplementedError

    def of_backends(self, wanted: ToInstall, target: Path) -> list[Requirement]:
        """Return the dependencies that only build backends know: those of the wheels they build."""
        with own_imports():
            from packaging.requirements import Requirement as Parsed

        found: list[Requirement] = []
        for number, manifest in enumerate(wanted.dynamic):
            folder = wheels_folder(target) / f"project-{number}"
            with ZipFile(self.build(manifest.project, folder)) as wheel:
                name = next(each for each in wheel.namelist() if each.endswith("info/METADATA"))
                metadata = message_from_bytes(wheel.read(name))
            lines = []
            for each in map(Parsed, metadata.get_all("Requires-Dist") or ()):
                markers = [{**self._platform.markers, "extra": e} for e in ("", *wanted.extras)]
                if each.marker is None or any(map(each.marker.evaluate, markers)):
                    each.marker = None
                    lines.append(str(each))
            found += parse_requirements("\n".join(lines), manifest.path, self._environ)
        return found


class _Uv(_Tool):
    def __init__(
        self,
        program: str,
        sdists: Sequence[str],
        platform: Platform,
        environ: Mapping[str, str],
        folder: Path,
    ) -> None:
        super().__init__(sdists, platform, environ, folder)
        self._program = program

    def __call__(self, wanted: ToInstall, target: Path) -> None:
        """Install into an empty folder. Raises `PackageError`."""
        with left_as_they_are(_folders(wanted)):
            self._install(wanted, target)

    def build(self, project: Path, folder: Path) -> Path:
        """Build the wheel of a project."""
        words = [self._program, "build", "--quiet", "--wheel", "--out-dir", str(folder)]
        self._run([*words, str(project)])
        return _only_wheel(folder)

    def _install(self, wanted: ToInstall, target: Path) -> None:
        named = target / "requirements.txt"
        platform = self._platform
        requirements = [*wanted.requirements, *self.of_backends(wanted, target)]
        requirements = [self._with_name(each, target) for each in requirements]
        named.write_text("".join(f"{each.line}\n" for each in requirements), encoding="utf-8")
        # Without --python, uv looks for one on PATH, and downloads one if there is none. Users
        # may configure links into uv's cache, which would not work on Lambda.
        words = [self._program, "pip", "install", "--quiet", "--python", sys.executable]
        words += ["--python-version", platform.python, "--link-mode", "hardlink"]
        words += ["--python-platform", f"{platform.machine}-manylinux_2_{platform.glibc_minor}"]
        words += ["--only-binary", ":all:", "--target", str(target)]
        built = {each.name for each in requirements if each.built}
        built |= {name for name, path in wanted.local.items() if path is None or path.is_dir()}
        for name in sorted(built | set(self._sdists)):
            words += ["--no-binary", name]
        changing = {each.name for each in requirements if each.changes and each.name}
        for name in sorted(changing | set(wanted.local)):
            words += ["--reinstall-package", name]  # uv has a cache of its own
        if any(each.is_option and each.changes for each in requirements):
            words.append("--reinstall")  # any of them may be in the folder of wheels
        if wanted.local:
            words.append("--no-editable")
        for pyproject in wanted.projects:
            words += ["--requirement", str(pyproject)]
            words += [word for name in wanted.extras for word in ("--extra", name)]
            words += [w for name in wanted.groups for w in ("--group", f"{pyproject}:{name}")]
        self._run([*words, "--requirement", str(named)])
        named.unlink()

    def _with_name(self, requirement: Requirement, target: Path) -> Requirement:
        """Build a folder whose name only its build backend knows: uv is told names to build."""
        if requirement.name or not requirement.built or requirement.path is None:
            return requirement
        return with_wheel(requirement, self.build(requirement.path, wheels_folder(target)), "")


class _Pip(_Tool):
    def __call__(self, wanted: ToInstall, target: Path) -> None:
        """Install into an empty folder. Raises `PackageError`."""
        for each in wanted.requirements:
            if each.path and each.path.is_dir() and has_uv_sources(each.path):
                raise PackageError(
                    "pip cannot resolve these dependencies.",
                    why=f"{each.path} has [tool.uv] sources, which only uv understands.",
                    fix=INSTALL_UV,
                )
        with left_as_they_are(_folders(wanted)):
            self._install([*wanted.requirements, *self.of_backends(wanted, target)], target)

    def build(self, project: Path, folder: Path) -> Path:
        """Build the wheel of a project."""
        self._run([*_PIP_WHEEL, "--wheel-dir", str(folder), str(project)])
        return _only_wheel(folder)

    def _install(self, requirements: Sequence[Requirement], target: Path) -> None:
        self._named = target / "requirements.txt"
        wheels = wheels_folder(target)
        options = [each.line for each in requirements if each.is_option]
        hashed = any("--hash" in each.line for each in requirements)
        lines = []
        for number, each in enumerate(requirements):
            if each.built or (each.name in self._sdists and not each.is_option):
                wheel = self._build(each, options, wheels / str(number))
                digest = hashlib.sha256(wheel.read_bytes()).hexdigest() if hashed else ""
                lines.append(with_wheel(each, wheel, digest).line)
            else:
                lines.append(each.line)
        others = set(self._sdists) - {each.name for each in requirements}
        try:
            self._install_wheels(lines, target)
        except PackageError:
            if not others:
                raise
            for name in others:  # something needs them that is not known beforehand
                self._build(Requirement(text=name, name=name), options, wheels / name)
                lines.append(f"--find-links {wheels / name}")
            self._install_wheels(lines, target)

    def _install_wheels(self, lines: Sequence[str], target: Path) -> None:
        self._named.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        platform = self._platform
        program = str(Path(__file__).with_name("pip_for_lambda.py"))
        words = [sys.executable, program, json.dumps(platform.markers), "install", "--quiet"]
        words += ["--only-binary", ":all:", "--python-version", platform.python, "--no-compile"]
        words += [word for tag in platform.tags for word in ("--platform", tag)]
        words += ["--implementation", "cp", "--no-input", "--disable-pip-version-check"]
        self._run([*words, "--target", str(target), "--requirement", str(self._named)])
        self._named.unlink()

    def _build(self, requirement: Requirement, options: Sequence[str], folder: Path) -> Path:
        """Build the wheel of one requirement, with nothing that it depends on."""
        self._named.write_text("".join(f"{each}\n" for each in [*options, requirement.line]))
        words = [*_PIP_WHEEL, "--wheel-dir", str(folder), "--requirement", str(self._named)]
        self._run(words if requirement.direct else [*words, "--no-binary", requirement.name])
        wheel = _only_wheel(folder)
        check_built(wheel, self._platform)
        return wheel


def wheels_folder(target: Path) -> Path:
    """Return the folder for the wheels that are built for an installation."""
    return target.parent / f"{target.name}.wheels"


def _only_wheel(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def _folders(wanted: ToInstall) -> list[Path]:
    paths = [each.path for each in wanted.requirements]
    projects = [each.project for each in wanted.dynamic]
    return [path for path in [*paths, *projects, *wanted.local.values()] if path is not None]
