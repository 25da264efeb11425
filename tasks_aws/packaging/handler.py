"""Checking that Lambda can load the function's handler from an archive, before it is uploaded."""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..config.functions import Function, Layer
from ..errors import PackageError
from ..ui.output import suggest
from .contents import Contents, contents_of_entries
from .exclusion import IGNORE_FILE
from .files import find_source_files, not_found
from .imports import Imports, import_check, report_missing
from .inclusion import check_included
from .node.dependencies import find_locks
from .node.exports import find_exports
from .node.imports import find_node_imports
from .python.dependencies import check_choices
from .python.imports import (
    describe_syntax_error,
    find_names,
    find_python_imports,
    warn_of_newer_syntax,
)
from .python.manifests import LOCKS, SETUP, find_manifests
from .python.platforms import platform_of

# A file of these may bring a handler that is in no source.
_MANIFESTS = ("requirements.txt", "pyproject.toml", "package.json", "Pipfile", *LOCKS, *SETUP)
# And with one of these, what is left out of a source may be installed with the project.
_PROJECTS = ("pyproject.toml", *SETUP)

# What a handler does not have: `app.py` is the function `py` in the module `app`.
_SUFFIXES = (".py", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts")
_TYPESCRIPT = (".ts", ".mts", ".cts", ".tsx", "/index.ts")


def check_handler(
    function: Function, contents: Contents, layers: Sequence[Contents], project: Path
) -> None:
    """Raise `PackageError` for an archive from which Lambda could not load the handler.

    Lambda itself reports that only when the function is called: the file of the handler is
    missing or does not parse, it does not define the handler, or it imports what is neither in
    the archive nor in its layers nor in the runtime. `layers` are those under `aws.layers`.
    """
    handler = str(function.parameters.get("Handler", ""))
    candidates = _find_candidates(function, handler)
    found = _find_file(candidates, contents)
    if found is None:
        if candidates and not _has_layers(function):  # a layer may contain the handler
            _require_compiled(function, candidates, contents, project)
        return
    if found.endswith(".py"):
        _check_definition(function, found, contents.read(found))
    if check := import_check(function):
        if not found.endswith(".py"):
            _check_export(function, found, contents.read(found))
        imports = find_imports(function, found, contents, layers)
        if imports and imports.missing:
            report_missing(function, imports.missing, check)


def check_source(function: Layer, project: Path) -> None:
    """Raise `PackageError` for what is wrong with the sources, without packaging them.

    A handler may also come from dependencies, a layer or a build: then only `package` can tell.
    """
    if function.archive:
        if not (project / function.archive).exists():
            raise not_found(f"{function.key}.archive", function.archive, project)
        return
    sources = find_source_files(function, project)
    _check_manifests(function, project)
    if function.build:
        return
    check_included(function, sources.names, None)
    if isinstance(function, Function):
        _check_handler_in_sources(function, contents_of_entries(sources.entries, set()), project)


def _check_manifests(function: Layer, project: Path) -> None:
    """Raise `PackageError` for a file of dependencies that is named or found, and of no use."""
    if function.language == "nodejs" and function.requirements != "none":
        find_locks(function, project)
    elif function.language == "python":
        for manifest in find_manifests(function, project):
            check_choices(manifest, function)


def _check_handler_in_sources(function: Function, contents: Contents, project: Path) -> None:
    candidates = _find_candidates(function, str(function.parameters.get("Handler", "")))
    found = _find_file(candidates, contents)
    if found is None:
        is_left_out = _find_in_sources(function, candidates, project) is not None
        comes_later = _has_layers(function) or _has_manifest(function, project, own=is_left_out)
        if candidates and not comes_later:
            _require_compiled(function, candidates, contents, project)
    elif found.endswith(".py"):
        _check_definition(function, found, contents.read(found))
    elif import_check(function):
        _check_export(function, found, contents.read(found))


def _has_manifest(function: Function, project: Path, *, own: bool) -> bool:
    """Return whether dependencies may be installed: a manifest is in a source, or above it.

    With `own`, only whether the project itself may be installed.
    """
    names = _PROJECTS if own else _MANIFESTS
    if function.requirements:
        is_project = Path(function.requirements).name in _PROJECTS
        return function.requirements != "none" and (is_project or not own)
    sources = [project / each.path for each in function.source]
    folders = {folder for source in sources for folder in (source, *source.parents)}
    return any((folder / name).exists() for folder in folders for name in names)


def find_handler_imports(
    function: Function, contents: Contents, layers: Sequence[Contents]
) -> Imports | None:
    """Return what a function's handler imports, or None if that cannot be read from its file."""
    handler = str(function.parameters.get("Handler", ""))
    try:
        found = _find_file(_find_candidates(function, handler), contents)
        return find_imports(function, found, contents, layers) if found else None
    except PackageError:  # a mistake in one of the files, with `check_imports: false`
        return None


def find_imports(
    function: Function, file: str, contents: Contents, layers: Sequence[Contents]
) -> Imports | None:
    """Return what the file of a handler imports, or None for a runtime that is not known."""
    if platform := platform_of(function):
        module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return find_python_imports(module, contents, layers, platform)
    if node := re.match(r"nodejs(\d+)", function.runtime):
        return find_node_imports(file, contents, layers, int(node[1]))
    return None


def _find_file(candidates: Iterable[str], contents: Contents) -> str | None:
    return next((name for name in candidates if name in contents.names), None)


def _has_layers(function: Function) -> bool:
    return bool(function.parameters.get("Layers") or function.layers)


def _find_candidates(function: Function, handler: str) -> list[str]:
    """Return the files that Lambda may load the handler from, the most common first."""
    is_python = platform_of(function) is not None
    if not is_python and not str(function.parameters.get("Runtime", "")).startswith("nodejs"):
        return []
    folder, base = posixpath.split(handler)
    relative = is_python and handler.startswith((".", "/"))  # Python would import a `.app`
    if "." not in base.strip(".") or ".." in handler or relative:
        raise PackageError(
            f"`{function.key}.Handler` is {handler}, which Lambda cannot load.",
            why="It names a file of the archive, without its suffix, and a function in it.",
            fix=f"Set `{function.key}.Handler` to a value such as {_suggest_handler(handler)}.",
        )
    if is_python:
        module = handler.rpartition(".")[0].replace(".", "/")
        return [f"{module}.py", f"{module}/__init__.py"]
    # "app.handlers.create" is in app
    module = posixpath.normpath(posixpath.join(folder, base.partition(".")[0]))
    return [f"{module}{suffix}" for suffix in (".js", ".mjs", ".cjs", "/index.js")]


def _suggest_handler(handler: str) -> str:
    plain = posixpath.normpath(handler).lstrip("./") or "app"
    return plain if "." in posixpath.basename(plain) else f"{plain}.handler"


def _find_in_sources(
    function: Function, candidates: Iterable[str], project: Path
) -> tuple[str, Path] | None:
    """Return the handler's file in a source, if it is there: its name in the archive, and it."""
    found = (
        (name, path)
        for each in function.source
        for name in candidates
        if (path := project / each.path / name).is_file()
    )
    return next(found, None)


def _require_compiled(
    function: Function, candidates: Sequence[str], contents: Contents, project: Path
) -> None:
    """Raise `PackageError` unless a module exists without its source: app.pyc, app.….so."""
    if _has_compiled(candidates[0].removesuffix("py"), contents.names):
        return
    why, fix = _explain_missing(function, candidates, contents, project)
    raise PackageError(
        f"`{function.key}.Handler` is {function.parameters.get('Handler')}, but the archive does "
        f"not contain {candidates[0]}.",
        why=why,
        fix=fix,
    )


def _explain_missing(
    function: Function, candidates: Sequence[str], contents: Contents, project: Path
) -> tuple[str, str]:
    """Return why the archive does not contain the handler's file, and what to do about it."""
    if found := _find_in_sources(function, candidates, project):
        _, left_out = found
        where = f"check {IGNORE_FILE} and `{function.key}.exclude`."
        if function.build:
            why = f"{left_out} is left out, or the commands in `{function.key}.build` removed it."
            return why, f"Check these commands, or {where}"
        why = f"{left_out} is left out, by default or by a pattern."
        return why, f"Add {left_out.name} to `{function.key}.include`, or {where}"
    stem, suffix = posixpath.splitext(candidates[0])
    typescript = next((stem + each for each in _TYPESCRIPT if stem + each in contents.names), "")
    if typescript and suffix != ".py":
        why = f"There is {typescript}, but Lambda does not compile TypeScript."
        return why, f"Compile it to {candidates[0]} with a command in `{function.key}.build`."
    return (
        "Lambda could not load the handler.",
        _suggest_file(function, stem, suffix, contents)
        or f"Change `{function.key}.Handler` or `{function.key}.source`.",
    )


def _suggest_file(function: Function, stem: str, suffix: str, contents: Contents) -> str:
    """Return `Did you mean …?` for a handler whose file is misspelt, or an empty string."""
    handler = str(function.parameters.get("Handler", ""))
    own = (name for name in contents.names - contents.installed if "node_modules/" not in name)
    suffixes = (".py",) if suffix == ".py" else (".js", ".mjs", ".cjs")
    stems = {posixpath.splitext(name)[0] for name in own if name.endswith(suffixes)}
    close = sorted(each for each in stems if suggest(stem, [each]))
    if suffix == ".py":
        name = handler.rpartition(".")[2]
        return suggest(handler, [f"{each.replace('/', '.')}.{name}" for each in close])
    name = posixpath.basename(handler).partition(".")[2]
    return suggest(handler, [f"{each}.{name}" for each in close])


def _has_compiled(module: str, names: Iterable[str]) -> bool:
    return any(name.startswith(module) and name.endswith((".so", ".pyc")) for name in names)


def _check_definition(function: Function, file: str, source: bytes) -> None:
    """Raise `PackageError` if a file does not parse or does not define the handler."""
    handler = str(function.parameters.get("Handler", ""))
    try:
        names = find_names(source)
    except (SyntaxError, ValueError) as error:
        platform = platform_of(function)
        if platform and platform.python_minor > sys.version_info[1]:
            warn_of_newer_syntax(file, error, platform)
            return
        raise PackageError(
            f"{file} is not valid Python: {describe_syntax_error(error)}.",
            why=f"`{function.key}.Handler` is in this file.",
        ) from error
    module, _, name = handler.rpartition(".")
    if names is not None and name not in names:
        raise _undefined(function, f"{file} does not define {name}", module, names)


def _check_export(function: Function, file: str, source: bytes) -> None:
    """Raise `PackageError` if a JavaScript file is certain not to export the handler."""
    folder, base = posixpath.split(str(function.parameters.get("Handler", "")))
    module, _, name = base.partition(".")
    name = name.partition(".")[0]  # app.handlers.create is in what app exports as handlers
    names = find_exports(source.decode(errors="replace"))
    if names is not None and name not in names:
        module = posixpath.join(folder, module)
        raise _undefined(function, f"{file} does not export {name}", module, names)


def _undefined(function: Function, what: str, module: str, names: Iterable[str]) -> PackageError:
    handler = str(function.parameters.get("Handler", ""))
    if handler.endswith(_SUFFIXES):
        suggested = "Write it as `file.function`, without a suffix."
    else:
        suggested = suggest(handler, [f"{module}.{each}" for each in sorted(names)])
    return PackageError(
        f"`{function.key}.Handler` is {handler}, but {what}.",
        why="Lambda could not load the handler.",
        fix=suggested or f"Change `{function.key}.Handler`.",
    )
