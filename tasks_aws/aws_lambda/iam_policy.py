"""IAM policies with the least that tasks need, from the tables beside the calls."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..config.functions import Function, Layer
from . import (
    apply,
    canary,
    destroy,
    images,
    invocation,
    layer_permissions,
    layers,
    logs,
    lookups,
    remote_state,
    upload,
    versions,
)
from .attachments import ALIASES, ATTACHMENTS, Attachment, url
from .iam_actions import UNKNOWN, Need, Scope, Subject, TaskName
from .parameters import split_parameters

Policy = Mapping[str, Any]

# "IAM and AWS STS quotas", IAM user guide: characters of a managed policy, without whitespace.
MANAGED_POLICY_MAXIMUM = 6144
_ROOM = 4  # for the number of a part in its Sid
_LONGEST_SID = 64  # of our own: IAM has no limit of its own

_OF_FUNCTIONS = (
    *(apply, canary, destroy, images, invocation, logs, remote_state, upload, url, versions),
)
_OF_LAYERS = (layer_permissions, layers, upload)


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One action that is needed, on what, for which function or layer, and because of what."""

    action: str
    scope: Scope
    name: str  # of the function or layer
    setting: str  # its full key

    @property
    def is_vague(self) -> bool:
        """Return whether a reference that only AWS can resolve is part of what it is for."""
        return any(UNKNOWN in each for each in (*self.scope.resources, *self.scope.values))


# The tasks that are about what no setting names, too.
_LOOKING_AROUND: set[TaskName] = {"plan", "deploy --prune", "init"}


def list_permissions(
    described: Layer, subject: Subject, tasks: Iterable[TaskName]
) -> Iterator[Permission]:
    """Yield what tasks need for a function or layer.

    `subject` has it, too, with `UNKNOWN` for what only AWS can tell.
    """
    wanted = {*tasks}
    for setting, need in _list_needs(described, wanted):
        scope = need.scope(subject) if wanted & {*need.tasks} else None
        if scope and scope.resources:
            for action in need.actions:
                yield Permission(action=action, scope=scope, name=described.name, setting=setting)


def all_needs() -> Iterator[Need]:
    """Yield what functions and layers may need, except for the references in their settings."""
    for module in dict.fromkeys((*_OF_FUNCTIONS, *_OF_LAYERS)):
        yield from module.ACTIONS
    for attachment in ATTACHMENTS:
        yield from attachment.actions


def _list_needs(described: Layer, tasks: set[TaskName]) -> Iterator[tuple[str, Need]]:
    """Yield the needs of the settings that a function or layer has, with their full keys."""
    for module in _OF_FUNCTIONS if isinstance(described, Function) else _OF_LAYERS:
        for need in module.ACTIONS:
            if need.is_needed(described):
                yield ".".join([described.key, *need.settings[-1:]]), need
    yield from lookups.reference_needs(described)
    if not isinstance(described, Function):
        return
    parameters = split_parameters(described)
    for attachment in ATTACHMENTS:
        configured = attachment.is_named(parameters)
        # What is attached to an alias is looked for, and goes with it.
        with_alias = attachment.qualified and ALIASES in described.removed
        elsewhere = [remote_state.ELSEWHERE] if attachment.qualified else []
        for need in (*attachment.actions, *elsewhere):
            if not need.is_needed(described):
                continue
            if configured:
                for key in _keys_there(attachment, described):
                    yield f"{described.key}.{key}", need
            elif with_alias and "deploy --prune" in need.tasks:
                yield f"{described.key}.{ALIASES}", need
            elif tasks & _LOOKING_AROUND & {*need.tasks}:
                yield described.key, need


def _keys_there(attachment: Attachment, function: Function) -> list[str]:
    """Return the settings for which a function has an attachment: its own, and what implies it.

    Of several keys of its own, the first one stands for all.
    """
    named = [each for each in attachment.keys if _has(function, each)][:1]
    return [
        *named,
        *(each for each in attachment.implied_by if _has(function, each)),
    ] or attachment.keys[:1]


def _has(function: Function, key: str) -> bool:
    return (
        key in function.parameters or key in function.removed or bool(getattr(function, key, None))
    )


def make_policies(permissions: Iterable[Permission]) -> list[Policy]:
    """Return the permissions as policies, each short enough for a managed policy."""
    policies: list[list[Policy]] = []
    for statement in _split(_make_statements(permissions)):
        fitting = (each for each in policies if _excess([*each, statement]) <= 0)
        found = next(fitting, None)
        if found is None:
            policies.append([statement])
        else:
            found.append(statement)
    return [_document(each) for each in policies]


