"""What a Python handler imports, and what of that Lambda would not find.

Only what is certain counts as missing: an import statement that runs whenever the handler is
imported, in a file of the project, before anything has changed where Python looks for modules.
"""

from __future__ import annotations

import ast
import re
import symtable
import sys
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import decode_source
from itertools import accumulate
from typing import NamedTuple

from ...errors import PackageError
from ...ui.output import warn
from ..contents import Contents
from ..imports import Imports, MissingImport
from .platforms import Platform

# Modules that minor versions of Python 3 added to the standard library, and those that they
# removed ("What's New in Python", 3.10 to 3.14).
_ADDED = {
    11: {"tomllib"},
    14: {"annotationlib", "compression"},
}
_REMOVED = {
    10: {"_bootlocale", "formatter", "parser", "symbol"},
    11: {"binhex"},
    12: {"asynchat", "asyncore", "distutils", "imp", "smtpd"},
    13: {
        *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap"),
        *("msilib", "nis", "nntplib", "ossaudiodev", "pipes", "sndhdr", "spwd", "sunau"),
        *("telnetlib", "uu", "xdrlib"),
    },
}
_NEWEST_KNOWN = 14

# "The Lambda Python runtimes include the AWS SDK for Python (Boto3) and its dependencies" (Lambda
# Developer Guide), and what the runtime itself needs.
SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
_IN_RUNTIME = {
    *SDK,
    *("awslambdaric", "pip", "simplejson", "snapshot_restore_py"),
}
_IN_OLD_RUNTIMES = {"pkg_resources", "setuptools"}  # up to Python 3.11, which has them itself

_DEEPEST = 100  # a longer chain of imports could exceed Python's limit on recursion

# After these, nobody can tell where modules come from.
_SEARCH = {"meta_path", "path", "path_hooks", "path_importer_cache"}  # of `sys`
_HOOKS = {"__path__", "addsitedir", "extend_path", "pyximport", "zipimport"}
_changes_search = re.compile(rb"\bsys\s*\.\s*(path|meta_path|path_hooks)\b|\baddsitedir\b").search


def find_python_imports(
    handler: str, contents: Contents, layers: Sequence[Contents], platform: Platform
) -> Imports:
    """Return what the module with the handler imports, such as ``pkg.app``.

    `layers` are those whose contents are known. Raises `PackageError` for a file that it imports
    and that this Python cannot parse, if this Python is at least as new as the function's.
    """
    finder = _Finder(contents, layers, platform)
    finder.start(handler)
    return Imports(
        files=tuple(finder.files), packages=frozenset(finder.packages), missing=(*finder.missing,)
    )


def parse(source: bytes) -> ast.Module:
    """Parse a module without printing what Python has to say about its style."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def describe_syntax_error(error: Exception) -> str:
    """Return a syntax error in words, with its line."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"line {error.lineno}: {error.msg}"
    return str(error)


@cache
def _warn(text: str) -> None:
    warn(text)


def warn_of_newer_syntax(file: str, error: Exception, platform: Platform) -> None:
    """Say once that a file may or may not be valid for the function's newer Python."""
    _warn(
        f"{file} is not valid for Python {sys.version_info[0]}.{sys.version_info[1]}, which runs "
        f"invoke: {describe_syntax_error(error)}. Whether Python {platform.python} accepts it was "
        "not checked, nor what it imports."
    )


def find_names(source: bytes) -> set[str] | None:
    """Return the names that a module defines, or None if it may define others, too."""
    tree = parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                return None
            case ast.Name(id="globals" | "vars" | "locals" | "setattr" | "exec" | "eval"):
                return None
            case ast.Attribute(attr="modules" | "__dict__"):
                return None
            case ast.FunctionDef(name="__getattr__"):
                return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = symtable.symtable(decode_source(source), "<handler>", "exec")
    return {*_find_globals(table)}


def _find_globals(table: symtable.SymbolTable) -> Iterator[str]:
    for symbol in table.get_symbols():
        bound = symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace()
        if bound and (table.get_type() == "module" or symbol.is_declared_global()):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _find_globals(child)


class _Module(NamedTuple):
    """Where a module is, if its source is to be read; a namespace is only a folder."""

    contents: Contents
    file: str = ""
    own: bool = False  # its file is one of the project's
    is_package: bool = False
    is_namespace: bool = False


class _Place(NamedTuple):
    """The module in which an import statement is."""

    name: str
    file: str
    is_package: bool


