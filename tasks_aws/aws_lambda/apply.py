"""Carrying out a plan: in the order that AWS demands, with a wait after each change.

Configuration goes before code, since a wrong role or layer is refused at once and an upload
takes long. Each change names the revision that it is based on, so that nobody's is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from ..errors import FunctionError
from ..ui.progress import ProgressLine
from . import versions
from .attachments import AttachmentUpdate, Call
from .clients import Account
from .diff import diff_values
from .error_messages import failed_state
from .plan import Plan
from .remote_state import normalize_configuration, wait_until_settled
from .retry import (
    CONFLICT_PATIENCE_SECONDS,
    error_code,
    exists_already,
    is_busy,
    is_conflict,
    is_stale,
    patiently,
    role_not_ready,
)
from .upload import get_upload_client, upload_code

_ROLE_PATIENCE_SECONDS = 120
_BUSY_PATIENCE_SECONDS = 60


class AlreadyExistsError(Exception):
    """What was to be created is there: since the plan, or by a request whose answer was lost."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Options:
    """How a plan is carried out."""

    force: bool = False  # upload in any case, and overwrite what others changed meanwhile
    prune: bool = False  # remove event source mappings that the settings do not name
    commit: str | None = None
    stop: threading.Event = field(default_factory=threading.Event)  # set by Ctrl-C


def apply(plan: Plan, account: Account, options: Options, progress: ProgressLine) -> str | None:
    """Bring a function to what the plan says; return the version that the alias has now.

    Raises `FunctionError` with AWS's reason, and `AlreadyExistsError`.
    """
    parameters = plan.parameters
    function, name = parameters.function, parameters.name
    before_alias = [each for each in plan.attachments if not each.after_alias]
    after_alias = [each for each in plan.attachments if each.after_alias]
    changed = plan.remote is None or bool(plan.configuration) or plan.code
    revision = None
    if plan.remote is None:
        revision = _create(plan, account, progress)
    elif changed:
        revision = _update(plan, account, options, progress)
    _make(before_alias, account, name)
    version = None
    if function.alias and plan.alias:
        version = versions.publish(
            parameters, plan.archive, account, revision=revision, commit=options.commit
        )
        versions.smoke_test(parameters, version, account)
        versions.move_alias(parameters, version, account, commit=options.commit, stop=options.stop)
    elif changed:
        versions.smoke_test(parameters, "$LATEST", account)
    _make(after_alias, account, name)
    if version and function.keep_versions:
        old = versions.superfluous(name, account, keep=function.keep_versions)
        versions.delete_versions(name, old, account)
    return version


def _create(plan: Plan, account: Account, progress: ProgressLine) -> str:
    name, client = plan.parameters.name, get_upload_client(plan.archive, account)
    parameters = {
        **plan.parameters.create,
        "FunctionName": name,
        "Code": {**plan.parameters.create.get("Code", {}), **upload_code(plan, account, progress)},
    }
    try:
        patiently(
            lambda: client.create_function(**parameters),
            role_not_ready,
            subject=name,
            seconds=_ROLE_PATIENCE_SECONDS,
        )
    except ClientError as error:
        if exists_already(error):
            raise AlreadyExistsError from error
        raise
    return _revision_when_settled(name, account)


def _update(plan: Plan, account: Account, options: Options, progress: ProgressLine) -> str:
    assert plan.remote is not None  # noqa: S101  # the caller's condition
    name, client = plan.parameters.name, account.client("lambda")
    uploading = get_upload_client(plan.archive, account)
    revision = str(plan.remote.configuration["RevisionId"])
    # What S3 refuses is refused before anything has changed.
    code = {**plan.parameters.code, **upload_code(plan, account, progress)} if plan.code else {}
    if plan.configuration:
        _change(
            lambda: client.update_function_configuration(
                FunctionName=name, **_guard(revision, options), **plan.configuration
            ),
            lambda now: (
                not any(
                    any(diff_values(key, value, now.get(key)))
                    for key, value in plan.configuration.items()
                )
            ),
            name,
            account,
        )
        revision = _revision_when_settled(name, account)
    if plan.code:
        _change(
            lambda: uploading.update_function_code(
                FunctionName=name, **_guard(revision, options), **code
            ),
            lambda now: bool(plan.archive and now["CodeSha256"] == plan.archive.code_sha256),
            name,
            account,
        )
        revision = _revision_when_settled(name, account)
    return revision


def _guard(revision: str, options: Options) -> dict[str, str]:
    return {} if options.force else {"RevisionId": revision}


def _change(
    call: Callable[[], object],
    is_done: Callable[[Mapping[str, Any]], bool],
    name: str,
    account: Account,
) -> None:
    """Make a change, waiting for others' changes to end.

    A revision that is stale may be so by this very change: the answer was lost, and the SDK made
    the request again.
    """
    try:
        patiently(
            call,
            lambda error: is_conflict(error) or role_not_ready(error),
            subject=name,
            seconds=CONFLICT_PATIENCE_SECONDS,
            between=lambda: wait_until_settled(name, account),
        )
    except ClientError as error:
        found = wait_until_settled(name, account) if is_stale(error) else None
        if not (found and is_done(normalize_configuration(found))):
            raise


def _revision_when_settled(name: str, account: Account) -> str:
    found = wait_until_settled(name, account)
    if found is None:
        raise FunctionError(f"{name} is gone: somebody deleted it.", fix="Run this again.")
    configuration = found["Configuration"]
    if "Failed" in (configuration.get("State"), configuration.get("LastUpdateStatus")):
        raise failed_state(name, configuration)
    return str(configuration["RevisionId"])


def _make(updates: list[AttachmentUpdate], account: Account, name: str) -> None:
    """Make the calls that update attachments."""
    for update in updates:
        for call in update.calls:
            try:
                patiently(
                    lambda call=call: _made(call, account),  # type: ignore[misc]
                    lambda error: is_busy(error) or is_conflict(error) or role_not_ready(error),
                    subject=name,
                    seconds=_BUSY_PATIENCE_SECONDS,
                )
            except ClientError as error:
                if error_code(error) in call.done_already:
                    continue
                if exists_already(error):
                    raise AlreadyExistsError from error
                raise


def _made(call: Call, account: Account) -> object:
    return getattr(account.client(call.service), call.operation)(**call.parameters)
