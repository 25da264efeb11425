"""What a Node.js handler imports, and what of that Lambda would not find.

There is no parser of JavaScript here: the text is split into tokens, and only statements outside
of all brackets that can mean nothing else count as certain. A file that cannot be split counts
as one that imports nothing.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import NamedTuple

from ..contents import Contents
from ..imports import Imports, MissingImport
from .entry_points import find_broken_entry, lacks

# `module.builtinModules`; those that came later have only names that start with "node:".
_BUILT_IN = {
    *("assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants"),
    *("crypto", "dgram", "diagnostics_channel", "dns", "domain", "events", "fs", "http", "http2"),
    *("https", "inspector", "module", "net", "os", "path", "perf_hooks", "process", "punycode"),
    *("querystring", "readline", "repl", "stream", "string_decoder", "sys", "timers", "tls"),
    *("trace_events", "tty", "url", "util", "v8", "vm", "wasi", "worker_threads", "zlib"),
}
# Node.js 18 and later bring version 3 of the AWS SDK, earlier ones version 2 (Lambda Developer
# Guide). The packages that it needs are beside it, and these may change.
_SDK_SCOPES = {"@aws", "@aws-crypto", "@aws-sdk", "@smithy"}
_BESIDE_SDK = {"bowser", "fast-xml-parser", "strnum", "tslib", "uuid"}
_FIRST_WITH_SDK_3 = 18

_SUFFIXES = ("", ".js", ".json", ".node", ".mjs", ".cjs")
_FOLLOWED = (".js", ".mjs", ".cjs")
LARGEST_BYTES = 512 << 10  # larger files are bundles, which contain what they need

_BUILD = "Build it first."

# After these, nobody can tell where modules come from.
_changes_search = re.compile(
    r"module\.paths|_resolveFilename|_initPaths|_nodeModulePaths|NODE_PATH|registerHooks|"
    r"module\.register|module-alias|app-module-path|tsconfig-paths|require\.extensions|Module\._"
).search

_token = re.compile(
    r"""(?P<space>\s+|//[^\n]*|/\*.*?\*/|\A\#![^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    |(?P<template>`(?:[^`\\$]|\\.|\$(?!\{))*(?:`|(?P<inner>\$\{)))
    |(?P<word>[\w$\#]+)
    |(?P<other>[()\[\]{};,.:@/]|[=!<>&|?+*%^~-]+)""",
    re.VERBOSE | re.DOTALL,
).match
_rest_of_template = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(?:`|(?P<inner>\$\{))", re.DOTALL).match
_regular_expression = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*").match
_BEFORE_EXPRESSION = {"return", "typeof", "case", "in", "of", "delete", "void", "throw", "await"}
_PAIRS = {")": "(", "]": "[", "}": "{"}
_WRAPPERS = {"__importDefault", "__importStar", "__exportStar", "__toESM"}  # of tsc and esbuild


class _Missing(NamedTuple):
    """What `MissingImport` says, without where."""

    name: str
    problem: str = ""
    fix: str = ""


class Token(NamedTuple):
    """A piece of JavaScript, where it is, and how deep in brackets."""

    kind: str
    text: str
    line: int
    depth: int  # the number of open brackets


class _Statement(NamedTuple):
    specifier: str
    line: int
    certain: bool


def find_node_imports(
    handler: str, contents: Contents, layers: Sequence[Contents], version: int
) -> Imports:
    """Return what the file with the handler imports, such as ``lib/app.js``.

    `layers` are those whose contents are known, `version` is the major version of Node.js.
    """
    finder = _Finder(contents, layers, version)
    finder.follow(handler)
    return Imports(
        files=tuple(finder.files),
        packages=frozenset(finder.packages),
        missing=() if finder.doubt else tuple(finder.missing.values()),
    )


class _Finder:
    def __init__(self, contents: Contents, layers: Sequence[Contents], version: int) -> None:
        self._contents = contents
        self._layers = layers
        self._version = version
        self._name = ""  # of the project's own package, which may import itself
        if "package.json" in contents.names:
            with suppress(ValueError, AttributeError):
                self._name = str(json.loads(contents.read("package.json")).get("name"))
        self.doubt = ".pnp.cjs" in contents.names
        self.files: dict[str, bool] = {}  # whether it is certain that they are imported
        self.packages: set[str] = set()
        self.missing: dict[str, MissingImport] = {}

    def follow(self, handler: str) -> None:
        """Read the handler's file and those of the project that it imports."""
        waiting = [(handler, True)]
        while waiting:
            file, certain = waiting.pop(0)
            known = self.files.get(file)
            if known is not None and known >= certain:
                continue
            self.files[file] = certain
            source = self._contents.read(file).decode(errors="replace")
            self.doubt = self.doubt or bool(_changes_search(source))
            for each in _find_statements(source):
                waiting += self._import(file, each._replace(certain=certain and each.certain))

    def _import(self, file: str, statement: _Statement) -> list[tuple[str, bool]]:
        """Look for one module; return the project's own file, if it is one."""
        name = statement.specifier.partition("?")[0]
        if not name or name.startswith(("/", "#")) or ":" in name:
            return []
        if name.split("/")[0] in (".", ".."):
            missing, found = self._find_path(file, statement.specifier)
        else:
            missing, found = self._find_package(file, name)
        if missing and statement.certain:
            self.missing.setdefault(missing.name, MissingImport(file, statement.line, *missing))
        if found and found.endswith(_FOLLOWED) and "node_modules/" not in found:
            return [(found, statement.certain)]
        return []

    def _find_path(self, file: str, specifier: str) -> tuple[_Missing | None, str | None]:
        """Return what is missing, or the file of a relative path."""
        relative = specifier.partition("?")[0]
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), relative))
        found = self._find_file(path)
        if found is None and not path.startswith(".."):
            fix = f"{specifier} has to be in the function's `source`, or written by its `build`."
            return _Missing(specifier, fix=fix), None
        if found == "":
            return self._find_broken(self._contents, path, specifier, by_path=True), None
        return None, found

    def _find_file(self, path: str) -> str | None:
        """Return the file of a path, or an empty string if it exists but is not to be followed."""
        names = self._contents.names
        for stem in (path, f"{path}/index"):
            for suffix in _SUFFIXES:
                if stem + suffix in names and (suffix or stem == path):
                    return stem + suffix
        parents = accumulate(path.split("/"), lambda above, child: f"{above}/{child}")
        linked = any(each in names for each in parents)
        return "" if linked or f"{path}/package.json" in names or path == "." else None

    def _find_package(self, file: str, name: str) -> tuple[_Missing | None, str | None]:
        """Return what is missing, or the file of a package, if it is one of the project's own."""
        words = name.split("/")
        package = "/".join(words[: 2 if name.startswith("@") else 1])
        if words[0] in _BUILT_IN:
            return None, None
        folder = file
        while folder:
            folder = folder.rpartition("/")[0]
            path = posixpath.join(folder, "node_modules", package)
            if self._has(self._contents, path):
                self.packages.add(package)
                return self._find_in_package(self._contents, path, package, name), None
        own = self._find_file(name)  # /var/task is in NODE_PATH, too
        if own is not None or package == self._name:
            return None, own
        if layer := self._find_in_layer(package):
            self.packages.add(package)
            return self._find_in_package(*layer, package, name), None
        if self._is_in_runtime(package):
            self.packages.add(package)
            return None, None
        return _Missing(package), None

    def _find_in_layer(self, package: str) -> tuple[Contents, str] | None:
        folders = ("nodejs", f"nodejs/node{self._version}")
        paths = [f"{folder}/node_modules/{package}" for folder in folders]
        places = ((layer, path) for layer in self._layers for path in paths)
        return next((place for place in places if self._has(*place)), None)

    def _find_in_package(
        self, contents: Contents, path: str, package: str, name: str
    ) -> _Missing | None:
        """Return what is missing of a package that is there."""
        inside = name.removeprefix(package).strip("/")
        if not inside:
            return self._find_broken(contents, path, package, by_path=False)
        if lacks(contents, path, inside):
            return _Missing(name, f"{package} has no {inside} in the archive", _BUILD)
        return None

    def _find_broken(
        self, contents: Contents, path: str, name: str, *, by_path: bool
    ) -> _Missing | None:
        broken = find_broken_entry(contents, path, version=self._version, by_path=by_path)
        return _Missing(name, f"{name} has {broken}", _BUILD) if broken else None

    def _is_in_runtime(self, package: str) -> bool:
        if self._version < _FIRST_WITH_SDK_3:
            return package == "aws-sdk"
        return package.split("/")[0] in _SDK_SCOPES or package in _BESIDE_SDK

    @staticmethod
    def _has(contents: Contents, path: str) -> bool:
        links = accumulate(path.split("/"), lambda above, child: f"{above}/{child}")
        files = (path + suffix for suffix in _SUFFIXES)
        return path in contents.folders or any(each in contents.names for each in (*links, *files))


