"""The tags of a function; those of AWS itself, `aws:*`, are left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..clients import Account
from ..diff import Call, Change, Step
from ..parameters import Parameters


class Tagged(NamedTuple):
    """Something that has tags."""

    arn: str
    tags: Mapping[str, str]


def read(
    parameters: Parameters, account: Account, function: Mapping[str, Any] | None
) -> Tagged | None:
    """Return the tags that GetFunction answered: none, if ListTags is not allowed."""
    if function is None or "Tags" not in parameters.create:
        return None
    return Tagged(function["Configuration"]["FunctionArn"], function.get("Tags", {}))


def steps(parameters: Parameters, found: Tagged | None, *, prune: bool) -> Iterator[Step]:
    """Yield what makes the tags those of the settings. A new function is created with them."""
    if found is not None:
        changes, calls = tagging("Tags", parameters.create["Tags"], found)
        if changes:
            yield Step(changes=changes, calls=calls, after_alias=False)


def tagging(
    key: str, wanted: Mapping[str, str], found: Tagged
) -> tuple[tuple[Change, ...], tuple[Call, ...]]:
    """Return the changes, and the calls for them, that replace all tags of something."""
    set_ = {name: text for name, text in wanted.items() if found.tags.get(name) != text}
    removed = [name for name in found.tags if name not in wanted and not name.startswith("aws:")]
    changes = tuple(
        Change(key=f"{key}.{name}", before=found.tags.get(name), after=wanted.get(name))
        for name in (*set_, *removed)
    )
    calls = []
    if set_:
        tag = {"Resource": found.arn, "Tags": set_}
        calls.append(Call(operation="tag_resource", parameters=tag))
    if removed:
        untag = {"Resource": found.arn, "TagKeys": removed}
        calls.append(Call(operation="untag_resource", parameters=untag))
    return changes, tuple(calls)
