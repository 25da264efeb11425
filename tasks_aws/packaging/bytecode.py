"""Compiling bytecode that is valid on Lambda, so that a cold start compiles nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ..config.functions import Function, Layer
from ..errors import PackageError
from .installs import find_program
from .python.installers import find_uv
from .python.platforms import platform_of

# The folders into which Lambda unpacks archives.
_FUNCTION_ROOT = "/var/task"
_LAYER_ROOT = "/opt"


def compile_bytecode(function: Layer, staged: Path, environ: Mapping[str, str]) -> None:
    """Compile all modules in a staging folder with the Python of the function's runtime.

    A pyc file with a time stamp would be stale as soon as Lambda unpacks it. With an unchecked
    hash it is always valid, and has the same bytes on every machine. Modules that do not compile
    are left to the runtime. Raises `PackageError` when that Python is missing or cannot compile.
    """
    platform = platform_of(function)
    if platform is None:
        raise PackageError(
            f"`{function.key}.bytecode` is set, but there is no Python for the runtime "
            f"{function.runtime or '(not set)'} on {function.architectures[0]}.",
            fix=f"Remove `{function.key}.bytecode`.",
        )
    python = find_interpreter(platform.python, environ)
    if python is None:
        raise PackageError(
            f"Python {platform.python} is not installed.",
            why=f"`{function.key}.bytecode` is set, and every minor version has its own bytecode.",
            fix=f"Install it (`uv python install {platform.python}`), or remove "
            f"`{function.key}.bytecode`.",
        )
    # Warnings name files, so they could contain the word that stands for a failure.
    words = [python, "-I", "-W", "ignore", "-m", "compileall", "-qq", "-f"]
    root = _FUNCTION_ROOT if isinstance(function, Function) else _LAYER_ROOT
    words += ["--invalidation-mode", "unchecked-hash", "-s", str(staged), "-p", root, str(staged)]
    # In parallel where possible: that needs semaphores, and sockets, whose paths are limited.
    for parallel in (["-j", "0"], []):
        done = subprocess.run(
            [*words, *parallel], env=environ, capture_output=True, text=True, check=False
        )
        if "Traceback" not in done.stderr:
            return
    raise PackageError(
        f"{python} could not compile {function.label}.",
        why=done.stderr.strip().splitlines()[-1],
        fix=f"Remove `{function.key}.bytecode` to package without bytecode.",
    )


def find_interpreter(version: str, environ: Mapping[str, str]) -> str | None:
    """Return an interpreter of a minor version: this one, one on PATH, or one that uv manages."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    candidates = [find_program(f"python{version}", environ)]
    if uv := find_uv(environ):
        words = [uv, "python", "find", "--no-python-downloads", version]
        found = subprocess.run(
            words, env=environ, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        candidates.append(found.stdout.strip() if found.returncode == 0 else None)
    return next((each for each in candidates if each and _is_python(each, version, environ)), None)


def _is_python(program: str, version: str, environ: Mapping[str, str]) -> bool:
    """Return whether a program really is this Python: a shim may have no interpreter behind it."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    words = [program, "-I", "-c", code]
    found = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    return found.stdout.strip() == version
