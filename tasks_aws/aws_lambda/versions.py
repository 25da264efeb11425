"""Versions and the alias that callers use: publish, test, shift traffic, roll back, prune."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from ..errors import FunctionError
from ..packaging.archive import Archive
from ..secret import holds_secret
from ..text.masking import without_secrets
from ..ui.aws_errors import error_code
from ..ui.output import say, warn
from ..ui.progress import ProgressLine
from .attachments.aliases import list_aliases
from .canary import run_canary
from .clients import Account
from .error_messages import explain_failed_state, translating
from .iam_actions import need
from .invocation import Invocation, NotRunError, invoke
from .parameters import Parameters
from .plan import matches_settings
from .remote_state import (
    get_alias,
    get_function,
    get_weights,
    normalize_configuration,
    wait_until_settled,
)
from .retry import ALREADY_EXISTS, OTHER_CHANGE, STALE_REVISION, retry_while

_LONGEST_SHOWN = 1000  # characters of a response or a log

# In an alias's description: which version a rollback goes back to. The version published just
# before the current one may never have served, for instance because its smoke test failed.
_BEFORE = "before it: "
_NONE = "none"
_ROLLED_BACK = "rolled back from version "


class SmokeTestError(FunctionError):
    """A version failed its smoke test; an alias, if there is one, points where it did before."""


def publish(
    parameters: Parameters,
    archive: Archive | None,
    account: Account,
    *,
    revision: str | None,
    commit: str | None,
) -> str:
    """Publish $LATEST and return the version's number once it is active.

    AWS returns the previous number if nothing has changed since. `revision` guards against other
    changes in between; the commit becomes the version's description. A version that failed, such
    as at the snapshot of SnapStart, is deleted: AWS would return it again and again.
    """
    name = parameters.name
    published = _publish(parameters, archive, account, revision=revision, commit=commit)
    failed = _find_failure(name, published, account)
    if failed and published.get("State") == "Failed":  # an earlier deploy has published it
        published = _publish(parameters, archive, account, revision=revision, commit=commit)
        failed = _find_failure(name, published, account)
    if failed:
        raise explain_failed_state(parameters, failed)
    return str(published["Version"])


def _find_failure(
    name: str, published: Mapping[str, Any], account: Account
) -> Mapping[str, Any] | None:
    """Wait until a version is ready; return its configuration, and delete it, if it failed."""
    version = str(published["Version"])
    found = wait_until_settled(name, account, qualifier=version)
    if not found or found["Configuration"].get("State") != "Failed":
        return None
    if version.isdigit():  # the next deploy replaces $LATEST.PUBLISHED
        with cleaning_up(f"{account.label(name)}, version {version}"):
            delete_versions(name, [int(version)], account)
    configuration: Mapping[str, Any] = found["Configuration"]
    return configuration


def _publish(
    parameters: Parameters,
    archive: Archive | None,
    account: Account,
    *,
    revision: str | None,
    commit: str | None,
) -> dict[str, Any]:
    """Return PublishVersion's answer."""
    name, client = parameters.name, account.client("lambda")
    options = {
        "FunctionName": name,
        **({"CodeSha256": archive.code_sha256} if archive else {}),
        **({"Description": commit} if commit else {}),
        **({} if parameters.function.alias else {"PublishTo": "LATEST_PUBLISHED"}),
    }

    def call(**guard: str) -> Any:
        return retry_while(
            lambda: client.publish_version(**options, **guard),
            OTHER_CHANGE,
            name=account.label(name),
            between=lambda: wait_until_settled(name, account),
        )

    published: dict[str, Any]
    try:
        published = call(**({"RevisionId": revision} if revision else {}))
    except ClientError as error:
        # Publishing changes the revision: this may be a second attempt after a lost response.
        now = wait_until_settled(name, account) if STALE_REVISION.matches(error) else None
        if not (now and matches_settings(parameters, archive, normalize_configuration(now))):
            raise
        published = call()
    return published