def _document(statements: Sequence[Policy]) -> Policy:
    return {"Version": "2012-10-17", "Statement": [*statements]}


def _excess(statements: Sequence[Policy]) -> int:
    """Return by how many characters a policy with these statements is too long."""
    text = json.dumps(_document(statements), separators=(",", ":"))
    return len(re.sub(r"\s", "", text)) - MANAGED_POLICY_MAXIMUM


def _make_statements(permissions: Iterable[Permission]) -> list[Policy]:
    """Return as few statements as there are different sets of actions for each purpose."""
    actions: dict[Scope, set[str]] = {}
    names: dict[Scope, list[str]] = {}
    for each in permissions:
        actions.setdefault(each.scope, set()).add(each.action)
        names.setdefault(each.scope, []).append(each.name)
    merged: dict[tuple[Any, ...], list[Scope]] = {}
    for scope, allowed in actions.items():
        # What has a condition differs in its values, the rest in its resources.
        fixed = (scope.resources, scope.operator, scope.key) if scope.key else ()
        merged.setdefault((scope.purpose, fixed, tuple(sorted(allowed))), []).append(scope)
    purposes = [purpose for purpose, _, _ in merged]
    statements: dict[str, Policy] = {}
    for (purpose, _, allowed), scopes in merged.items():
        of = [name for scope in scopes for name in names[scope]]
        sid = purpose if purposes.count(purpose) == 1 else _make_sid(purpose, of)
        sid = _unique(sid, statements)
        statements[sid] = _make_statement(sid, allowed, scopes)
    return [*statements.values()]


def _make_statement(sid: str, actions: Sequence[str], scopes: Sequence[Scope]) -> Policy:
    first = scopes[0]
    resources = dict.fromkeys(arn for scope in scopes for arn in scope.shown)
    values = dict.fromkeys(each.replace(UNKNOWN, "*") for scope in scopes for each in scope.values)
    condition = {"Condition": {first.operator: {first.key: [*values]}}} if first.key else {}
    allowed = {"Sid": sid, "Effect": "Allow", "Action": [*actions], "Resource": [*resources]}
    return {**allowed, **condition}


def _make_sid(purpose: str, names: Iterable[str]) -> str:
    """Return a purpose with the names that it is for, if they are few.

    >>> _make_sid("Functions", ["hello-world", "bye"]), _make_sid("Functions", map(str, range(99)))
    ('FunctionsHelloWorldBye', 'Functions')
    """
    words = [word for name in dict.fromkeys(names) for word in re.split(r"[_-]+", name)]
    sid = purpose + "".join(word[:1].upper() + word[1:] for word in words)
    return sid if len(sid) <= _LONGEST_SID else purpose


def _unique(sid: str, used: Iterable[str]) -> str:
    numbered = (f"{sid}{number}" for number in range(2, 10_000))
    return sid if sid not in used else next(each for each in numbered if each not in used)


def _split(statements: Sequence[Policy]) -> Iterator[Policy]:
    """Yield statements, in parts those that are too long for a policy of their own."""
    used = {str(each["Sid"]) for each in statements}
    for statement in statements:
        for number, part in enumerate(_fill(statement)):
            sid = _unique(statement["Sid"], used) if number else statement["Sid"]
            used.add(sid)
            yield {**part, "Sid": sid}


def _fill(statement: Policy) -> Iterator[Policy]:
    """Yield a statement in parts, each with as many of its ARNs as a policy has room for."""
    while _excess([statement]) > -_ROOM:
        arns, make = _divisible(statement)
        fitting = bisect_left(
            range(1, len(arns)), True, key=lambda n: _excess([make(arns[:n])]) > -_ROOM
        )
        if not fitting:  # one ARN alone is too long: IAM will say so
            break
        yield make(arns[:fitting])
        statement = make(arns[fitting:])
    yield statement


def _divisible(statement: Policy) -> tuple[list[str], Callable[[list[str]], Policy]]:
    """Return the longer list of ARNs in a statement, and what makes one with others in place."""
    resources: list[str] = statement["Resource"]
    conditions = [
        (operator, key, values)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ]
    if conditions and len(conditions[0][2]) > len(resources):
        operator, key, values = conditions[0]
        return values, lambda part: {**statement, "Condition": {operator: {key: part}}}
    return resources, lambda part: {**statement, "Resource": part}
