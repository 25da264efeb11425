"""Python dependencies, installed for Lambda and not for this computer."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from ..errors import PackageError
from ..settings import Function

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_OLDEST_GLIBC_MINOR = 5  # manylinux1
_LEGACY_TAGS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """What the wheels have to run on."""

    python: str  # such as 3.13
    machine: str  # as wheels name it: x86_64 or aarch64

    @property
    def glibc_minor(self) -> int:
        """Return the x of glibc 2.x: Amazon Linux 2023 since Python 3.12, Amazon Linux 2 before.

        For Amazon Linux 2 (2.26) it is 17, the next older for which wheels are built.
        """
        return 34 if int(self.python.split(".")[1]) >= 12 else 17

    @property
    def tags(self) -> list[str]:
        """Return the platform tags of all wheels that run there, the newest first."""
        tags = []
        for minor in range(self.glibc_minor, _OLDEST_GLIBC_MINOR - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _LEGACY_TAGS:
                tags.append(f"{_LEGACY_TAGS[minor]}_{self.machine}")
        return tags


def platform_of(function: Function) -> Platform | None:
    """Return what a Python function runs on, or None for another runtime."""
    match = re.fullmatch(r"python(3\.\d+)", str(function.parameters.get("Runtime", "")))
    architectures = function.parameters.get("Architectures") or ["x86_64"]
    if not match or architectures[0] not in _MACHINES:
        return None
    return Platform(python=match[1], machine=_MACHINES[architectures[0]])


def requirements_of(function: Function, project: Path) -> Path | None:
    """Return the file of a function's dependencies, if it has one."""
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
    found = (project / each / "requirements.txt" for each in function.source)
    return next((path for path in found if path.is_file()), None)


def install(requirements: Path, platform: Platform, *, cache: Path) -> tuple[Path, bool]:
    """Return a folder with the dependencies installed, and whether it was there already.

    It is kept by the contents of the requirements, so that nothing is installed twice.
    Raises `PackageError` with what the installer said.
    """
    installer = _installer()
    text = b"".join(_contents(requirements, set()))
    digest = hashlib.sha256(repr((installer, platform)).encode() + text).hexdigest()
    folder = cache / digest[:20]
    if folder.is_dir():
        return folder, True
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = Path(mkdtemp(dir=cache, prefix="unfinished-"))
    try:
        _run([*installer, *_arguments(installer, platform, unfinished, requirements)])
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder, False


def _installer() -> tuple[str, ...]:
    """Return the command that installs: uv when it is there, else this Python's pip."""
    uv = shutil.which("uv")
    if not uv and importlib.util.find_spec("uv"):
        from uv import find_uv_bin  # the `uv` extra, in an environment that is not on PATH

        uv = find_uv_bin()
    if uv:
        return (uv, "pip", "install")
    if importlib.util.find_spec("pip"):
        return (sys.executable, "-m", "pip", "install")
    raise PackageError(
        "The dependencies cannot be installed.",
        why="There is neither uv nor pip.",
        fix="Install uv: pip install 'tasks-aws[uv]'.",
    )


def _arguments(
    installer: tuple[str, ...], platform: Platform, target: Path, requirements: Path
) -> list[str]:
    where = ["--target", str(target), "--requirement", str(requirements)]
    what = ["--quiet", "--only-binary", ":all:", "--python-version", platform.python]
    if installer[1] == "pip":
        libc = f"manylinux_2_{platform.glibc_minor}"
        return [*what, "--python-platform", f"{platform.machine}-{libc}", *where]
    tags = [word for tag in platform.tags for word in ("--platform", tag)]
    quiet = ["--no-compile", "--no-input", "--disable-pip-version-check", "--implementation", "cp"]
    return [*what, *quiet, *tags, *where]


def _run(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise PackageError(
            "The dependencies could not be installed.",
            why="\n       ".join(said[-8:]) or f"The installer ended with {result.returncode}.",
            fix="Correct the requirements; only wheels for the function's Runtime and "
            "Architectures are installed.",
        )


def _contents(requirements: Path, seen: set[Path]) -> Iterator[bytes]:
    """Yield the contents of a requirements file and of those that it includes."""
    if requirements in seen:
        return
    seen.add(requirements)
    text = requirements.read_text()
    yield text.encode()
    for included in re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", text, re.M):
        path = (requirements.parent / included).resolve()
        if path.is_file():
            yield from _contents(path, seen)
