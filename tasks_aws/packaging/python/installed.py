"""What an installer has put into a folder: nothing but what runs on Lambda."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ...errors import PackageError
from ..atomic_file import UNFINISHED
from .platforms import Platform

_EDITABLE = re.compile(
    r"^\s*(/|[A-Za-z]:\\|import \S*(__editable__|_editable_impl_))", re.MULTILINE
)
_LOCAL = re.compile(r"^(Requires-Dist: [^@\n;]*?)\s*@ file:[^\s;]*", re.MULTILINE)


def check_installed(target: Path, platform: Platform) -> None:
    """Raise `PackageError` for what would not run on Lambda, and remove paths of this machine."""
    _check_tags(target, platform)
    for path in sorted(target.glob("*.pth")):
        if _EDITABLE.search(path.read_text(errors="replace")):
            raise PackageError(
                f"{path.name} is a link to a folder of this machine.",
                why="A package was installed as editable, so its files are not in the archive.",
                fix="Remove `editable = true` or `-e` from its requirement.",
            )
    for path in target.glob("*.dist-info/METADATA"):
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        if (portable := _LOCAL.sub(r"\1", text)) != text:
            # A new file: this one may be a link into uv's cache.
            new = path.with_name(UNFINISHED)
            new.write_text(portable, encoding="utf-8", errors="surrogateescape")
            os.replace(new, path)  # noqa: PTH105


def _check_tags(target: Path, platform: Platform) -> None:
    """Raise `PackageError` for a package built for this computer, or for too few platforms."""
    for wheel in sorted(target.glob("*.dist-info/WHEEL")):
        tags = re.findall(
            r"^Tag: \S+-(\S+)-(\S+)$", wheel.read_text(encoding="utf-8"), re.MULTILINE
        )
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
        _check_platforms(name, platforms, platform)


def check_built(wheel: Path, platform: Platform) -> None:
    """Raise `PackageError` for a wheel that was built here and runs only on this computer."""
    name, version, *_, platforms = wheel.stem.split("-")
    _check_platforms(f"{name}-{version}", set(platforms.split(".")), platform)


def _check_platforms(name: str, platforms: set[str], platform: Platform) -> None:
    if platforms and not platforms & {"any", *platform.tags}:
        raise PackageError(
            f"{name} was built for {', '.join(sorted(platforms))}.",
            why=f"The function runs on Linux {platform.machine} with glibc "
            f"2.{platform.glibc_minor}; source distributions are built for this computer.",
            fix="Remove it from `allow_sdist`, and choose a version that has a wheel.",
        )