def smoke_test(parameters: Parameters, version: str, account: Account, serving: str) -> None:
    """Invoke a version and check its response, if `smoke` is set.

    Raises `SmokeTestError`, which has `serving`: what is served if the test fails.
    """
    smoke, name = parameters.function.smoke, parameters.name
    if smoke is None:
        return
    payload = json.dumps({} if smoke.payload is None else smoke.payload).encode()
    call = Invocation(payload=payload, qualifier=version, tenant_id=smoke.tenant)
    try:
        result = invoke(name, account, call)
    except NotRunError as error:
        say("smoke", f"{account.label(name)}  version {version} not tested. {error.why}")
        return
    # Masked before they are cut: a part of a secret may not be recognised any more. A response of
    # megabytes would take long, so it is cut twice.
    response = without_secrets(result.payload[: 20 * _LONGEST_SHOWN])[:_LONGEST_SHOWN]
    if result.error:
        log = without_secrets(result.log).strip()[-_LONGEST_SHOWN:]
        shown = (response, log)
        raise SmokeTestError(
            f"{name}, version {version}, failed its smoke test: {result.error}.",
            why="; ".join(filter(None, shown)),
            fix=f"Correct the function. {serving}",
        )
    if smoke.expect is not None and not _contains(_parse(result.payload), smoke.expect):
        expected = "the secret" if holds_secret(smoke.expect) else json.dumps(smoke.expect)
        raise SmokeTestError(
            f"{name}, version {version}, failed its smoke test.",
            why=f"It returned {response}, not {expected}.",
            fix=f"Correct the function, or `{parameters.function.key}.smoke`. {serving}",
        )
    say("smoke", f"{account.label(name)}  version {version} responds as expected")


def move_alias(
    parameters: Parameters,
    version: str,
    account: Account,
    found: Mapping[str, Any] | None,
    *,
    commit: str | None,
    stop: threading.Event,
    progress: ProgressLine,
) -> None:
    """Point the alias to a version, at once or by a canary; no other version keeps a weight.

    `found` is GetAlias's answer, None if there is no such alias.
    """
    name, alias = parameters.name, parameters.function.alias or ""
    client = account.client("lambda")
    if found is None:
        create = partial(
            client.create_alias,
            FunctionName=name,
            Name=alias,
            FunctionVersion=version,
            Description=_describe(commit, _BEFORE + _NONE),
        )
        try:
            retry_while(create, OTHER_CHANGE, name=account.label(name))
            return
        except ClientError as error:
            found = get_alias(name, alias, account) if ALREADY_EXISTS.matches(error) else None
            if found is None:
                raise
    before = found["FunctionVersion"]
    if before == version and not get_weights(found):
        return
    revision = found["RevisionId"]
    if parameters.function.canary and before not in (version, "$LATEST"):
        revision = run_canary(
            parameters,
            before,
            version,
            account,
            revision=revision,
            stop=stop,
            progress=progress,
        )
    description = (
        found.get("Description", "")
        if before == version
        else _describe(commit, f"{_BEFORE}version {before}")
    )
    update = partial(
        client.update_alias,
        FunctionName=name,
        Name=alias,
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": {}},
        RevisionId=revision,
        Description=description,
    )
    try:
        retry_while(update, OTHER_CHANGE, name=account.label(name))
    except ClientError as error:
        # The alias may have been moved by this very request, whose response was lost.
        now = get_alias(name, alias, account) if STALE_REVISION.matches(error) else None
        if not now or now["FunctionVersion"] != version or get_weights(now):
            raise


@dataclass(frozen=True, slots=True, eq=False)
class Rollback:
    """An alias that is to point back to another version."""

    name: str
    alias: str
    version: str  # that it points to now
    to: str
    revision: str
    recorded: bool = True  # by the deploy that moved the alias

    def __str__(self) -> str:
        how = "" if self.recorded else f", published before it: {self.alias} records no other"
        return f"{self.alias}: {self.version} -> {self.to}{how}"


