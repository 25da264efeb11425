"""`${…}` in settings: values from elsewhere, such as ``${env:STAGE}`` or ``${ssm:/db/url}``.

Some are known here, and put in while the settings are read. Others only AWS knows: a text with
one of those stays `Pending` until there are credentials; see `tasks_aws.aws_lambda.lookups`.
What a reference gives is not searched for references again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import SettingsError
from ..secret import Secret
from ..ui.output import suggest
from .git import commit

# What follows each name: the first group says what is meant; the second is a default, the key
# of a secret that is JSON, or the output of a stack.
_LOCAL = {
    "env": r":([A-Za-z_]\w*)(?::-(.*))?",
    "git": r":(sha)",
    "target": r"()(?::-(.*))?",
}
_OF_AWS = {
    "account_id": r"()",
    "region": r"()",
    "ssm": r":([\w.:/-]+)",
    "secret": r":([\w/+=.@:!-]+)(?:#(.+))?",
    "cfn": r":([A-Za-z][A-Za-z0-9-]*)\.(\w+)",
}
_FORMS = {
    "env": "${env:NAME} or ${env:NAME:-default}",
    "git": "${git:sha}",
    "target": "${target} or ${target:-default}",
    "account_id": "${account_id}",
    "region": "${region}",
    "ssm": "${ssm:/name}",
    "secret": "${secret:name} or ${secret:name#key}",
    "cfn": "${cfn:Stack.Output}",
}
_LITERAL = "To mean the text itself, write `$${` for `${`."


class Reference(NamedTuple):
    """One ``${kind:name}``; `more` is the second half of the name, or a default."""

    kind: str
    name: str
    more: str | None
    written: str

    def __str__(self) -> str:
        return self.written


class Pending(str):
    """A text with references that only AWS knows; as a text, it is what was written."""

    parts: tuple[str | Reference, ...]


class Given(str):
    """A text that one reference gave: where the API wants a number, it may stand for one."""

    __slots__ = ()


class Local:
    """The values that are known without AWS."""

    def __init__(self, project: Path, target: str | None, environ: Mapping[str, str]) -> None:
        self._project = project
        self._target = target
        self._environ = environ

    def read(self, value: Any, key: str, *, later: bool = False) -> Any:
        """Return a setting with the values that are known in all its texts.

        What only AWS knows is left `Pending` where it may come `later`, and refused elsewhere.
        Raises `SettingsError`.
        """

        def put_in(written: str, key: str) -> str:
            if "${" not in written:
                return written
            parts = [
                self._find(part, key)
                if isinstance(part, Reference) and part.kind in _LOCAL
                else part
                for part in _parts(written, key)
            ]
            early = next((part for part in parts if isinstance(part, Reference)), None)
            if early is None:
                return _joined([part for part in parts if isinstance(part, str)])
            if not later:
                raise SettingsError(
                    f"`{key}` holds {early}, which only AWS knows.",
                    why="This setting is needed before there are credentials, or without any.",
                    fix="Write the value, or take it from a variable: ${env:NAME}.",
                )
            pending = Pending(written)
            pending.parts = tuple(parts)
            return pending

        try:
            return _each_text(value, key, put_in)
        except RecursionError as error:
            raise SettingsError(
                f"`{key}` is nested too deeply.",
                why="It may hold itself: in YAML, an alias may stand within what it names.",
                fix="Write it out.",
            ) from error

    @cached_property
    def _commit(self) -> str | None:
        return commit(self._project)

    def _find(self, reference: Reference, key: str) -> str:
        if reference.kind == "git":
            found, fix = self._commit, f"Commit something: git knows no commit of {self._project}."
        elif reference.kind == "target":
            found, fix = self._target, "Give --target, or a default: ${target:-dev}."
        else:
            found = self._environ.get(reference.name)
            fix = f"Set {reference.name}, or give a default: ${{env:{reference.name}:-default}}."
        if not found and reference.more is not None:  # as in a shell, empty is missing
            return reference.more
        if found is None:
            raise SettingsError(f"`{key}` holds {reference}, which has no value.", fix=fix)
        return found


def filled(value: Any, key: str, find: Callable[[Reference, str], str]) -> Any:
    """Return a setting with what `find` gives for each pending reference and its full key.

    A text in which there is a `Secret` is one as a whole.
    """

    def put_in(text: str, key: str) -> str:
        if not isinstance(text, Pending):
            return text
        return _joined([part if isinstance(part, str) else find(part, key) for part in text.parts])

    return _each_text(value, key, put_in)


def _each_text(value: Any, key: str, change: Callable[[str, str], str]) -> Any:
    """Return a setting with every text in it changed, but for the names in mappings."""
    if isinstance(value, str):
        return change(value, key)
    if isinstance(value, Mapping):
        return {name: _each_text(each, f"{key}.{name}", change) for name, each in value.items()}
    if isinstance(value, list | tuple):
        found = [_each_text(each, f"{key}[{index}]", change) for index, each in enumerate(value)]
        return tuple(found) if isinstance(value, tuple) else found
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        return replace(value, **_each_text(parts, key, change))
    return value


def _joined(parts: list[str]) -> str:
    if any(isinstance(part, Secret) for part in parts):
        return Secret("".join(parts))
    return Given(parts[0]) if len(parts) == 1 else "".join(parts)


def _parts(text: str, key: str) -> list[str | Reference]:
    """Split a text into what is meant literally and references."""
    parts: list[str | Reference] = []
    end = 0
    for match in re.finditer(r"\$\$\{|\$\{([^{}]*)(\}?)", text):
        parts.append(text[end : match.start()])
        end = match.end()
        if match[0] == "$${":
            parts.append("${")
        elif match[2]:
            parts.append(_reference(match[1], key))
        else:
            raise SettingsError(
                f"`{key}` has a `${{` without its `}}`.",
                why="A reference ends with the next brace; there can be none within another.",
                fix=f"Close it. {_LITERAL}",
            )
    parts.append(text[end:])
    return [part for part in parts if part != ""]


def _reference(inner: str, key: str) -> Reference:
    written, kind = f"${{{inner}}}", inner.partition(":")[0]
    pattern = {**_LOCAL, **_OF_AWS}.get(kind)
    if pattern is None:
        of_a_shell = f"Did you mean `${{env:{inner}}}`?" if inner.isidentifier() else ""
        known = f"Known are: {', '.join(_FORMS.values())}."
        hint = suggest(kind, list(_FORMS)) or of_a_shell or known
        raise SettingsError(
            f"`{key}` holds {written}, which is no reference of tasks-aws.",
            fix=f"{hint} {_LITERAL}",
        )
    match = re.fullmatch(pattern, inner[len(kind) :], re.ASCII | re.DOTALL)
    if not match:
        raise SettingsError(
            f"`{key}` holds {written}, which says too little or too much.",
            fix=f"Write {_FORMS[kind]}. {_LITERAL}",
        )
    name, more = (*match.groups(), None)[:2]
    return Reference(kind, str(name), more, written)
