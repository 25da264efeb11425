"""The status of a function: its state, the version that callers get, and its URL."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..results import FunctionStatus
from ..ui.output import format_size, print_table
from .attachments.url import get_url
from .clients import Account
from .parameters import Parameters
from .remote_state import get_alias, get_function, get_weights

_HEADER = ("function", "target", "state", "version", "updated (UTC)", "size", "code", "url")

_SHOWN_OF_A_HASH = 12  # characters


def unknown_status(parameters: Parameters, account: Account) -> FunctionStatus:
    """Return what is known of a function before AWS is asked."""
    return FunctionStatus(
        function=parameters.function.name,
        target=account.settings.target,
        function_name=parameters.name,
        account=account.account_id,
        region=account.region,
    )


def read_status(parameters: Parameters, account: Account) -> FunctionStatus:
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
        return unknown_status(parameters, account)
    if qualifier and not alias:  # what callers get is the function itself
        url = get_url(name, {}, account)
    latest = answer["Configuration"]
    served = behind["Configuration"] if behind and alias else latest
    return replace(
        unknown_status(parameters, account),
        state=latest.get("State"),
        last_update_status=latest.get("LastUpdateStatus"),
        reason=latest.get("StateReason") or latest.get("LastUpdateStatusReason") or None,
        alias=alias["Name"] if alias else None,
        version=served["Version"],
        additional_version_weights=get_weights(alias) if alias else {},
        code_sha256=served["CodeSha256"],
        code_size=served["CodeSize"],
        last_modified=served["LastModified"],
        function_url=url["FunctionUrl"] if url else None,
    )


def print_statuses(found: Iterable[tuple[FunctionStatus, str | None]]) -> None:
    """Print a table of statuses on stdout, each with the alias that its settings name."""
    if rows := [_format_row(each, alias) for each, alias in found]:
        print_table(_HEADER, rows, result=True)


def _format_row(found: FunctionStatus, alias: str | None) -> tuple[str, ...]:
    first = (found.function_name, found.target or "")
    if found.state is None:
        return (*first, "not deployed", *["-"] * (len(_HEADER) - len(first) - 1))
    update = found.last_update_status
    update = "" if update in (None, "Successful") else f"update {update}"
    reason = f" ({found.reason})" if found.reason else ""
    weights = found.additional_version_weights.items()
    others = "".join(f", {share:.0%} {version}" for version, share in weights)
    behind = f"no alias {alias}, " if alias and not found.alias else f"{found.alias or ''} "
    return (
        *first,
        ", ".join(filter(None, [found.state, update])) + reason,
        f"{behind}{found.version}{others}".strip(),
        (found.last_modified or "").partition(".")[0].replace("T", " "),
        format_size(found.code_size or 0),
        (found.code_sha256 or "")[:_SHOWN_OF_A_HASH],
        found.function_url or "-",
    )
