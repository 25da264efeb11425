"""Removing cached sessions: what `forget` does."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import CredentialsError
from ..ui.in_order import print_line
from ..ui.output import count, say, suggest
from .cache.entries import Entry, SessionCache


def forget_sessions(cache: SessionCache, *, role_arn: str | None, dry: bool) -> None:
    """Remove the sessions that we have written, or only those of one role.

    What cannot be removed stops nothing, and is an error at the end. Raises `CredentialsError`.
    """
    entries = cache.entries()
    chosen = [entry for entry in entries if role_arn in (None, entry.name)]
    ours = [entry for entry in chosen if entry.ours]
    if role_arn is not None and not chosen:
        raise CredentialsError(
            f"There is no cached session of {role_arn}.",
            fix=suggest(role_arn, [entry.name for entry in entries if entry.ours])
            or "`sessions` lists all that there are.",
        )
    if not ours:
        others = ": the AWS CLI has stored those that there are" if chosen else ""
        say("forget", f"nothing to remove{others}")
    if dry:
        for entry in ours:
            say("forget", f"would remove {entry.subject}")
    else:
        _remove(ours, cache)


def _remove(entries: Sequence[Entry], cache: SessionCache) -> None:
    failed = []
    for entry in entries:
        try:
            cache.remove(entry.key)
        except CredentialsError as error:
            failed.append((entry, error))
        else:
            say("forget", entry.subject)
    if len(failed) == 1:
        raise failed[0][1]
    for entry, refusal in failed:
        print_line(f"{entry.subject}: {refusal}")
    if failed:
        raise CredentialsError(
            f"{len(failed)} of {count(len(entries), 'session')} could not be removed."
        )
