"""The platform of a Python function: what wheels must run on."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...config.functions import Layer

_MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
_OLDEST_GLIBC_MINOR = 5  # manylinux1
_LEGACY_TAGS = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


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

    @property
    def markers(self) -> dict[str, str]:
        """Return the environment markers (PEP 508) of the platform."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.python}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.python}.0",
            "python_version": self.python,
            "sys_platform": "linux",
        }

    def __str__(self) -> str:
        return f"Python {self.python} on {self.machine}"


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
