"""Dependencies, installed for Lambda and not for this computer, and kept by their lock."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from ..errors import PackageError
from .atomic_file import UNFINISHED


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dependencies:
    """What a function depends on, and how to install it into a folder."""

    described: str  # for people: the lock, and what it is installed for
    digest: str  # of everything that the outcome depends on
    install: Callable[[Path], None]
    reusable: bool = True  # whether the digest really says it all


def installed(dependencies: Dependencies, cache: Path) -> tuple[Path, bool]:
    """Return a folder with the dependencies installed, and whether it was there already.

    Raises `PackageError` with what the installer said; the folder appears only when it is whole.
    """
    folder = cache / dependencies.digest
    if folder.is_dir():
        if dependencies.reusable:
            return folder, True
        shutil.rmtree(folder)
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = Path(mkdtemp(dir=cache, prefix=UNFINISHED))
    try:
        dependencies.install(unfinished)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder, False


def digest_of(*parts: object) -> str:
    """Return a digest of what an installation depends on."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def run_tool(
    words: Sequence[str], *, folder: Path, fix: str, environ: Mapping[str, str] | None = None
) -> str:
    """Run an installer or an exporter and return its output; a failure is a `PackageError`."""
    try:
        result = subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise PackageError(
            "The dependencies cannot be installed.", why=f"There is no {words[0]}.", fix=fix
        ) from error
    if result.returncode:
        said = (result.stderr or result.stdout).strip().splitlines()
        raise PackageError(
            "The dependencies could not be installed.",
            why="\n       ".join(said[-8:]) or f"{words[0]} ended with {result.returncode}.",
            fix=fix,
        )
    return result.stdout
