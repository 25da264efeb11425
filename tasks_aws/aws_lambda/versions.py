"""Versions and the alias that callers use: publish, try, shift traffic, roll back, prune."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from ..errors import FunctionError
from ..packaging.archive import Archive
from ..secret import holds_secret
from ..ui.output import say
from .canary import shift_slowly
from .clients import Account
from .error_messages import failed_state
from .invocation import Answer, run
from .parameters import Parameters
from .plan import matches_settings
from .remote_state import get_alias, get_weights, normalize_configuration, wait_until_settled
from .retry import (
    CONFLICT_PATIENCE_SECONDS,
    error_code,
    exists_already,
    is_conflict,
    is_stale,
    patiently,
)

# In an alias's description: which version a rollback goes back to. The number before the
# current one may never have served, for instance because its smoke test failed.
_BEFORE = "before it: version "
_ROLLED_BACK = "rolled back from version "


def publish(
    parameters: Parameters,
    archive: Archive | None,
    account: Account,
    *,
    revision: str | None,
    commit: str | None,
) -> str:
    """Publish $LATEST and return the version's number once it is active.

    AWS gives the number of before when nothing has changed since. `revision` guards against
    somebody else's change in between; the commit becomes the version's description.
    """
    name, client = parameters.name, account.client("lambda")
    options = {
        "FunctionName": name,
        **({"CodeSha256": archive.code_sha256} if archive else {}),
        **({"Description": commit} if commit else {}),
    }
    try:
        guard = {"RevisionId": revision} if revision else {}
        answer = patiently(
            lambda: client.publish_version(**options, **guard),
            is_conflict,
            subject=name,
            seconds=CONFLICT_PATIENCE_SECONDS,
            between=lambda: wait_until_settled(name, account),
        )
    except ClientError as error:
        # Publishing changes the revision: this may be the second try after a lost answer.
        now = wait_until_settled(name, account) if is_stale(error) else None
        if not (now and matches_settings(parameters, archive, normalize_configuration(now))):
            raise
        answer = client.publish_version(**options)
    version = str(answer["Version"])
    found = wait_until_settled(name, account, qualifier=version)
    if found and found["Configuration"].get("State") == "Failed":
        raise failed_state(f"{name}, version {version}", found["Configuration"])
    return version


def smoke_test(parameters: Parameters, version: str, account: Account) -> None:
    """Invoke a version and check its answer, if the settings say so. Raises `FunctionError`."""
    smoke, name = parameters.function.smoke, parameters.name
    if smoke is None:
        return
    payload = json.dumps({} if smoke.payload is None else smoke.payload).encode()
    answer = run(name, account, payload=payload, qualifier=version)
    serving = (
        "It serves already: without `alias` there is no version to go back to."
        if version == "$LATEST"
        else "The alias was not moved: what served before still does."
    )
    if answer.error:
        said = "; ".join(filter(None, [answer.payload[:500], answer.log.strip()[-1000:]]))
        raise FunctionError(
            f"{name}, version {version}, failed its smoke test: {answer.error}.",
            why=said,
            fix=f"Correct the function. {serving}",
        )
    if smoke.expect is not None and not _contains(_parsed(answer), smoke.expect):
        expected = "the secret" if holds_secret(smoke.expect) else json.dumps(smoke.expect)
        raise FunctionError(
            f"{name}, version {version}, failed its smoke test.",
            why=f"It answered {answer.payload[:500]}, not {expected}.",
            fix=f"Correct the function, or `{parameters.function.key}.smoke`. {serving}",
        )
    say("smoke", f"{name}  version {version} answers as expected")


def move_alias(
    parameters: Parameters,
    version: str,
    account: Account,
    *,
    commit: str | None,
    stop: threading.Event,
) -> None:
    """Let the alias have a version, all at once or slowly; no other version keeps a weight."""
    name, alias = parameters.name, parameters.function.alias or ""
    client, found = account.client("lambda"), get_alias(name, alias, account)
    if found is None:
        try:
            client.create_alias(
                FunctionName=name, Name=alias, FunctionVersion=version, Description=_of(commit)
            )
            return
        except ClientError as error:
            if not exists_already(error):
                raise
        found = get_alias(name, alias, account) or {}
    before = found["FunctionVersion"]
    if before == version and not get_weights(found):
        return
    revision = found["RevisionId"]
    if parameters.function.canary and before not in (version, "$LATEST"):
        revision = shift_slowly(parameters, before, version, account, revision=revision, stop=stop)
    kept = found.get("Description", "") if before == version else _of(commit, before)
    try:
        client.update_alias(
            FunctionName=name,
            Name=alias,
            FunctionVersion=version,
            RoutingConfig={"AdditionalVersionWeights": {}},
            RevisionId=revision,
            Description=kept,
        )
    except ClientError as error:
        # The alias may have been moved by this very request, whose answer was lost.
        now = get_alias(name, alias, account) if is_stale(error) else None
        if not now or now["FunctionVersion"] != version or get_weights(now):
            raise


@dataclass(frozen=True, slots=True, eq=False)
class Rollback:
    """Which version an alias leaves, and for which."""

    name: str
    alias: str
    version: str
    to: str
    revision: str


def plan_rollback(parameters: Parameters, account: Account, *, to: str | None = None) -> Rollback:
    """Find the version that an alias had before. Raises `FunctionError` if there is none.

    While a canary is out, that is the version which still has the rest of the traffic.
    """
    name, alias = parameters.name, parameters.function.alias
    found = get_alias(name, alias, account) if alias else None
    if alias is None or found is None:
        raise FunctionError(
            f"{name} has no alias{f' {alias}' if alias else ''} to roll back.",
            why="Only an alias can be pointed at another version.",
            fix=f"Set `{parameters.function.key}.alias`, and deploy.",
        )
    current, shifted = found["FunctionVersion"], get_weights(found)
    if shifted and to is None:
        return Rollback(name, alias, ", ".join(shifted), current, found["RevisionId"])
    published = numbers(name, account)
    described = found.get("Description", "")
    recorded = re.search(rf"{_BEFORE}(\d+)", described)
    # After a rollback nobody knows any more which version served before that one.
    before = [] if described.startswith(_ROLLED_BACK) else published
    lower = [number for number in before if number < _number(current)]
    wanted = int(to) if to else int(recorded[1]) if recorded else max(lower, default=None)
    if wanted not in published or str(wanted) == current:
        raise FunctionError(
            f"{name} has no version to go back to from version {current}.",
            why=f"Published are: {', '.join(map(str, published)) or 'none'}.",
            fix="Choose one of these with --to, or deploy what is wanted.",
        )
    return Rollback(name, alias, current, str(wanted), found["RevisionId"])


def roll_back(planned: Rollback, account: Account) -> None:
    """Point the alias at the version that it had before, with all of the traffic."""
    account.client("lambda").update_alias(
        FunctionName=planned.name,
        Name=planned.alias,
        FunctionVersion=planned.to,
        RoutingConfig={"AdditionalVersionWeights": {}},
        RevisionId=planned.revision,
        Description=f"{_ROLLED_BACK}{planned.version}",
    )


def numbers(name: str, account: Account) -> list[int]:
    """Return the numbers of all published versions, the oldest first."""
    pages = account.client("lambda").get_paginator("list_versions_by_function")
    versions = [each for page in pages.paginate(FunctionName=name) for each in page["Versions"]]
    return sorted(int(each["Version"]) for each in versions if each["Version"] != "$LATEST")


def superfluous(name: str, account: Account, *, keep: int) -> list[int]:
    """Return the versions that may go: all but the newest `keep`, and those that an alias uses."""
    pages = account.client("lambda").get_paginator("list_aliases")
    aliases = [alias for page in pages.paginate(FunctionName=name) for alias in page["Aliases"]]
    used = {alias["FunctionVersion"] for alias in aliases}
    used |= {version for alias in aliases for version in get_weights(alias)}
    used |= {
        found[1]
        for alias in aliases
        if (found := re.search(rf"{_BEFORE}(\d+)", alias.get("Description", "")))
    }
    return [number for number in numbers(name, account)[:-keep] if str(number) not in used]


def delete_versions(name: str, found: Iterable[int], account: Account) -> None:
    """Delete versions, but for those that an alias uses by now."""
    client, gone = account.client("lambda"), []
    for number in found:
        try:
            client.delete_function(FunctionName=name, Qualifier=str(number))
            gone.append(number)
        except ClientError as error:
            # An alias has been pointed at it since.
            if error_code(error) != "ResourceConflictException":
                raise
    if gone:
        say("prune", f"{name}  deleted versions {', '.join(map(str, gone))}")


def _of(commit: str | None, before: str | None = None) -> str:
    parts = [commit or "", _BEFORE + before if before else ""]
    return "; ".join(filter(None, parts))


def _number(version: str) -> float:
    return float("inf") if version == "$LATEST" else int(version)


def _parsed(answer: Answer) -> Any:
    try:
        return json.loads(answer.payload)
    except ValueError:
        return answer.payload


def _contains(actual: Any, expected: Any) -> bool:
    """Tell whether an answer has all that is expected; it may have more keys."""
    if isinstance(expected, Mapping):
        return isinstance(actual, Mapping) and all(
            key in actual and _contains(actual[key], value) for key, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return (
            isinstance(actual, list)
            and len(actual) == len(expected)
            and all(map(_contains, actual, expected))
        )
    return bool(actual == expected)
