"""The tags of a function; AWS's own, `aws:*`, are left alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..clients import Account
from ..diff import Change
from ..iam_actions import CHANGING, READING, REMOVING, need
from ..parameters import Parameters
from .attachment import Attachment, AttachmentUpdate, Call


class TaggedResource(NamedTuple):
    """The ARN and the tags of a resource."""

    arn: str
    tags: Mapping[str, str]


def diff_tags(
    prefix: str, wanted: Mapping[str, str], found: TaggedResource
) -> tuple[tuple[Change, ...], tuple[Call, ...]]:
    """Return the changes that replace all tags of a resource, and the calls for them."""
    added = {name: value for name, value in wanted.items() if found.tags.get(name) != value}
    removed = [name for name in found.tags if name not in wanted and not _is_of_aws(name)]
    changes = tuple(
        Change(key=f"{prefix}.{name}", before=found.tags.get(name), after=wanted.get(name))
        for name in (*added, *removed)
    )
    calls = []
    if added:
        parameters: dict[str, Any] = {"Resource": found.arn, "Tags": added}
        calls.append(Call(operation="tag_resource", parameters=parameters))
    if removed:
        parameters = {"Resource": found.arn, "TagKeys": removed}
        calls.append(Call(operation="untag_resource", parameters=parameters))
    return changes, tuple(calls)


def _read_tags(
    parameters: Parameters, account: Account, function: Mapping[str, Any]
) -> TaggedResource:
    """Return the tags in GetFunction's answer.

    It has none, too, if ListTags is not allowed: where settings name tags, that is an error.
    """
    arn = function["Configuration"].get("FunctionArn", "")
    if "Tags" in function or "TagsError" in function or not _is_named(parameters):
        return TaggedResource(arn, function.get("Tags", {}))
    return TaggedResource(arn, account.client("lambda").list_tags(Resource=arn)["Tags"])


def _is_named(parameters: Parameters) -> bool:
    return "Tags" in parameters.create or "Tags" in parameters.function.removed


def _diff_function_tags(
    parameters: Parameters, found: TaggedResource | None
) -> Iterator[AttachmentUpdate]:
    if found is None:  # CreateFunction takes them
        return
    changes, calls = diff_tags("Tags", parameters.create.get("Tags", {}), found)
    if changes:
        unnamed = not _is_named(parameters)
        yield AttachmentUpdate(changes=changes, calls=calls, after_alias=False, unnamed=unnamed)


def _export_tags(found: TaggedResource, attached: Mapping[str, Any]) -> dict[str, Any]:
    tags = {name: value for name, value in found.tags.items() if not _is_of_aws(name)}
    return {"Tags": tags}


def _is_of_aws(name: str) -> bool:
    return name.startswith("aws:")


ATTACHMENTS = (
    Attachment(
        order=2,
        key="Tags",
        is_configured=lambda parameters: "Tags" in parameters.create,
        read=_read_tags,
        in_function=True,
        diff=_diff_function_tags,
        export=_export_tags,
        actions=(
            need("lambda:ListTags", tasks=READING),
            need("lambda:TagResource", tasks=CHANGING),
            need("lambda:UntagResource", tasks=REMOVING),
        ),
    ),
)