def plan_rollback(parameters: Parameters, account: Account, *, to: str | None = None) -> Rollback:
    """Find the version that an alias pointed to before. Raises `FunctionError` if there is none.

    During a canary, that is the version which still gets the rest of the traffic.
    """
    name, alias = parameters.name, parameters.function.alias
    assert alias is not None  # noqa: S101  # the caller's condition
    found = get_alias(name, alias, account)
    if found is None:
        exists = get_function(name, account)
        raise FunctionError(
            f"{name} has no alias {alias} to roll back."
            if exists
            else f"There is no function {name} in {account}.",
            fix="Deploy it, or check the name and the region.",
        )
    current, shifted = found["FunctionVersion"], get_weights(found)
    named, recorded = str(int(to)) if to else None, _recorded(found)
    if shifted and named in (None, current):
        return Rollback(name, alias, ", ".join(shifted), current, found["RevisionId"])
    version = named or (recorded if recorded and recorded.isdigit() else None)
    if version and version != current and get_function(name, account, qualifier=version):
        return Rollback(name, alias, current, version, found["RevisionId"])
    published = published_versions(name, account)
    is_known = version or recorded or _is_rolled_back(found)
    before = None if is_known else _version_before(current, published)
    if before is None:
        others = ", ".join(str(each) for each in published if str(each) != current)
        raise FunctionError(
            f"{name} cannot be rolled back from version {current}"
            f"{f' to version {to}' if to else ''}.",
            why=_why_impossible(found, version),
            fix=f"Name another version with --to ({others}), or deploy again."
            if others
            else "Deploy another version first.",
        )
    return Rollback(name, alias, current, str(before), found["RevisionId"], recorded=False)


def _why_impossible(alias: Mapping[str, Any], version: str | None) -> str:
    """Return why an alias cannot be rolled back, to a version if one is named or recorded."""
    name, current = alias["Name"], alias["FunctionVersion"]
    if version:
        return (
            f"{name} points to it already."
            if version == current
            else f"There is no version {version}."
        )
    if _recorded(alias) == _NONE:
        return f"{name} has pointed to no other version."
    if _recorded(alias) == "$LATEST":
        return f"{name} pointed to $LATEST before, which has changed since."
    if _is_rolled_back(alias):
        return (
            f"{name} was rolled back to version {current}. Which one served before that is not "
            "known: only a deploy that moves the alias records it."
        )
    return "No earlier version is published."


def _version_before(current: str, published: Iterable[int]) -> int | None:
    """Return the version published before another one."""
    return max(
        (each for each in published if current == "$LATEST" or each < int(current)), default=None
    )


def _is_rolled_back(alias: Mapping[str, Any]) -> bool:
    return str(alias.get("Description", "")).startswith(_ROLLED_BACK)


def _recorded(alias: Mapping[str, Any]) -> str | None:
    """Return what an alias pointed to before, by its description: a version, $LATEST or none."""
    pattern = rf"{_BEFORE}(?:version )?(\d+|\$LATEST|{_NONE})"
    found = re.search(pattern, alias.get("Description", ""))
    return found[1] if found else None


def _served_before(alias: Mapping[str, Any]) -> list[str]:
    """Return the version that served before that of an alias, if it is recorded."""
    pattern = rf"(?:{_BEFORE}version |{_ROLLED_BACK})(\d+)"
    return re.findall(pattern, alias.get("Description", ""))


def roll_back(rollback: Rollback, account: Account) -> None:
    """Point the alias to the other version, with all of the traffic."""
    update = partial(
        account.client("lambda").update_alias,
        FunctionName=rollback.name,
        Name=rollback.alias,
        FunctionVersion=rollback.to,
        RoutingConfig={"AdditionalVersionWeights": {}},
        RevisionId=rollback.revision,
        Description=f"{_ROLLED_BACK}{rollback.version}",
    )
    retry_while(update, OTHER_CHANGE, name=account.label(rollback.name))


def published_versions(name: str, account: Account) -> list[int]:
    """Return the numbers of all published versions, the oldest first."""
    return sorted(int(each["Version"]) for each in _list_published(name, account))


def _list_published(name: str, account: Account) -> list[Mapping[str, Any]]:
    """Return the configurations of all published versions."""
    pages = account.client("lambda").get_paginator("list_versions_by_function")
    versions = [each for page in pages.paginate(FunctionName=name) for each in page["Versions"]]
    return [each for each in versions if each["Version"].isdigit()]  # without $LATEST and its like