def _find_statements(source: str) -> Iterator[_Statement]:
    """Yield what a file imports, whether or not that is certain to happen."""
    if len(source) > LARGEST_BYTES:
        return
    tokens = list(split(source))
    if not tokens or tokens[-1].kind == "end":
        return
    ends: set[int] = set()  # indexes of the brackets that close a certain call of `require`
    ended = False  # by `return` or `throw`
    for i, token in enumerate(tokens):
        if token.kind != "word" or (i and tokens[i - 1].text == "."):
            continue
        texts = [each.text for each in tokens[i + 1 : i + 4]]
        if token.text in ("return", "throw") and not token.depth:
            ended = True
        elif token.text in ("require", "import") and texts[:1] == ["("]:
            if len(texts) == 3 and tokens[i + 2].kind == "string" and texts[2] == ")":
                certain = token.text == "require" and not ended and _is_certain(tokens, i, ends)
                if certain:
                    ends.add(i + 3)
                yield _Statement(texts[1][1:-1], token.line, certain)
        elif token.text in ("import", "export") and not token.depth:
            yield _Statement(_find_from(tokens, i), token.line, certain=True)


def _find_from(tokens: list[Token], start: int) -> str:
    """Return the module of `import … from "x"`, `import "x"` or `export … from "x"`, if any."""
    for before, token in zip(tokens[start:], tokens[start + 1 :], strict=False):
        if token.kind == "string":
            return token.text[1:-1] if before.text in ("from", "import") else ""
        if token.kind != "word" and token.text not in ("{", "}", ",", "*"):
            return ""
    return ""