class _Finder:
    """Follows imports in the order in which Python would run them."""

    def __init__(self, contents: Contents, layers: Sequence[Contents], platform: Platform) -> None:
        library = f"python/lib/python{platform.python}/site-packages/"
        self._roots = [(contents, "")]
        self._roots += [(layer, prefix) for layer in layers for prefix in ("python/", library)]
        tag = f".cpython-{platform.python.replace('.', '')}-{platform.machine}-linux-gnu.so"
        self._suffixes = (".py", tag, ".abi3.so", ".so", ".pyc")
        self._platform = platform
        self._standard = _standard_library(platform.python_minor)
        self._provided = {*self._standard, *_IN_RUNTIME}
        if platform.python_minor < 12:
            self._provided |= _IN_OLD_RUNTIMES
        self._doubt = False  # something has changed where Python looks for modules
        self._depth = 0
        self._bound: dict[str, set[str]] = {}  # by file: the names that it may define
        self._foreign: dict[str, _Module] = {}  # modules of others that have been imported
        self.files: dict[str, bool] = {}  # whether it is certain that they are imported
        self.packages: set[str] = set()
        self.missing: list[MissingImport] = []

    def start(self, handler: str) -> None:
        """Import the handler's module, and before it the packages that it is in."""
        for name in accumulate(handler.split("."), lambda parent, child: f"{parent}.{child}"):
            found = self._find(name)
            if found and found.file and (found.own or name == handler):
                self._follow(name, found, certain=True)

    def _find(self, name: str) -> _Module | None:
        return self._find_file(name) or self._find_namespace(name)

    def _find_file(self, name: str) -> _Module | None:
        path = name.replace(".", "/")
        for contents, prefix in self._roots:
            for stem in (f"{prefix}{path}/__init__", f"{prefix}{path}"):
                for suffix in self._suffixes:
                    if (file := stem + suffix) in contents.names:
                        own = not prefix and suffix == ".py" and file not in contents.installed
                        source = file if suffix == ".py" else ""
                        return _Module(contents, source, own, stem.endswith("/__init__"))
            parents = accumulate(path.split("/"), lambda above, child: f"{above}/{child}")
            if any(prefix + each in contents.names for each in parents):
                return _Module(contents)  # a link to a folder: what is in it has other names
        return None

    def _find_namespace(self, name: str) -> _Module | None:
        path = name.replace(".", "/")
        for contents, prefix in self._roots:
            if prefix + path in contents.folders:
                return _Module(contents, is_namespace=True)
        return None

    def _follow(self, name: str, module: _Module, *, certain: bool) -> None:
        """Read a file, and again if it was not certain before that it is imported."""
        certain = certain and not self._doubt
        known = self.files.get(module.file)
        if known is not None and known >= certain:
            return
        self.files[module.file] = certain
        try:
            tree = parse(module.contents.read(module.file))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if certain and self._platform.python_minor <= sys.version_info[1]:
                raise PackageError(
                    f"{module.file} is not valid Python: {describe_syntax_error(error)}.",
                    why="The handler imports this file.",
                ) from error
            if certain:
                warn_of_newer_syntax(module.file, error, self._platform)
            self._doubt = True
            return
        self._bound[module.file] = {*_names_bound_in(tree)}
        place = _Place(name, module.file, module.is_package)
        if self._depth == _DEEPEST:
            self._doubt = True
            return
        self._depth += 1
        self._run(tree.body, place, certain=certain)
        self._depth -= 1

    def _run(self, body: Sequence[ast.stmt], place: _Place, *, certain: bool) -> None:
        for node in body:
            self._doubt = self._doubt or any(map(_makes_doubtful, ast.walk(node)))
            match node:
                case ast.Import() | ast.ImportFrom():
                    self._import(node, place, certain=certain)
                case ast.ClassDef():
                    self._run(node.body, place, certain=certain)
                case ast.Try(handlers=[]):
                    self._run([*node.body, *node.finalbody], place, certain=certain)
                case ast.If(test=ast.Name(id=name) | ast.Attribute(attr=name)) if (
                    name == "TYPE_CHECKING"
                ):
                    self._run(node.orelse, place, certain=False)
                case ast.Raise():
                    return
                case _:
                    for inner in ast.walk(node):
                        if isinstance(inner, ast.Import | ast.ImportFrom):
                            self._import(inner, place, certain=False)

    def _import(self, node: ast.Import | ast.ImportFrom, place: _Place, *, certain: bool) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                self._import_module(alias.name, node.lineno, place, certain=certain)
            return
        base = _absolute(node, place)
        if base is None:
            self._miss("." * node.level + (node.module or ""), node.lineno, place, certain=certain)
            return
        package = self._import_module(base, node.lineno, place, certain=certain)
        if package is None:
            return
        for alias in node.names:
            name = f"{base}.{alias.name}"
            found = self._find(name)
            if found is None and package.own and not self._may_define(package, alias.name):
                self._miss(name, node.lineno, place, certain=certain)
            if found and found.own:
                submodule = alias.name not in self._bound.get(package.file, ())
                self._follow(name, found, certain=certain and submodule)
            elif package.is_namespace and not found and alias.name != "*":
                self._miss(name, node.lineno, place, certain=certain)

    def _may_define(self, module: _Module, name: str) -> bool:
        """Return whether a module of the project may have a name."""
        if name == "*" or name.startswith("__"):
            return True
        try:
            names = find_names(module.contents.read(module.file))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return True
        return names is None or name in names

    def _import_module(
        self, name: str, line: int, place: _Place, *, certain: bool
    ) -> _Module | None:
        """Import a module, and the packages that it is in.

        Return where it is; None for one of the runtime, and for one that nobody can find.
        """
        top = name.partition(".")[0]
        found = self._find_file(top) if top in self._provided else None
        if top in self._provided and not (found and found.own):
            self.packages |= {top} - self._standard
            return None
        certain = certain and top not in self._provided  # a module of the project may hide it
        above: _Module | None = None
        for each in accumulate(name.split("."), lambda parent, child: f"{parent}.{child}"):
            found = self._find(each)
            if found is None:
                if above is None or above.own or above.is_namespace:
                    self._miss(each, line, place, certain=certain)
                return None  # a package of others may make modules as it likes
            if found.own:
                self._follow(each, found, certain=certain)
            elif not found.is_namespace:
                self.packages.add(top)
                self._foreign[each] = found
            above = found
        return above

    def _miss(self, name: str, line: int, place: _Place, *, certain: bool) -> None:
        if not certain or self._doubt or name in {each.name for each in self.missing}:
            return
        if name == "distutils" and "setuptools" in self._foreign:
            return  # it brings its own
        if self._is_hidden(name.partition(".")[0]) and self._has_search_changed():
            return
        self.missing.append(MissingImport(place.file, line, name))

    def _is_hidden(self, name: str) -> bool:
        """Return whether a module may be in a folder where Python does not look, or in a zip."""
        return any(
            any(each.endswith((f"/{name}.py", ".zip")) for each in contents.names)
            or any(each.endswith(f"/{name}") for each in contents.folders)
            for contents, _ in self._roots
        )

    def _has_search_changed(self) -> bool:
        """Return whether a module of others may have changed where Python looks."""
        return any(
            module.file and _changes_search(module.contents.read(module.file))
            for module in self._foreign.values()
        )


