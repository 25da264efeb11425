"""What the file of a Node.js handler exports, if that is certain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .imports import LARGEST_BYTES, Token, split

_DECLARING = ("const", "let", "var", "function", "class")


class _UnclearError(Exception):
    """A file may export other names than those that can be read in it."""


def find_exports(source: str) -> set[str] | None:
    """Return the names that a file exports, or None if that is not certain, or if there are none.

    It is not certain for most bundles: they copy names from one object to another.
    """
    if len(source) > LARGEST_BYTES:
        return None
    tokens = [*split(source), Token("other", "", 0, 0)]
    if len(tokens) > 1 and tokens[-2].kind == "end":
        return None
    is_es_module = any(map(_is_export, tokens))
    find_names = _find_in_es_module if is_es_module else _find_in_common_module
    try:
        return {*find_names(tokens)} or None
    except (_UnclearError, IndexError):
        return None


def _is_export(token: Token) -> bool:
    return token.kind == "word" and token.text == "export" and not token.depth


def _find_in_es_module(tokens: Sequence[Token]) -> Iterator[str]:
    for i, token in enumerate(tokens):
        if not _is_export(token) or tokens[i - 1].text == ".":
            continue
        i += 1
        if tokens[i].text == "default":
            yield "default"
        elif tokens[i].text == "{":
            yield from _find_listed(tokens, i)
        else:
            yield _find_declared(tokens, i)


def _find_listed(tokens: Sequence[Token], start: int) -> Iterator[str]:
    """Yield the names of `export { a, b as c }`."""
    for token, after in zip(tokens[start + 1 :], tokens[start + 2 :], strict=False):
        if token.text == "}":
            return
        if token.kind == "word" and after.text in (",", "}"):
            yield token.text
        elif token.kind != "word" and token.text != ",":
            raise _UnclearError
    raise _UnclearError


def _find_declared(tokens: Sequence[Token], i: int) -> str:
    """Return the name of `export const a = …`, `export async function a` and the like."""
    if tokens[i].text == "async":
        i += 1
    kind = tokens[i].text
    i += 1 + (kind == "function" and tokens[i + 1].text == "*")
    if kind not in _DECLARING or tokens[i].kind != "word":
        raise _UnclearError
    if kind in ("const", "let", "var"):
        for token in tokens[i:]:
            if token.text == ";" or _is_export(token):
                break
            if token.text == "," and not token.depth:
                raise _UnclearError  # another name
    return tokens[i].text


def _find_in_common_module(tokens: Sequence[Token]) -> Iterator[str]:
    for i, token in enumerate(tokens):
        if token.kind != "word" or (i and tokens[i - 1].text == "."):
            continue
        if token.text in ("eval", "this", "Function"):
            raise _UnclearError  # `this` is `exports` outside of functions
        if token.text == "module":
            if [each.text for each in tokens[i + 1 : i + 3]] != [".", "exports"]:
                raise _UnclearError
            if tokens[i + 3].text == "=":
                yield from _find_keys(tokens, i + 4)
            else:
                yield from _find_assigned(tokens, i + 2)
        elif token.text == "exports":
            yield from _find_assigned(tokens, i)


def _find_assigned(tokens: Sequence[Token], i: int) -> Iterator[str]:
    """Yield the name of `exports.x = …`, where `exports` is a token."""
    if tokens[i + 1].text == "." and tokens[i + 2].kind == "word":
        if tokens[i + 3].text == "=":
            yield tokens[i + 2].text
    elif not _marks_es_module(tokens, i):
        raise _UnclearError


def _marks_es_module(tokens: Sequence[Token], i: int) -> bool:
    """Return whether this is `Object.defineProperty(exports, "__esModule", …)`, as tsc has it."""
    before = [each.text for each in tokens[max(0, i - 4) : i]]
    after = [each.text.strip("\"'") for each in tokens[i + 1 : i + 3]]
    return before == ["Object", ".", "defineProperty", "("] and after == [",", "__esModule"]


def _find_keys(tokens: Sequence[Token], start: int) -> Iterator[str]:
    """Yield the keys of `module.exports = { a, b: … }`."""
    depth = tokens[start].depth
    if tokens[start].text != "{":
        raise _UnclearError
    is_key = True
    for token, after in zip(tokens[start + 1 :], tokens[start + 2 :], strict=False):
        if token.depth == depth:
            if after.text in (";", "") or after.line > token.line:
                return
            raise _UnclearError  # the object is part of an expression
        if token.depth == depth + 1 and token.text == ",":
            is_key = True
        elif is_key and token.text != "async":
            if token.kind not in ("word", "string") or after.text not in (",", ":", "(", "}"):
                raise _UnclearError
            yield token.text.strip("\"'")
            is_key = False
    raise _UnclearError
