"""References in the settings, such as ``${env:STAGE}`` or ``${ssm:/db/url}``.

Some are resolved while the settings are loaded. Others only AWS can resolve: a string with one of
those stays `Unresolved` until there are credentials, see `tasks_aws.aws_lambda.lookups`. The value
of a reference is not searched for further references.
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
from ..text.masking import join_secret, keep_secret
from ..ui.output import suggest
from .git import read_commit

# Of each kind: the pattern of what follows it, whose groups are `Reference.name` and `more`; how it
# is written; what it stands for, in Markdown.
_LOCAL = {
    "env": (
        r":([A-Za-z_]\w*)(?::-(.*))?",
        ("${env:NAME}", "${env:NAME:-default}"),
        "An environment variable. Without a default it must be set.",
    ),
    "target": (
        r"()(?::-(.*))?",
        ("${target}", "${target:-default}"),
        "The name of the target.",
    ),
    "git": (
        r":(sha)",
        ("${git:sha}",),
        "The commit that is checked out, followed by `-dirty` if tracked files have changed.",
    ),
}
FROM_AWS = {
    "account_id": (r"()", ("${account_id}",), "The account of the credentials."),
    "region": (r"()", ("${region}",), "The region of the credentials."),
    "ssm": (
        r":([\w.:/-]+)",
        ("${ssm:/name}",),
        "A parameter of Systems Manager. A `SecureString` is masked in all output.",
    ),
    "secret": (
        r":([\w/+=.@:!-]+)(?:#(.+))?",
        ("${secret:name}", "${secret:name#key}"),
        "A secret of Secrets Manager, or one key of a secret that is a JSON object. Masked in all "
        "output.",
    ),
    "cfn": (
        r":([A-Za-z][A-Za-z0-9-]*)\.(\w+)",
        ("${cfn:Stack.Output}",),
        "An output of a CloudFormation stack.",
    ),
}
KINDS: Mapping[str, tuple[str, tuple[str, ...], str]] = {**_LOCAL, **FROM_AWS}
# The kinds that stand for what somebody has stored there.
STORED = ("ssm", "secret", "cfn")
_LITERAL = "To write a literal `${`, use `$${`."

# What `init` prints in place of a value. It can be loaded, so that `init --show-values` still runs.
HIDDEN = "${hidden}"


class Reference(NamedTuple):
    """One ``${kind:name}``; `more` is its default, the key of a secret or the output of a stack."""

    kind: str
    name: str
    more: str | None
    written: str

    def __str__(self) -> str:
        return self.written


class Unresolved(str):
    """A string with references that only AWS can resolve; its value is what was written."""

    parts: tuple[str | Reference, ...]


class ReferenceValue(str):
    """The value of a single reference: it may stand for a number where the API wants one."""

    __slots__ = ()


def escape_references(value: Any) -> Any:
    """Return settings that stand for a value from elsewhere, such as AWS, whatever is in it.

    >>> escape_references({"Description": "Hello ${env:TOKEN}"})
    {'Description': 'Hello $${env:TOKEN}'}
    """
    return _map_strings(value, "", lambda text, key: text.replace("${", "$${"))


class UnsetError(SettingsError):
    """A reference has no value here, such as a variable that is not set."""


class NoTargetError(UnsetError):
    """A setting names the target, and none is selected."""


class LocalResolver:
    """Resolves the references whose values are known without AWS."""

    def __init__(self, project: Path, target: str | None, environ: Mapping[str, str]) -> None:
        self.project = project
        self._target = target
        self.environ = environ

    def resolve(self, value: Any, key: str, *, allow_aws: bool = False) -> Any:
        """Return a setting with all references resolved that can be resolved without AWS.

        Strings with others become `Unresolved` with `allow_aws`, and are refused without it.
        Raises `SettingsError`.
        """

        def resolve_string(written: str, key: str) -> str:
            if isinstance(written, Secret):  # of a Python program
                return keep_secret(written)
            if "${" not in written:
                return written
            parts = [
                self._look_up(part, key)
                if isinstance(part, Reference) and part.kind in _LOCAL
                else part
                for part in _split(written, key)
            ]
            from_aws = next((part for part in parts if isinstance(part, Reference)), None)
            if from_aws is None:
                return _join([part for part in parts if isinstance(part, str)])
            if not allow_aws:
                raise SettingsError(
                    f"`{key}` uses {from_aws}, which only AWS can resolve.",
                    why="This setting is needed before there are credentials.",
                    fix="Write the value itself, or use a variable: ${env:NAME}.",
                )
            unresolved = Unresolved(written)
            unresolved.parts = tuple(parts)
            return unresolved

        try:
            return _map_strings(value, key, resolve_string)
        except RecursionError as error:
            raise nested_too_deeply(key) from error

    @cached_property
    def _commit(self) -> str | None:
        return read_commit(self.project, self.environ)

    def _look_up(self, reference: Reference, key: str) -> str:
        if reference.kind == "git":
            found = self._commit
            problem = f"but Git finds no commit in {self.project}"
            fix = "Commit once, or install Git."
        elif reference.kind == "target":
            found = self._target
            problem = "but no target is selected"
            fix = "Pass --target, or give a default: ${target:-dev}."
        else:
            found = self.environ.get(reference.name)
            problem = f"but the variable {reference.name} is not set"
            fix = f"Set {reference.name}, or give a default: ${{env:{reference.name}:-default}}."
        if not found and reference.more is not None:  # as in a shell, empty counts as not set
            return reference.more
        if found is None:
            error = NoTargetError if reference.kind == "target" else UnsetError
            raise error(f"`{key}` uses {reference}, {problem}.", fix=fix)
        return found


def nested_too_deeply(key: str) -> SettingsError:
    """Return the error for a setting that Python cannot walk through."""
    return SettingsError(
        f"`{key}` is nested too deeply.",
        why="It may contain itself: a YAML alias may stand for what it is part of.",
        fix="Write the value out.",
    )


def replace_references(value: Any, key: str, look_up: Callable[[Reference, str], str]) -> Any:
    """Return a setting with what `look_up` returns for each unresolved reference and its full key.

    A string with a `Secret` in it becomes a `Secret` as a whole.
    """

    def replace_in(string: str, key: str) -> str:
        if not isinstance(string, Unresolved):
            return string
        return _join(
            [part if isinstance(part, str) else look_up(part, key) for part in string.parts]
        )

    return _map_strings(value, key, replace_in)


def reject_hidden(value: Any, key: str) -> None:
    """Raise `SettingsError` for a setting whose value `init` did not print."""

    def reject(reference: Reference, key: str) -> str:
        if reference.kind == "hidden":
            raise SettingsError(
                f"`{key}` has no value yet.",
                why=f"{HIDDEN} stands for a value that `init` did not print.",
                fix="Write the value, or a reference to it such as ${ssm:/name}. "
                "`init --show-values` prints it.",
            )
        return ""

    replace_references(value, key, reject)


def _map_strings(value: Any, key: str, change: Callable[[str, str], str]) -> Any:
    """Return a setting with every string in it changed, except the keys of mappings."""
    if isinstance(value, str):
        return change(value, key)
    if isinstance(value, Mapping):
        return {name: _map_strings(each, f"{key}.{name}", change) for name, each in value.items()}
    if isinstance(value, list | tuple):
        found = [_map_strings(each, f"{key}[{index}]", change) for index, each in enumerate(value)]
        return tuple(found) if isinstance(value, tuple) else found
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: getattr(value, each.name) for each in fields(value)}
        return replace(value, **_map_strings(parts, key, change))
    return value


def _join(parts: list[str]) -> str:
    if any(isinstance(part, Secret) for part in parts):
        return join_secret(parts)
    return ReferenceValue(parts[0]) if len(parts) == 1 else "".join(parts)


def _split(string: str, key: str) -> list[str | Reference]:
    """Split a string into literal parts and references."""
    parts: list[str | Reference] = []
    end = 0
    for match in re.finditer(r"\$\$\{|\$\{([^{}]*)(\}?)", string):
        parts.append(string[end : match.start()])
        end = match.end()
        if match[0] == "$${":
            parts.append("${")
        elif match[2]:
            parts.append(parse_reference(match[1], key))
        else:
            raise SettingsError(
                f"`{key}` contains `${{` without a closing `}}`.",
                why="A reference ends at the next brace: references cannot be nested.",
                fix=f"Close it. {_LITERAL}",
            )
    parts.append(string[end:])
    return [part for part in parts if part != ""]


def parse_reference(inner: str, key: str) -> Reference:
    """Return the reference with this between its braces. Raises `SettingsError`."""
    written, name = f"${{{inner}}}", inner.partition(":")[0]
    if written == HIDDEN:
        return Reference("hidden", "", None, written)
    if name not in KINDS:
        like_a_shell = f"Did you mean `${{env:{inner}}}`?" if inner.isidentifier() else ""
        known = ", ".join(form for _, forms, _ in KINDS.values() for form in forms)
        hint = suggest(name, list(KINDS)) or like_a_shell or f"Use one of: {known}."
        raise SettingsError(
            f"`{key}` uses {written}, which is not a known reference.", fix=f"{hint} {_LITERAL}"
        )
    pattern, forms, _ = KINDS[name]
    match = re.fullmatch(pattern, inner[len(name) :], re.ASCII | re.DOTALL)
    if not match:
        raise SettingsError(
            f"`{key}` uses {written}, which is malformed.",
            fix=f"Write {' or '.join(forms)}. {_LITERAL}",
        )
    groups = (*match.groups(), None)
    return Reference(name, str(groups[0]), groups[1], written)
