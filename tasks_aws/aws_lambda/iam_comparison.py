"""What others' policies allow, compared with what is needed.

Sources: IAM user guide, "Policy evaluation logic" and "IAM JSON policy elements reference". What
the policies alone do not decide is `UNDECIDED`, and never taken for allowed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, NamedTuple

from .iam_actions import UNKNOWN
from .iam_policy import Permission


class Finding(Enum):
    """What differs."""

    MISSING = "missing"
    UNDECIDED = "cannot tell"
    WIDER = "wider than needed"
    SUPERFLUOUS = "superfluous"


class Difference(NamedTuple):
    """An action on a resource that is allowed and not needed, or the other way round."""

    finding: Finding
    action: str
    resource: str


class _Needed(NamedTuple):
    action: str
    resource: str
    operator: str
    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """A statement of somebody's policy; lists also where the policy has one value."""

    allows: bool
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    all_but_actions: bool = False  # the actions are those of NotAction
    all_but_resources: bool = False
    condition: Mapping[str, Mapping[str, Any]] | None = None

    def is_about(self, action: str) -> bool:
        """Return whether it is about an action."""
        named = any(_covers(each.lower(), action.lower()) for each in self.actions)
        return named is not self.all_but_actions

    def contains(self, resource: str) -> bool | None:
        """Return whether it is about all that a pattern stands for; None: about a part of it."""
        arns = [_complete(each) for each in self.resources]
        if any("${" in each for each in arns):  # a variable, whose value each request has
            return None
        if any(_covers_arn(each, resource) for each in arns):
            return not self.all_but_resources
        if any(_may_meet(each, resource) for each in arns):
            return None
        return self.all_but_resources

    def holds_for(self, needed: _Needed) -> bool:
        """Return whether its condition is known to be true of what is needed."""
        for operator, keys in (self.condition or {}).items():
            for key, given in keys.items():
                if operator not in _OPERATORS or key.lower() != needed.key.lower():
                    return False
                if not all(_is_among(each, _tuple(given), operator) for each in needed.values):
                    return False
        return True


def parse_statements(document: Any) -> list[Statement]:
    """Return the statements of a policy. Raises `ValueError` for what is none of a role."""
    given = document.get("Statement") if isinstance(document, Mapping) else None
    found = [given] if isinstance(given, Mapping) else given
    if not isinstance(found, list) or not all(isinstance(each, Mapping) for each in found):
        raise ValueError("It has no `Statement`.")
    return [_parse_statement(each) for each in found]


def _parse_statement(given: Mapping[str, Any]) -> Statement:
    if "Principal" in given or "NotPrincipal" in given:
        raise ValueError("It has a `Principal`, so it is not a policy of a role.")
    if given.get("Effect") not in ("Allow", "Deny"):
        raise ValueError("A statement has no `Effect`, which is Allow or Deny.")
    for kind in ("Action", "Resource"):
        if (kind in given) == (f"Not{kind}" in given):
            raise ValueError(f"A statement has neither `{kind}` nor `Not{kind}`, or both.")
    condition = given.get("Condition") or {}
    if not isinstance(condition, Mapping) or not all(
        isinstance(each, Mapping) for each in condition.values()
    ):
        raise ValueError("A `Condition` is not a mapping of mappings.")
    return Statement(
        allows=given["Effect"] == "Allow",
        actions=_tuple(given.get("Action", given.get("NotAction"))),
        resources=_tuple(given.get("Resource", given.get("NotResource"))),
        all_but_actions="NotAction" in given,
        all_but_resources="NotResource" in given,
        condition=condition,
    )


def _tuple(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list | tuple) else (str(value),)


def compare(
    permissions: Iterable[Permission],
    statements: Sequence[Statement],
    boundary: Sequence[Statement] | None = None,
) -> list[Difference]:
    """Return what is needed and not allowed, and what is allowed and not needed.

    A permissions boundary has to allow everything, too.
    """
    needed = [*dict.fromkeys(_list_needed(permissions))]
    layers = [statements] if boundary is None else [statements, boundary]
    differences = [
        Difference(finding, each.action, each.resource)
        for each in needed
        if (finding := _judge(each, layers))
    ]
    return [*dict.fromkeys([*differences, *_list_unneeded(needed, statements)])]


def _list_needed(permissions: Iterable[Permission]) -> Iterator[_Needed]:
    for each in permissions:
        scope = each.scope
        values = tuple(value.replace(UNKNOWN, "*") for value in scope.values)
        for resource in scope.shown:
            yield _Needed(each.action, resource, scope.operator, scope.key, values)


def _judge(needed: _Needed, layers: Sequence[Sequence[Statement]]) -> Finding | None:
    """Return what keeps something from being allowed by all layers of policies."""
    verdicts = {_judge_by(needed, each) for each in layers}
    return next((each for each in (Finding.MISSING, Finding.UNDECIDED) if each in verdicts), None)


