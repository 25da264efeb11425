"""Checking that an archive contains the file that the function's `Handler` names."""

from __future__ import annotations

import ast
import posixpath
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..config.functions import Function
from ..errors import PackageError
from .python.platforms import platform_of


def check_handler(function: Function, files: Mapping[str, str | None]) -> None:
    """Raise `PackageError` for an archive without its handler: Lambda reports it only when called.

    `files` maps the names in the archive to paths, or to None for a file that is only in the
    archive.
    """
    if function.parameters.get("Layers") or function.layers:
        return  # a layer may contain the handler
    handler = str(function.parameters.get("Handler", ""))
    candidates = _find_candidates(function, handler)
    found = next((name for name in candidates if name in files), None)
    if candidates and found is None and not _has_compiled(candidates[0], files):
        raise PackageError(
            f"`{function.key}.Handler` is {handler}, but the archive does not contain "
            f"{candidates[0]}.",
            why="Lambda could not load the handler.",
            fix=f"Change `{function.key}.Handler` or `{function.key}.source`.",
        )
    path, platform = files.get(found or ""), platform_of(function)
    # A newer Python may accept syntax that this one does not.
    if path and path.endswith(".py") and platform and platform.python_minor <= sys.version_info[1]:
        _check_syntax(function, str(found), Path(path))


def _find_candidates(function: Function, handler: str) -> list[str]:
    """Return the files that Lambda may load the handler from, the most common first."""
    if platform_of(function):
        module = handler.rpartition(".")[0].replace(".", "/")
        return [f"{module}.py", f"{module}/__init__.py"]
    if str(function.parameters.get("Runtime", "")).startswith("nodejs"):
        folder, base = posixpath.split(handler)
        module = posixpath.join(folder, base.partition(".")[0])  # "app.handlers.create" is in app
        return [f"{module}{suffix}" for suffix in (".js", ".mjs", ".cjs", "/index.js")]
    return []


def _has_compiled(source: str, files: Iterable[str]) -> bool:
    """Return whether a module exists without its source: app.pyc, app.cpython-313-….so."""
    module = source.removesuffix("py")
    return any(name.startswith(module) and name.endswith((".so", ".pyc")) for name in files)


def _check_syntax(function: Function, name: str, path: Path) -> None:
    try:
        ast.parse(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        reason = str(error)
        if isinstance(error, SyntaxError) and error.lineno:
            reason = f"line {error.lineno}: {error.msg}"
        raise PackageError(
            f"{name} is not valid Python: {reason}.",
            why=f"`{function.key}.Handler` is in this file.",
        ) from error
