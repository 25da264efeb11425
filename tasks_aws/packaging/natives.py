"""Compiled files in a package that Lambda can load and this machine cannot."""

from __future__ import annotations

import platform
import re
import struct
from pathlib import Path

ELF = b"\x7fELF"  # how such a file begins

# The machine in the header of an ELF file, and in that of a Mach-O file.
_MACHINES = {62: "x86_64", 183: "arm64"}
_MACH_O = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_MACH_O_64 = 0xFEEDFACF
_MACH_O_FAT = 0xBEBAFECA  # for several machines; its numbers are big-endian

_NAMES = {"amd64": "x86_64", "aarch64": "arm64"}
_is_native = re.compile(r"\.(so(\.[\d.]+)?|node|dylib|pyd|dll)$").search


def this_machine() -> str:
    """Return the platform of this machine, such as ``Linux on x86_64``."""
    system = {"Darwin": "macOS"}.get(platform.system(), platform.system())
    machine = platform.machine().lower()
    return f"{system} on {_NAMES.get(machine, machine)}"


def find_foreign(folder: Path, architecture: str) -> str:
    """Return a package in a folder that is compiled for Lambda alone, or an empty string.

    Of a package that has files for several platforms, one that fits is enough.
    """
    on_lambda, here = f"Linux on {architecture}", this_machine()
    if on_lambda == here:
        return ""
    packages: dict[str, set[str]] = {}
    for path in sorted(folder.rglob("*")):
        if _is_native(path.name) and path.is_file():
            name = _package_of(path.relative_to(folder))
            packages.setdefault(name, set()).add(_platform_of(path))
    foreign = (
        name
        for name, platforms in packages.items()
        if on_lambda in platforms and not platforms & {here, here.partition(" ")[0]}
    )
    return next(foreign, "")


def _platform_of(path: Path) -> str:
    with path.open("rb") as file:
        header = file.read(20)
    if header.startswith(ELF) and len(header) == 20:
        return f"Linux on {elf_machine(header)}"
    if len(header) >= 8:
        magic, machine = struct.unpack_from("<II", header)
        if magic == _MACH_O_64:
            return f"macOS on {_MACH_O.get(machine)}"
        if magic == _MACH_O_FAT:
            return "macOS"
    return ""


def elf_machine(header: bytes) -> str | None:
    """Return the machine that an ELF file is for, if Lambda has such."""
    return _MACHINES.get(int.from_bytes(header[18:20], "little"))


def _package_of(path: Path) -> str:
    """Return the package of a file; of npm's, a scope often has one for each platform."""
    parts = path.parts
    if "node_modules" in parts:
        last = len(parts) - 1 - parts[::-1].index("node_modules")
        return "/".join(parts[: last + 2])
    return parts[0]
