"""The file that a function's `Handler` names has to be in its archive."""

from __future__ import annotations

import ast
import posixpath
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..config.functions import Function
from ..errors import PackageError
from .python_dependencies import platform_of


def check_handler(function: Function, files: Mapping[str, str | None]) -> None:
    """Refuse an archive without the handler's module: Lambda would notice at the first call.

    `files` are the names in the archive, and where the contents lie; None if only in the archive.
    """
    if function.parameters.get("Layers") or function.layers:
        return  # it may be in one of them
    handler = str(function.parameters.get("Handler", ""))
    candidates = _candidates(function, handler)
    found = next((name for name in candidates if name in files), None)
    if candidates and found is None and not _compiled(candidates[0], files):
        raise PackageError(
            f"`{function.key}.Handler` is {handler}, but the archive has no {candidates[0]}.",
            why="Lambda could not start the function.",
            fix=f"Correct `Handler`, or `{function.key}.source`.",
        )
    path, platform = files.get(found or ""), platform_of(function)
    # A newer Python may understand what this one does not.
    if path and path.endswith(".py") and platform and platform.python_minor <= sys.version_info[1]:
        _check_syntax(function, str(found), Path(path))


def _candidates(function: Function, handler: str) -> list[str]:
    """Return which files Lambda would take for the handler's, the usual one first."""
    if platform_of(function):
        module = handler.rpartition(".")[0].replace(".", "/")
        return [f"{module}.py", f"{module}/__init__.py"]
    if str(function.parameters.get("Runtime", "")).startswith("nodejs"):
        folder, base = posixpath.split(handler)  # what follows the first dot may be a path, too
        module = posixpath.join(folder, base.partition(".")[0])
        return [f"{module}{suffix}" for suffix in (".js", ".mjs", ".cjs", "/index.js")]
    return []


def _compiled(source: str, files: Iterable[str]) -> bool:
    """Tell whether there is a module without its source: app.pyc, app.cpython-313-….so."""
    module = source.removesuffix("py")
    return any(name.startswith(module) and name.endswith((".so", ".pyc")) for name in files)


def _check_syntax(function: Function, name: str, path: Path) -> None:
    try:
        ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise PackageError(
            f"{name} is not Python that can be read: {error}{line}.",
            why=f"It holds the handler of {function.name}.",
            fix="Correct it.",
        ) from error
