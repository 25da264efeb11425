"""Installing dependencies for Lambda, once for each state of their lock."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import PackageError
from .atomic_file import unfinished_path

_SHOWN_LINES = 20

# npm marks each line of an error, and tells how to use it before it names a log.
_OF_NPM = re.compile(r"npm (?:error|ERR!) ?(.*)")
_END_OF_NPM = re.compile(r"Clean install a project|A complete log of this run")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dependencies:
    """The dependencies of a function, and how to install them into a folder."""

    description: str  # the lock, and the platform
    digest: str  # of everything that determines the result
    install: Callable[[Path], None]
    reusable: bool = True  # by later runs; false: it depends on files that the digest leaves out


def install_cached(
    dependencies: Dependencies, cache: Path, scratch: Path | None = None
) -> tuple[Path, bool]:
    """Return a folder with the dependencies, and whether it was already in the cache.

    Raises `PackageError` with the installer's output. The folder appears only when it is complete;
    until then it is in `scratch`, which is on the same disk.
    """
    folder = cache / dependencies.digest
    if folder.is_dir():
        return folder, True
    cache.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_path(scratch or cache)
    unfinished.mkdir()
    dependencies.install(unfinished)
    unfinished.rename(folder)
    return folder, False


def hash_parts(*parts: object) -> str:
    """Return a digest of what determines the result of an installation."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def find_program(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of a program on the PATH of an environment."""
    return shutil.which(name, path=environ.get("PATH", os.defpath))


def run_tool(
    words: Sequence[str], *, folder: Path, environ: Mapping[str, str], missing: str, fix: str = ""
) -> str:
    """Run an installer or an exporter and return its output.

    Raises `PackageError`: with the fix `missing` when the program does not exist, and with its
    output and `fix` when it fails.
    """
    try:
        result = subprocess.run(
            # By itself, Windows finds no npm.cmd for `npm`.
            [find_program(words[0], environ) or words[0], *words[1:]],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except (FileNotFoundError, NotADirectoryError) as error:  # PATH may name a file
        raise PackageError(
            "The dependencies cannot be installed.",
            why=f"{words[0]} is not on PATH.",
            fix=missing,
        ) from error
    if result.returncode:
        lines = _find_reason(f"{result.stdout}\n{result.stderr}")
        raise PackageError(
            "The dependencies could not be installed.",
            why="\n       ".join(lines) or f"{words[0]} exited with code {result.returncode}.",
            fix=fix,
        )
    return result.stdout


def _find_reason(output: str) -> list[str]:
    """Return the lines of a failed tool's output that say why: all that npm marks, or the last."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    marked = [found[1] for line in lines if (found := _OF_NPM.match(line))]
    end = next((number for number, line in enumerate(marked) if _END_OF_NPM.match(line)), None)
    return [line for line in marked[:end] if line] or lines[-_SHOWN_LINES:]
