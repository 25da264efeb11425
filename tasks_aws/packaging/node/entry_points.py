"""What Node.js loads for a package, and whether it is there.

A local package that has not been built is often no more than its sources.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from ..contents import Contents

# What Node.js tries for `main`, in this order, and after that for the folder.
_OF_MAIN = ("", ".js", ".json", ".node", "/index.js", "/index.json", "/index.node")
_OF_FOLDER = ("index.js", "index.json", "index.node")
# The conditions of `exports` that Node.js knows, whoever asks.
_CONDITIONS = ("node", "node-addons", "import", "require", "module-sync", "default")
_INSIDE = ("", ".js", ".json", ".node", ".mjs", ".cjs", "/package.json")

_TYPESCRIPT = (".ts", ".mts", ".cts")
_FIRST_WITH_TYPESCRIPT = 22  # but not in node_modules
_is_module = re.compile(rb"^\s*(import|export)\b", re.MULTILINE).search


def find_broken_entry(contents: Contents, folder: str, *, version: int, by_path: bool) -> str:
    """Return what is wrong with the entry point of a package; an empty string if in doubt.

    `folder` is that of the package, `version` the major version of Node.js. `exports` does not
    count for a package that is required by its path.

    For example: ``main dist/index.js, which is not in the archive``.
    """
    manifest = _read_manifest(contents, folder)
    if manifest is None:
        return ""
    exports = None if by_path else manifest.get("exports")
    if exports is not None:
        tried = [*_find_targets(exports)]
        named = f"exports {tried[0]}" if tried else ""
    else:
        main = manifest.get("main")
        main = main if isinstance(main, str) else ""
        tried = [main + suffix for suffix in _OF_MAIN if main] + [*_OF_FOLDER]
        named = f"main {main or 'index.js, the default'}"
    found = next((each for each in tried if _exists(contents, folder, each)), None)
    if tried and found is None:
        return f"{named}, which is not in the archive"
    if found and _is_refused(contents, posixpath.normpath(f"{folder}/{found}"), version):
        return f"{named}, which Node.js does not load from node_modules"
    return ""


def lacks(contents: Contents, folder: str, inside: str) -> bool:
    """Return whether a path in a package is certain not to exist."""
    manifest = _read_manifest(contents, folder)
    if manifest is None or manifest.get("exports") is not None:
        return False
    tried = [inside + suffix for suffix in (*_INSIDE, *(f"/{each}" for each in _OF_FOLDER))]
    return not any(_exists(contents, folder, each) for each in tried)


def _read_manifest(contents: Contents, folder: str) -> dict[str, Any] | None:
    name = f"{folder}/package.json"
    try:
        found = json.loads(contents.read(name)) if name in contents.names else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _find_targets(exports: object) -> Iterator[str]:
    """Yield the files that stand for the package itself, under any condition."""
    if isinstance(exports, str):
        yield exports
    elif isinstance(exports, list):
        for each in exports:
            yield from _find_targets(each)
    elif isinstance(exports, dict):
        for key in (".",) if "." in exports else _CONDITIONS:
            yield from _find_targets(exports.get(key))


def _exists(contents: Contents, folder: str, name: str) -> bool:
    """Return whether a file exists, or may exist because a link is above it."""
    path = posixpath.normpath(f"{folder}/{name}")
    above = accumulate(path.split("/"), lambda parent, child: f"{parent}/{child}")
    return any(each in contents.names for each in above)


def _is_refused(contents: Contents, file: str, version: int) -> bool:
    if not file.endswith(_TYPESCRIPT) or "node_modules/" not in file or file not in contents.names:
        return False
    return version >= _FIRST_WITH_TYPESCRIPT or bool(_is_module(contents.read(file)))