def prunable_versions(name: str, account: Account, *, keep: int) -> list[int]:
    """Return the versions to prune: all but the newest `keep` and those that aliases need.

    An alias needs those that get its traffic, and the one that served before. A version on which a
    durable execution runs is kept as well: it would never end.
    """
    with account.at_once(
        lambda: list_aliases(name, account), lambda: _list_published(name, account)
    ) as (listing, publishing):
        aliases, configurations = listing.result(), publishing.result()
    used = {alias["FunctionVersion"] for alias in aliases}
    used |= {version for alias in aliases for version in get_weights(alias)}
    used |= {version for alias in aliases for version in _served_before(alias)}
    published = sorted(int(each["Version"]) for each in configurations)
    old = [each for each in published[:-keep] if str(each) not in used]
    durable = {int(each["Version"]) for each in configurations if "DurableConfig" in each}
    running = [each for each in old if each in durable and _is_running(name, each, account)]
    if running:
        kept = f"{list_versions(running)} kept: durable executions are running"
        say("prune", f"{account.label(name)}  {kept}")
    return [each for each in old if each not in running]


def _is_running(name: str, version: int, account: Account) -> bool:
    """Return whether a durable execution runs on a version."""
    pages = account.client("lambda").get_paginator("list_durable_executions_by_function")
    found = pages.paginate(FunctionName=name, Qualifier=str(version), Statuses=["RUNNING"])
    return any(page["DurableExecutions"] for page in found)


def delete_versions(name: str, versions: Iterable[int], account: Account) -> None:
    """Delete versions, except those that an alias uses by now, and print which.

    One that AWS refuses to delete, such as one with replicas of CloudFront, keeps no other.
    """
    client, deleted, refused = account.client("lambda"), [], None
    for version in versions:
        try:
            client.delete_function(FunctionName=name, Qualifier=str(version))
            deleted.append(version)
        except ClientError as error:
            # A conflict: an alias points to it by now.
            if error_code(error) != "ResourceConflictException":
                refused = refused or error
    if deleted:
        say("prune", f"{account.label(name)}  deleted {list_versions(deleted)}")
    if refused:
        raise refused


@contextmanager
def cleaning_up(what: str) -> Iterator[None]:
    """Warn of what AWS refuses to delete, where nothing that was asked for depends on it."""
    try:
        with translating(what, "delete"):
            yield
    except FunctionError as error:
        warn(f"{error.what} {error.why}")


def list_versions(versions: Sequence[int]) -> str:
    """Return versions as text.

    >>> list_versions([1]), list_versions([1, 2])
    ('version 1', 'versions 1, 2')
    """
    return f"version{'s' if len(versions) > 1 else ''} {', '.join(map(str, versions))}"


def _describe(commit: str | None, before: str) -> str:
    return "; ".join(filter(None, [commit, before]))


def _parse(payload: str) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload


def _contains(actual: Any, expected: Any) -> bool:
    """Return whether a response contains what is expected; it may have more keys."""
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


_PRUNING = ("alias", "keep_versions")
_DURABLE = "lambda:ListDurableExecutionsByFunction"
_MANAGED = ("CapacityProviderConfig",)
_SNAPSHOTS = ("alias", "SnapStart.ApplyOn")  # a version without one is deleted

ACTIONS = (
    need("lambda:PublishVersion", "lambda:CreateAlias", tasks=("deploy",), settings=("alias",)),
    need("lambda:UpdateAlias", tasks=("deploy", "rollback"), settings=("alias",)),
    need("lambda:ListVersionsByFunction", tasks=("rollback",), settings=("alias",)),
    need("lambda:ListVersionsByFunction", tasks=("prune", "destroy")),
    need("lambda:DeleteFunction", tasks=("prune",)),
    need(
        "lambda:ListVersionsByFunction",
        "lambda:DeleteFunction",
        tasks=("deploy",),
        settings=_PRUNING,
    ),
    need("lambda:DeleteFunction", tasks=("deploy",), settings=_SNAPSHOTS),
    need("lambda:PublishVersion", tasks=("deploy",), settings=_MANAGED),
    need(_DURABLE, tasks=("prune",), settings=("DurableConfig",)),
    need(_DURABLE, tasks=("deploy",), settings=(*_PRUNING, "DurableConfig")),
)