def _absolute(node: ast.ImportFrom, place: _Place) -> str | None:
    """Return the absolute name of the module from which names are imported, if it has one."""
    if not node.level:
        return node.module
    words = place.name.split(".")
    above = words[: max(0, len(words) - node.level + place.is_package)]
    return ".".join([*above, node.module] if node.module else above) if above else None


def _names_bound_in(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name):
                yield name
            case ast.alias(name=name, asname=alias):
                yield alias or name


def _makes_doubtful(node: ast.AST) -> bool:
    """Return whether a node may change where Python looks for modules."""
    match node:
        case ast.Attribute(value=ast.Name(id="sys"), attr=name):
            return name in _SEARCH
        case ast.Subscript(value=ast.Attribute(attr="modules"), ctx=ast.Store() | ast.Del()):
            return True
        case ast.Call(
            func=ast.Attribute(value=ast.Attribute(attr="modules"), attr="setdefault" | "update")
        ):
            return True
        case ast.Assign(value=ast.Attribute(value=ast.Name(id="sys"), attr="modules")):
            return True
        case ast.ImportFrom(module="sys", names=names):
            return any(each.name in {*_SEARCH, "modules", "*"} for each in names)
        case ast.Name(id="exec"):
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name in _HOOKS
        case ast.alias(name=name, asname=alias):
            return name in _HOOKS or (name == "sys" and alias not in (None, "sys"))
    return False


def _standard_library(minor: int) -> set[str]:
    """Return the modules of the standard library of Python 3.x; this Python may be another."""
    known = {"__main__", *sys.stdlib_module_names}.union(*_ADDED.values(), *_REMOVED.values())
    if minor > max(_NEWEST_KNOWN, sys.version_info[1]):
        return known
    gone = [names for since, names in _REMOVED.items() if since <= minor]
    return known.difference(*gone, *(names for since, names in _ADDED.items() if since > minor))