def _is_certain(tokens: list[Token], i: int, ends: set[int]) -> bool:
    """Return whether a call of `require` is a statement of its own, or the value of one."""
    i -= 1
    if i >= 1 and tokens[i].text == "(" and tokens[i - 1].text in _WRAPPERS:
        i -= 2
        if i >= 1 and tokens[i].text == ".":  # tslib_1.__importStar
            i -= 2
    if i >= 0 and tokens[i].depth:
        return False
    if i < 0 or tokens[i].text != "=":
        return _starts_statement(tokens, i, ends)
    i -= 1
    if tokens[i].text in ("}", "]"):  # const { a, b } = …
        while i >= 0 and not (tokens[i].text in ("{", "[") and not tokens[i].depth):
            i -= 1
        i -= 1
    else:
        while i >= 2 and tokens[i].kind == "word" and tokens[i - 1].text == ".":
            i -= 2
        i -= 1
    if i >= 0 and tokens[i].text in ("const", "let"):
        return True
    if i >= 1 and tokens[i].text == ",":
        return i - 1 in ends
    if i >= 0 and tokens[i].text == "var":
        i -= 1
    return _starts_statement(tokens, i, ends)


def _starts_statement(tokens: list[Token], before: int, ends: set[int]) -> bool:
    """Return whether a statement starts after a token."""
    if before < 0 or tokens[before].text in (";", "}") or before in ends:
        return True
    return tokens[before].kind == "string" and tokens[before].line < tokens[before + 1].line


def split(source: str) -> Iterator[Token]:
    """Yield the tokens of a file without comments; the last is an `end` if it cannot be split."""
    at, line = 0, 1
    opened: list[str] = []
    last = Token("", "", 0, 0)
    while at < len(source):
        found = None
        is_value = last.kind in ("word", "string", "template") or last.text in (")", "]", "}")
        if source[at] == "/" and (not is_value or last.text in _BEFORE_EXPRESSION):
            if source[at : at + 2] not in ("//", "/*"):
                found, kind = _regular_expression(source, at), "template"
        elif source[at] == "}" and opened and opened[-1] == "`":
            opened.pop()
            found, kind = _rest_of_template(source, at + 1), "template"
        if found is None:
            found = _token(source, at)
            kind = str(found.lastgroup) if found else ""
            if found and found["template"]:
                kind = "template"
        if found is None:
            yield Token("end", "", line, 0)
            return
        text = found.group()
        closed = _PAIRS.get(text) if kind == "other" else None
        if closed and (not opened or opened.pop() != closed):
            yield Token("end", "", line, 0)
            return
        if kind != "space":
            last = Token(kind, text, line, len(opened))
            yield last
        if kind == "other" and text in _PAIRS.values():
            opened.append(text)
        elif kind == "template" and found.re.groups and found["inner"]:
            opened.append("`")
            last = Token("other", "(", line, len(opened))
        line += text.count("\n")
        at = found.end()
    if opened:
        yield Token("end", "", line, 0)
