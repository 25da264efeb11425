"""Python's dependencies: from any of its lock files, as wheels for the function's platform."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.functions import Layer
from ..errors import PackageError
from .installs import Dependencies, digest_of, run_tool

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_OLDEST_GLIBC_MINOR = 5  # manylinux1
_LEGACY_TAGS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

# A requirement that is a file or folder here: its contents may change while its name does not.
_LOCAL = re.compile(
    r"^\s*(-e|--editable|\.{0,2}/|[^#\n]*\bfile:)"  # requirements.txt
    r"|^source = \{ (directory|editable|path) = \"(?!\.\")"  # uv.lock; "." is the project itself
    r"|^type = \"(directory|file)\""  # poetry.lock
    r"|^\s*\"path\": ",  # Pipfile.lock
    re.MULTILINE,
)

_PYPI = "https://pypi.org/simple"

# What names the dependencies, the most exact first.
_MANIFESTS = ("uv.lock", "poetry.lock", "Pipfile.lock", "requirements.txt", "pyproject.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the wheels have to run on."""

    python: str  # such as 3.13
    machine: str  # as wheels name it: x86_64 or aarch64
    any_python: bool = False  # whether they have to run on later Pythons,
    any_machine: bool = False  # and on other machines, too

    @property
    def glibc_minor(self) -> int:
        """Return the x of glibc 2.x: Amazon Linux 2023 since Python 3.12, Amazon Linux 2 before.

        For Amazon Linux 2 (2.26) it is 17, the next older for which wheels are built.
        """
        return 34 if self.python_minor >= 12 else 17

    @property
    def python_minor(self) -> int:
        """Return the x of Python 3.x."""
        return int(self.python.split(".")[1])

    @property
    def tags(self) -> list[str]:
        """Return the platform tags of all wheels that run there, the newest first."""
        tags = []
        for minor in range(self.glibc_minor, _OLDEST_GLIBC_MINOR - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _LEGACY_TAGS:
                tags.append(f"{_LEGACY_TAGS[minor]}_{self.machine}")
        return tags


def platform_of(function: Layer) -> Platform | None:
    """Return what a Python function runs on, or None for another runtime."""
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


def python_dependencies(function: Layer, project: Path) -> Dependencies | None:
    """Return what a Python function depends on, or None when nothing says so."""
    platform, manifest = platform_of(function), _manifest(function, project)
    if manifest is None:
        return None
    if platform is None:
        if function.language.lower() != "python":
            return None
        raise PackageError(
            f"It is not known which wheels {manifest.name} means for {function.name}.",
            why=f"Runtime is {function.runtime}, Architectures {function.architectures}.",
            fix="Write a Runtime like python3.13 and x86_64 or arm64, or set `requirements: none`.",
        )
    contents = list(_contents(manifest, set()))
    reusable = not any(_LOCAL.search(text) for text in contents)
    installer = _installer(platform, function.allow_sdist, refresh=not reusable)
    platform_name = f"Python {platform.python} on {platform.machine}"

    def install(target: Path) -> None:
        _install(manifest, platform, installer, target)

    return Dependencies(
        reusable=reusable,
        described=f"{manifest.name} for {platform_name}",
        digest=digest_of(manifest.name, platform, function.allow_sdist, contents),
        install=install,
    )


def _manifest(function: Layer, project: Path) -> Path | None:
    if function.requirements == "none":
        return None
    if function.requirements:
        named = project / function.requirements
        if not named.is_file():
            raise PackageError(
                f"`{function.key}.requirements` names {function.requirements}, "
                "which does not exist.",
                why=f"It is looked for in {project}, the folder of tasks.py.",
                fix="Correct the path, or write `none` to install nothing.",
            )
        return named
    for name in _MANIFESTS:
        for source in function.source:
            path = project / source.path / name
            if path.is_file() and (name != "pyproject.toml" or _project_dependencies(path)):
                return path
    return None


def _install(manifest: Path, platform: Platform, installer: list[str], target: Path) -> None:
    requirements = target / "requirements.txt"
    exported = _exported(manifest)
    if exported is not None:
        requirements.write_text(exported)
    named = manifest if exported is None else requirements
    run_tool(
        [*installer, "--target", str(target), "--requirement", str(named)],
        folder=manifest.parent,
        fix=f"Choose versions that have wheels for Python {platform.python} on Linux "
        f"{platform.machine} (glibc 2.{platform.glibc_minor}), name pure packages under "
        "`allow_sdist`, or set `requirements` to another file.",
    )
    requirements.unlink(missing_ok=True)
    _check_tags(target, platform)


def _exported(manifest: Path) -> str | None:
    """Return the requirements that a lock file stands for, or None when it is in their format."""
    folder = manifest.parent
    if manifest.name == "uv.lock":
        words = [uv() or "uv", "export", "--quiet", "--frozen", "--no-dev", "--no-emit-project"]
        fix = "Install uv: pip install 'tasks-aws[uv]'."
        words += ["--no-editable", "--no-header"]
        return _indexes_of(manifest) + run_tool(words, folder=folder, fix=fix)
    if manifest.name == "poetry.lock":
        words = ["poetry", "export", "--format", "requirements.txt", "--only", "main"]
        fix = "Install poetry and poetry-plugin-export, or export a requirements.txt."
        return run_tool(words, folder=folder, fix=fix)
    if manifest.name == "Pipfile.lock":
        fix = "Install pipenv, or export a requirements.txt."
        return run_tool(["pipenv", "requirements", "--hash"], folder=folder, fix=fix)
    if manifest.name == "pyproject.toml":
        return "\n".join(_project_dependencies(manifest)) + "\n"
    return None


def _indexes_of(uv_lock: Path) -> str:
    """Return the options for the indexes that a lock was made from: `uv export` leaves them out."""
    found = re.findall(r'\bregistry = "(https?://[^"]+)"', uv_lock.read_text())
    return "".join(f"--extra-index-url {url}\n" for url in sorted({*found} - {_PYPI}))


def _project_dependencies(pyproject: Path) -> list[str]:
    try:
        found = tomllib.loads(pyproject.read_text()).get("project", {}).get("dependencies", [])
    except (OSError, ValueError) as error:
        raise PackageError(
            f"{pyproject} cannot be read.", why=str(error), fix="Correct it."
        ) from error
    return [str(each) for each in found]


def uv() -> str | None:
    """Return uv: the one on PATH, or that of the `uv` extra, which may not be on PATH."""
    if found := shutil.which("uv"):
        return found
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return None


def _installer(platform: Platform, sdists: Sequence[str], *, refresh: bool) -> list[str]:
    """Return the command that installs wheels for a platform; both give the same files."""
    tool = uv()
    if not tool and not importlib.util.find_spec("pip"):
        raise PackageError(
            "The dependencies cannot be installed.",
            why="There is neither uv nor pip.",
            fix="Install uv: pip install 'tasks-aws[uv]'.",
        )
    wheels = ["--quiet", "--only-binary", ":all:", "--python-version", platform.python]
    if tool:
        # Without --python it would look for one on PATH, and download one if there is none.
        # Symbolic links into its cache, which it can be set to make, mean nothing on Lambda.
        command = [tool, "pip", "install", "--python", sys.executable, *wheels]
        command += ["--link-mode", "hardlink"]
        target = f"{platform.machine}-manylinux_2_{platform.glibc_minor}"
        allowed = [word for name in sdists for word in ("--no-binary", name)]
        command += ["--python-platform", target, *allowed]
        return [*command, "--reinstall"] if refresh else command  # uv, too, has a cache
    if sdists:
        raise PackageError(
            "pip cannot build source distributions for another platform.",
            why=f"`allow_sdist` names {', '.join(sdists)}.",
            fix="Install uv, which can: pip install 'tasks-aws[uv]'.",
        )
    program = str(Path(__file__).with_name("pip_for_lambda.py"))
    command = [sys.executable, program, platform.python, platform.machine, "install", *wheels]
    command += ["--no-compile", "--no-input", "--disable-pip-version-check"]
    tags = [word for tag in platform.tags for word in ("--platform", tag)]
    return [*command, "--implementation", "cp", *tags]


def _check_tags(target: Path, platform: Platform) -> None:
    """Refuse what a source distribution built for this computer instead of for Lambda."""
    allowed = {"any", *platform.tags}
    for wheel in sorted(target.glob("*.dist-info/WHEEL")):
        tags = re.findall(r"^Tag: \S+-(\S+)-(\S+)$", wheel.read_text(), re.MULTILINE)
        platforms = {each for _, tag in tags for each in tag.split(".")}
        name = wheel.parent.name.removesuffix(".dist-info")
        one_python = platform.any_python and not {abi for abi, _ in tags} & {"abi3", "none"}
        one_machine = platform.any_machine and "any" not in platforms
        if tags and (one_python or one_machine):
            raise PackageError(
                f"{name} is built for "
                + (f"Python {platform.python}" if one_python else platform.machine)
                + " only, and the layer is for others, too.",
                why="A layer has one copy of each package.",
                fix="Name one of CompatibleRuntimes and one of CompatibleArchitectures; describe "
                "a layer of its own for each other.",
            )
        if platforms and not platforms & allowed:
            raise PackageError(
                f"{name} was built for {', '.join(sorted(platforms))}.",
                why=f"The function runs on Linux {platform.machine} with glibc "
                f"2.{platform.glibc_minor}; a source distribution is built for this computer.",
                fix="Remove it from `allow_sdist`, and choose a version that has a wheel.",
            )


def _contents(requirements: Path, seen: set[Path]) -> Iterator[str]:
    """Yield the contents of a requirements file and of those that it includes."""
    if requirements in seen:
        return
    seen.add(requirements)
    text = requirements.read_text()
    yield text
    for included in re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", text, re.M):
        path = (requirements.parent / included).resolve()
        if path.is_file():
            yield from _contents(path, seen)
