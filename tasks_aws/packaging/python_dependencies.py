"""Python dependencies: from any lock file, as wheels for the function's platform."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.functions import Layer
from ..errors import PackageError
from .files import not_found
from .installs import Dependencies, find_program, hash_parts, run_tool
from .workspace import Workspace

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_OLDEST_GLIBC_MINOR = 5  # manylinux1
_LEGACY_TAGS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

# Requirements that are local files or folders: their contents may change while the lock does not.
_LOCAL = re.compile(
    r"^\s*(-e|--editable|\.{0,2}/|[^#\n]*\bfile:)"  # requirements.txt
    r"|^source = \{ (directory|editable|path) = \"(?!\.\")"  # uv.lock; "." is the project itself
    r"|^type = \"(directory|file)\""  # poetry.lock
    r"|^\s*\"path\": ",  # Pipfile.lock
    re.MULTILINE,
)

_PYPI = "https://pypi.org/simple"
_UV_EXTRA = "pip install 'tasks-aws[uv]'"
_INSTALL_UV = f"Install uv: {_UV_EXTRA}."

# The files that name dependencies, the most exact first.
_MANIFESTS = ("uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt", "pyproject.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the wheels must run on."""

    python: str  # such as 3.13
    machine: str  # as in the names of wheels: x86_64 or aarch64
    any_python: bool = False  # they must also run on later Pythons
    any_machine: bool = False  # they must also run on other machines

    @property
    def glibc_minor(self) -> int:
        """Return the x of glibc 2.x.

        Python 3.12 and later run on Amazon Linux 2023 (2.34), earlier ones on Amazon Linux 2
        (2.26), for which 2.17 is the newest tag that wheels are built with.
        """
        return 34 if self.python_minor >= 12 else 17

    @property
    def python_minor(self) -> int:
        """Return the x of Python 3.x."""
        return int(self.python.split(".")[1])

    @property
    def tags(self) -> list[str]:
        """Return the platform tags of all compatible wheels, the newest first."""
        tags = []
        for minor in range(self.glibc_minor, _OLDEST_GLIBC_MINOR - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _LEGACY_TAGS:
                tags.append(f"{_LEGACY_TAGS[minor]}_{self.machine}")
        return tags


def platform_of(function: Layer) -> Platform | None:
    """Return the platform of a Python function, or None for another runtime."""
    match = re.fullmatch(r"python(3\.\d+)", function.runtime)
    machine = _MACHINES.get(function.architectures[0])
    if not match or not machine:
        return None
    return Platform(
        python=match[1],
        machine=machine,
        any_python=len(function.runtimes) > 1,
        any_machine=len(function.architectures) > 1,
    )


def find_python_dependencies(function: Layer, workspace: Workspace) -> Dependencies | None:
    """Return the dependencies of a Python function, or None when no file names any."""
    platform, manifest = platform_of(function), _find_manifest(function, workspace.project)
    if manifest is None:
        return None
    if platform is None:
        if function.language.lower() != "python":
            return None
        raise PackageError(
            f"Cannot choose wheels for {function.label} from {manifest.name}.",
            why=f"The runtime is {function.runtime or 'not set'}, the architecture "
            f"{function.architectures[0]}.",
            fix="Set a runtime such as python3.13 and the architecture x86_64 or arm64, or set "
            f"`{function.key}.requirements` to none.",
        )
    contents = list(_read_all(manifest, set()))
    reusable = not any(_LOCAL.search(text) for text in contents)
    environ = workspace.environ
    installer = _find_installer(platform, function.allow_sdist, environ, refresh=not reusable)
    platform_name = f"Python {platform.python} on {platform.machine}"

    def install(target: Path) -> None:
        _install(manifest, platform, installer, target, environ)

    return Dependencies(
        reusable=reusable,
        description=f"{manifest.name} for {platform_name}",
        digest=hash_parts(manifest.name, platform, function.allow_sdist, contents),
        install=install,
    )


def _find_manifest(function: Layer, project: Path) -> Path | None:
    if function.requirements == "none":
        return None
    if function.requirements:
        named = project / function.requirements
        if not named.is_file():
            key = f"{function.key}.requirements"
            fix = f"To install nothing, set `{key}` to none."
            raise not_found(key, function.requirements, project, fix=fix)
        return named
    for name in _MANIFESTS:
        for source in function.source:
            path = project / source.path / name
            if path.is_file() and (name != "pyproject.toml" or _read_dependencies(path)):
                return path
    return None


def _install(
    manifest: Path,
    platform: Platform,
    installer: list[str],
    target: Path,
    environ: Mapping[str, str],
) -> None:
    requirements = target / "requirements.txt"
    exported = _export(manifest, environ)
    if exported is not None:
        requirements.write_text(exported)
    named = manifest if exported is None else requirements
    run_tool(
        [*installer, "--target", str(target), "--requirement", str(named)],
        folder=manifest.parent,
        environ=environ,
        missing=_INSTALL_UV,
        fix=f"Choose versions that have wheels for Python {platform.python} on Linux "
        f"{platform.machine} (glibc 2.{platform.glibc_minor}), list pure Python packages in "
        "`allow_sdist`, or set `requirements` to another file.",
    )
    requirements.unlink(missing_ok=True)
    _check_tags(target, platform)


def _export(manifest: Path, environ: Mapping[str, str]) -> str | None:
    """Return a lock file as requirements, or None when it already is in their format."""
    folder = manifest.parent
    if manifest.name == "uv.lock":
        words = [
            find_uv(environ) or "uv",
            "export",
            "--quiet",
            "--frozen",
            "--no-dev",
        ]
        words += ["--no-emit-project", "--no-editable", "--no-header"]
        requirements = run_tool(words, folder=folder, environ=environ, missing=_INSTALL_UV)
        return _find_indexes(manifest) + requirements
    if manifest.name == "poetry.lock":
        words = ["poetry", "export", "--format", "requirements.txt", "--only", "main"]
        fix = "Install poetry and poetry-plugin-export, or export a requirements.txt."
        return run_tool(words, folder=folder, environ=environ, missing=fix, fix=fix)
    if manifest.name == "Pipfile.lock":
        words = ["pipenv", "requirements", "--hash"]
        fix = "Install pipenv, or export a requirements.txt."
        return run_tool(words, folder=folder, environ=environ, missing=fix)
    if manifest.name == "pyproject.toml":
        return "\n".join(_read_dependencies(manifest)) + "\n"
    return None


def _find_indexes(uv_lock: Path) -> str:
    """Return the options for the indexes that a lock names: `uv export` leaves these out."""
    found = re.findall(r'\bregistry = "(https?://[^"]+)"', uv_lock.read_text())
    return "".join(f"--extra-index-url {url}\n" for url in sorted({*found} - {_PYPI}))


def _read_dependencies(pyproject: Path) -> list[str]:
    try:
        found = tomllib.loads(pyproject.read_text()).get("project", {}).get("dependencies", [])
    except (OSError, ValueError) as error:
        raise PackageError(f"{pyproject} cannot be read.", why=str(error)) from error
    return [str(each) for each in found]


def find_uv(environ: Mapping[str, str]) -> str | None:
    """Return the path of uv: the one on PATH, or the one that the `uv` extra installs."""
    if found := find_program("uv", environ):
        return found
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None


def _find_installer(
    platform: Platform, sdists: Sequence[str], environ: Mapping[str, str], *, refresh: bool
) -> list[str]:
    """Return the command that installs wheels for a platform; uv and pip give the same files."""
    uv = find_uv(environ)
    if not uv and not importlib.util.find_spec("pip"):
        raise PackageError(
            "The dependencies cannot be installed.",
            why="Neither uv nor pip is installed.",
            fix=_INSTALL_UV,
        )
    wheels = ["--quiet", "--only-binary", ":all:", "--python-version", platform.python]
    if uv:
        # Without --python, uv looks for one on PATH, and downloads one if there is none. Users
        # may configure links into uv's cache, which would not work on Lambda.
        command = [uv, "pip", "install", "--python", sys.executable, *wheels]
        command += ["--link-mode", "hardlink"]
        target = f"{platform.machine}-manylinux_2_{platform.glibc_minor}"
        allowed = [word for name in sdists for word in ("--no-binary", name)]
        command += ["--python-platform", target, *allowed]
        return [*command, "--reinstall"] if refresh else command  # uv has a cache of its own
    if sdists:
        raise PackageError(
            "pip cannot build source distributions for another platform.",
            why=f"`allow_sdist` lists {', '.join(sdists)}.",
            fix=f"Install uv, which can build them: {_UV_EXTRA}.",
        )
    program = str(Path(__file__).with_name("pip_for_lambda.py"))
    command = [sys.executable, program, platform.python, platform.machine, "install", *wheels]
    command += ["--no-compile", "--no-input", "--disable-pip-version-check"]
    tags = [word for tag in platform.tags for word in ("--platform", tag)]
    return [*command, "--implementation", "cp", *tags]


def _check_tags(target: Path, platform: Platform) -> None:
    """Raise `PackageError` for a package built for this computer, or for too few platforms."""
    allowed = {"any", *platform.tags}
    for wheel in sorted(target.glob("*.dist-info/WHEEL")):
        tags = re.findall(r"^Tag: \S+-(\S+)-(\S+)$", wheel.read_text(), re.MULTILINE)
        platforms = {each for _, tag in tags for each in tag.split(".")}
        name = wheel.parent.name.removesuffix(".dist-info")
        one_python = platform.any_python and not {abi for abi, _ in tags} & {"abi3", "none"}
        one_machine = platform.any_machine and "any" not in platforms
        if tags and (one_python or one_machine):
            raise PackageError(
                f"{name} runs only on "
                + (f"Python {platform.python}" if one_python else platform.machine)
                + ", but the layer lists other "
                + ("CompatibleRuntimes." if one_python else "CompatibleArchitectures."),
                why="A layer contains one copy of each package.",
                fix="Name one runtime and one architecture, and add a layer for each of the "
                "others.",
            )
        if platforms and not platforms & allowed:
            raise PackageError(
                f"{name} was built for {', '.join(sorted(platforms))}.",
                why=f"The function runs on Linux {platform.machine} with glibc "
                f"2.{platform.glibc_minor}; source distributions are built for this computer.",
                fix="Remove it from `allow_sdist`, and choose a version that has a wheel.",
            )


def _read_all(requirements: Path, seen: set[Path]) -> Iterator[str]:
    """Yield the contents of a requirements file and of the files that it includes."""
    if requirements in seen:
        return
    seen.add(requirements)
    text = requirements.read_text()
    yield text
    for included in re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", text, re.M):
        path = (requirements.parent / included).resolve()
        if path.is_file():
            yield from _read_all(path, seen)