def _judge_by(needed: _Needed, statements: Iterable[Statement]) -> Finding | None:
    allowed: set[bool | None] = set()
    denied: set[bool | None] = set()
    for each in statements:
        if not each.is_about(needed.action):
            continue
        contains = each.contains(needed.resource)
        if each.allows:
            allowed.add(contains and (each.holds_for(needed) or None))
        else:
            denied.add(None if contains and each.condition else contains)
    if True in denied or not allowed - {False}:
        return Finding.MISSING
    return Finding.UNDECIDED if None in denied or True not in allowed else None


def _list_unneeded(
    needed: Iterable[_Needed], statements: Iterable[Statement]
) -> Iterator[Difference]:
    by_action: dict[str, list[_Needed]] = defaultdict(list)
    for each in needed:
        by_action[each.action.lower()].append(each)
    for statement in statements:
        if not statement.allows:
            continue
        for action in statement.actions:
            used = [
                each
                for name, of_action in by_action.items()
                if _covers(action.lower(), name)
                for each in of_action
            ]
            for resource in statement.resources:
                if finding := _judge_allowed(statement, action, _complete(resource), used):
                    named = f"all but {action}" if statement.all_but_actions else action
                    where = f"all but {resource}" if statement.all_but_resources else resource
                    yield Difference(finding, named, where)


def _judge_allowed(
    statement: Statement, action: str, resource: str, used: Iterable[_Needed]
) -> Finding | None:
    """Return how what is allowed goes beyond what is needed of the same actions."""
    if statement.all_but_actions or statement.all_but_resources:
        return Finding.WIDER
    met = [each for each in used if _may_meet(resource, each.resource)]
    if not met:
        return Finding.SUPERFLUOUS
    keys = {key.lower() for each in (statement.condition or {}).values() for key in each}
    exact = any(
        _covers_arn(each.resource, resource) and (not each.key or each.key.lower() in keys)
        for each in met
    )
    return None if exact and not _has_wildcards(action) else Finding.WIDER


def _complete(arn: str) -> str:
    """Return an ARN with `*` for the parts that it lacks, as IAM reads it.

    >>> _complete("arn:aws:sqs"), _complete("*")
    ('arn:aws:sqs:*:*:*', '*')
    """
    missing = 5 - arn.count(":")
    return arn + ":*" * missing if arn.startswith("arn:") else arn


def _covers_arn(pattern: str, arn: str) -> bool:
    """Return whether a pattern stands for all that another one, or an ARN, stands for.

    >>> _covers_arn("arn:aws:s3:::b*", "arn:aws:s3:::bucket/*"), _covers_arn("arn:aws:s3:::b", "*")
    (True, False)
    """
    if "*" in (pattern, arn):
        return pattern == "*"
    parts, others = pattern.split(":", 5), arn.split(":", 5)
    return len(parts) == len(others) and all(map(_covers, parts, others))


def _may_meet(one: str, other: str) -> bool:
    """Return whether two patterns may have an ARN in common; it is not always known.

    >>> _may_meet("arn:aws:s3:::a*", "arn:aws:s3:::*z"), _may_meet("arn:aws:s3:::a", "*")
    (True, True)
    >>> _may_meet("arn:aws:s3:::a*", "arn:aws:s3:::b*")
    False
    """
    if "*" in (one, other):
        return True
    parts, others = one.split(":", 5), other.split(":", 5)
    return len(parts) == len(others) and all(map(_may_be_equal, parts, others))


def _may_be_equal(one: str, other: str) -> bool:
    if not _has_wildcards(one):
        return _covers(other, one)
    if not _has_wildcards(other):
        return _covers(one, other)
    starts = [re.split(r"[*?]", each)[0] for each in (one, other)]
    ends = [re.split(r"[*?]", each)[-1] for each in (one, other)]
    shorter, longer = sorted(starts, key=len)
    first, last = sorted(ends, key=len)
    return longer.startswith(shorter) and last.endswith(first)


def _has_wildcards(text: str) -> bool:
    return "*" in text or "?" in text


def _covers(pattern: str, text: str) -> bool:
    """Return whether a pattern matches a text, which may be a pattern itself."""
    return bool(_compile(pattern).fullmatch(text))


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    parts = {"*": ".*", "?": "[^*]"}
    return re.compile("".join(parts.get(each) or re.escape(each) for each in pattern), re.DOTALL)


def _is_among(value: str, given: Sequence[str], operator: str) -> bool:
    """Return whether a condition that lists values, or patterns, is true of a value."""
    compare = _OPERATORS[operator]
    return any(compare(each, value) for each in given if "${" not in each)


def _equals(literal: str, value: str) -> bool:
    return literal == value and not _has_wildcards(value)


_OPERATORS = {
    "ArnLike": _covers_arn,
    "ArnEquals": _covers_arn,
    "StringLike": _covers,
    "StringEquals": _equals,
}
