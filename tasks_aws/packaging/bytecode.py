"""Bytecode that is valid on Lambda, so that a cold start compiles nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from ..config.functions import Function, Layer
from ..errors import PackageError
from .python_dependencies import platform_of, uv

# Where Lambda unpacks the archives.
_FUNCTION_ROOT = "/var/task"
_LAYER_ROOT = "/opt"


def compile_bytecode(function: Layer, staged: Path) -> None:
    """Compile everything in a staged folder with the Python of the function's runtime.

    A pyc file with a time stamp would be stale once it is unpacked; one with an unchecked hash
    is always taken, and has the same bytes on every machine. A file that does not compile is left
    to the runtime. Raises `PackageError` when that Python is not at hand, or cannot compile.
    """
    platform = platform_of(function)
    if platform is None:
        raise PackageError(
            f"`{function.key}.bytecode` is for Python, and the Runtime is {function.runtime}.",
            fix="Remove it.",
        )
    python = interpreter(platform.python)
    if python is None:
        raise PackageError(
            f"There is no Python {platform.python} to compile with.",
            why=f"`{function.key}.bytecode` is set, and bytecode is that of one minor version.",
            fix=f"Install Python {platform.python} (uv python install {platform.python}), "
            "or remove `bytecode`.",
        )
    # Without warnings, which name files, and so may say anything: what is left is a failure.
    words = [python, "-I", "-W", "ignore", "-m", "compileall", "-qq", "-f"]
    root = _FUNCTION_ROOT if isinstance(function, Function) else _LAYER_ROOT
    words += ["--invalidation-mode", "unchecked-hash", "-s", str(staged), "-p", root, str(staged)]
    # Side by side if the machine can: that needs semaphores, and sockets in no long TMPDIR.
    for side_by_side in (["-j", "0"], []):
        done = subprocess.run([*words, *side_by_side], capture_output=True, text=True, check=False)
        if "Traceback" not in done.stderr:
            return
    raise PackageError(
        f"{function.name} could not be compiled by {python}.",
        why=done.stderr.strip().splitlines()[-1],
        fix="Correct what it names, or remove `bytecode`.",
    )


def interpreter(version: str) -> str | None:
    """Return an interpreter of a minor version: this one, one on PATH, or one that uv knows."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    candidates = [shutil.which(f"python{version}")]
    if tool := uv():
        words = [tool, "python", "find", "--no-python-downloads", version]
        found = subprocess.run(words, capture_output=True, text=True, check=False)
        candidates.append(found.stdout.strip() if found.returncode == 0 else None)
    return next((each for each in candidates if each and _is(each, version)), None)


def _is(python: str, version: str) -> bool:
    """Tell whether a program really is that Python: a shim may have nothing behind it."""
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    found = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True)
    return found.stdout.strip() == version
