"""Obtaining credentials: the cache first, then AWS, with at most one question to the user.

A session that is still good is found by reading one file: botocore is imported only when AWS
has to be asked.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.load import Settings
from ..errors import SettingsError
from ..ui.output import format_duration, say, warn
from .aws_config import AwsConfig, in_home, read_config, sts_endpoint
from .cache.files import Answer, CliCache, NoCache, SessionCache, credentials_in, marked
from .duration import (
    ONE_HOUR,
    chained,
    check,
    check_chain,
    duration_of,
    lasting,
    lasts,
    role_too_short,
    with_duration,
)
from .environment import with_managed, with_users_files
from .mfa import Codes, with_code
from .resolve import (
    Identity,
    Origin,
    StsSession,
    cache_key,
    fingerprint,
    profile_name,
    region_of,
    resolve,
    session_of,
)
from .values import Credentials

if TYPE_CHECKING:
    from .sts import Sts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """What the settings ask for, resolved against the AWS config files and the environment."""

    settings: Settings
    config: AwsConfig
    profile: str | None
    region: str
    endpoint: str  # of STS, when it is not AWS's own
    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resources:
    """What one command line uses to obtain credentials, however often it does."""

    codes: Codes
    memory: NoCache
    original: Mapping[str, str]  # the variables as they were before the first export

    def cache(self, settings: Settings) -> SessionCache:
        """Return the cache that `aws.cache` names."""
        folder = in_home("~/.aws/cli/cache")
        if settings.cache == "cli":
            return CliCache(folder)
        return self.memory if settings.cache == "none" else _keyring(folder)


def prepare(settings: Settings, environ: Mapping[str, str]) -> Request:
    """Find out what to ask for, without asking. Raises `SettingsError`."""
    if settings.profile or any(
        environ.get(name) for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
    ):
        environ = with_users_files(environ)
    config = read_config(environ)
    profile = profile_name(settings, config, environ)
    identity = resolve(settings, config, environ)
    _check_role_account(identity, settings)
    return Request(
        settings=settings,
        config=config,
        profile=profile,
        region=region_of(settings, config, environ),
        endpoint=sts_endpoint(config, config.profiles.get(profile or "default", {}), environ),
        identity=identity,
    )


def obtain(
    request: Request, resources: Resources, *, fresh: bool = False, needed: int = 0
) -> Credentials:
    """Return temporary credentials with their account. Raises `CredentialsError`.

    `fresh` asks AWS even when a cached session is still good; they live at least as many
    seconds as are `needed`.
    """
    wanted = request.identity
    check_chain(wanted, needed)
    if isinstance(wanted, Origin):
        sts = sts_of(request)
        found = sts.load(wanted, resources.original)
        if found.temporary:
            check(wanted, found, needed)
            return replace(found, account_id=sts.caller(found).account_id)
        wanted = session_of(wanted, request.settings, request.config)
    session = _session(wanted, request, resources, fresh=fresh, needed=needed)
    check(wanted, session, needed)
    return session


def _check_role_account(identity: Identity, settings: Settings) -> None:
    """Refuse the role of another account before anybody is asked for a code."""
    role = identity.role_arn if isinstance(identity, StsSession) else None
    account = role.split(":")[4] if role and role.count(":") >= 5 else settings.account_id
    if settings.account_id and account != settings.account_id:
        raise SettingsError(
            f"{role} is in account {account}, "
            f"but `aws.account_id` allows only {settings.account_id}.",
            why="Credentials of another account are never obtained, exported or used.",
            fix="Correct the one that is wrong.",
        )


def _session(
    wanted: StsSession,
    request: Request,
    resources: Resources,
    *,
    fresh: bool = False,
    needed: int = 0,
    held: frozenset[str] = frozenset(),  # keys whose locks this call of ours holds
) -> Credentials:
    cache = resources.cache(request.settings)
    key = cache_key(wanted)
    mark = {
        "Source": fingerprint(wanted.source),
        "Endpoint": request.endpoint,
        "Subject": str(wanted),
    }

    def cached() -> Credentials | None:
        found = None if fresh else cache.read(key, mark=mark)
        if found is None or found.ends_soon(request.settings.min_ttl_seconds):
            return None
        return found if lasts(found, needed) else None

    def waiting() -> None:
        say("waiting", f"for another process that is obtaining {wanted}")

    if found := cached():
        return found
    # A role that assumes itself has one key twice: to wait for that lock would be without end.
    with nullcontext() if key in held else cache.lock(key, waiting=waiting):
        if found := cached():
            return found
        # Under the same key: one that lasts longer serves those who ask for less, too.
        answer = marked(
            _ask(lasting(wanted, needed), request, resources, needed, held | {key}), mark
        )
        cache.write(key, answer)
    return credentials_in(answer)


def _ask(
    wanted: StsSession,
    request: Request,
    resources: Resources,
    needed: int,
    held: frozenset[str],
) -> Answer:
    from .sts_errors import BOTOCORE_ERRORS, code_refused, duration_refused, translate

    sts = sts_of(request)
    source = (
        sts.load(wanted.source, resources.original)
        if isinstance(wanted.source, Origin)
        else _session(wanted.source, request, resources, held=held)
    )
    call = sts.assume_role if wanted.role_arn else sts.get_session_token

    def code() -> str:
        return resources.codes.next(
            wanted.mfa_serial or "",
            command=request.settings.mfa_command,
            environ=with_managed(resources.original),
        )

    def ask(session: StsSession) -> Answer:
        return with_code(lambda: call(session, source, code=code), code_refused)

    try:
        try:
            return ask(_within_chaining_maximum(wanted, source, needed))
        except BOTOCORE_ERRORS as error:
            if not duration_refused(error) or duration_of(wanted) <= ONE_HOUR:
                raise
            enough = max(needed, ONE_HOUR)
            if duration_of(wanted) <= enough:
                raise role_too_short(wanted, needed) from error
            lower = "one hour" if enough == ONE_HOUR else format_duration(enough)
            warn(
                f"{wanted.role_arn} allows no session of {format_duration(duration_of(wanted))}: "
                f"asking for {lower}. Raise the role's maximum, or set `aws.duration_seconds`."
                + (" That takes another MFA code." if wanted.mfa_serial else "")
            )
            try:
                return ask(with_duration(wanted, enough))
            except BOTOCORE_ERRORS as again:
                if duration_refused(again) and needed > ONE_HOUR:
                    raise role_too_short(wanted, needed) from again
                raise
    except BOTOCORE_ERRORS as error:
        raise translate(error, subject=str(wanted), serial=wanted.mfa_serial) from error


def _within_chaining_maximum(wanted: StsSession, source: Credentials, needed: int) -> StsSession:
    if not (wanted.role_arn and source.temporary and duration_of(wanted) > ONE_HOUR):
        return wanted
    if needed > ONE_HOUR:
        raise chained(wanted, needed)
    warn(
        f"AWS caps {wanted.role_arn} at one hour, because it is assumed with temporary "
        f"credentials; {format_duration(duration_of(wanted))} was asked."
    )
    return with_duration(wanted, ONE_HOUR)


def _keyring(lock_folder: Path) -> SessionCache:
    if importlib.util.find_spec("keyring") is None:
        raise SettingsError(
            "`aws.cache` is keyring, but the package keyring is not installed.",
            fix="Install it: pip install 'tasks-aws[keyring]'.",
        )
    from .cache.keyring import KeyringCache

    return KeyringCache(lock_folder)


def sts_of(request: Request) -> Sts:
    """Return STS as the request's profile and region see it."""
    from .sts import Sts

    return Sts(profile=request.profile, region=request.region, config=request.config)
