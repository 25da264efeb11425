"""The status of a function: its state, the version that callers get, and its URL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ..ui.output import format_size
from .attachments.url import get_url
from .clients import Account
from .parameters import Parameters
from .remote_state import get_alias, get_function, get_weights

HEADER = ("function", "state", "version", "updated (UTC)", "size", "code", "url")

_SHOWN_OF_A_HASH = 12  # characters


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Status:
    """The state of a function and of the version behind its alias; all None: not deployed."""

    name: str
    alias: str | None = None  # of the settings, if it exists
    version: str | None = None  # that callers get: the alias's, if there is one
    weights: Mapping[str, float] = field(default_factory=dict)  # the traffic of other versions
    state: str | None = None
    update: str | None = None  # Lambda's LastUpdateStatus; a new function has none
    reason: str | None = None
    code_sha256: str | None = None  # base64; this and the next two are of `version`
    code_size: int | None = None  # bytes, zipped
    last_modified: str | None = None
    url: str | None = None


def read_status(parameters: Parameters, account: Account) -> Status:
    """Read the status of a function with calls that are all made at once."""
    name, qualifier = parameters.name, parameters.function.alias
    with account.at_once(
        lambda: get_function(name, account),
        lambda: qualifier and get_function(name, account, qualifier=qualifier),
        lambda: qualifier and get_alias(name, qualifier, account),
        lambda: get_url(name, parameters.qualifier, account),
    ) as reading:
        answer, behind, alias, url = (each.result() for each in reading)
    if answer is None:
        return Status(name=name)
    if qualifier and not alias:  # what callers get is the function itself
        url = get_url(name, {}, account)
    latest = answer["Configuration"]
    served = behind["Configuration"] if behind and alias else latest
    return Status(
        name=name,
        alias=alias["Name"] if alias else None,
        version=served["Version"],
        weights=get_weights(alias) if alias else {},
        state=latest.get("State"),
        update=latest.get("LastUpdateStatus"),
        reason=latest.get("StateReason") or latest.get("LastUpdateStatusReason") or None,
        code_sha256=served["CodeSha256"],
        code_size=served["CodeSize"],
        last_modified=served["LastModified"],
        url=url["FunctionUrl"] if url else None,
    )


def format_row(found: Status) -> tuple[str, ...]:
    """Return the cells below `HEADER`."""
    if found.state is None:
        return (found.name, "not deployed", *["-"] * (len(HEADER) - 2))
    update = "" if found.update in (None, "Successful") else f"update {found.update}"
    reason = f" ({found.reason})" if found.reason else ""
    others = "".join(f", {share:.0%} {version}" for version, share in found.weights.items())
    return (
        found.name,
        ", ".join(filter(None, [found.state, update])) + reason,
        f"{found.alias or ''} {found.version}{others}".strip(),
        (found.last_modified or "").partition(".")[0].replace("T", " "),
        format_size(found.code_size or 0),
        (found.code_sha256 or "")[:_SHOWN_OF_A_HASH],
        found.url or "-",
    )


def format_json(statuses: Iterable[Status]) -> str:
    """Return a JSON list with the Lambda API's names."""
    return json.dumps(
        [
            {
                "FunctionName": found.name,
                "State": found.state,
                "LastUpdateStatus": found.update,
                "Reason": found.reason,
                "Alias": found.alias,
                "Version": found.version,
                "AdditionalVersionWeights": dict(found.weights),
                "CodeSha256": found.code_sha256,
                "CodeSize": found.code_size,
                "LastModified": found.last_modified,
                "FunctionUrl": found.url,
            }
            for found in statuses
        ],
        indent=2,
    )
