"""Wheels that are made on the spot, so that tests need no package registry."""

from __future__ import annotations

import zipfile
from importlib.metadata import distribution
from pathlib import Path


def make_wheel(folder: Path, name: str, *, tag: str, files: dict[str, str]) -> None:
    """Write a wheel of version 1.0."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-1.0.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{path},,\n" for path in contents)
    contents[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as wheel:
        for path, text in contents.items():
            wheel.writestr(path, text)


def wheel_of_installed(folder: Path, name: str) -> None:
    """Write a wheel of a pure package from what is installed of it."""
    found = distribution(name)
    with zipfile.ZipFile(folder / f"{name}-{found.version}-py3-none-any.whl", "w") as wheel:
        for path in found.files or []:
            if "__pycache__" not in path.parts and ".." not in path.parts:
                wheel.write(str(path.locate()), str(path))


def offline(folder: Path) -> dict[str, str]:
    """Return the variables that let pip and uv see nothing but the wheels of a folder."""
    return {
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_FIND_LINKS": str(folder),
        "PIP_NO_INDEX": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_OFFLINE": "1",
    }
