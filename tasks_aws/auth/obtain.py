"""Obtaining credentials: the cache first, then AWS, asking for an MFA code only if one is needed.

A session that is still good is found by reading one file: botocore is imported only when AWS
has to be asked.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.settings import Settings
from ..errors import SettingsError
from ..process.importing import own_imports
from ..process.loopback import is_local
from ..secret import Secret
from ..ui.output import format_duration, say, warn
from .aws_config import AwsConfig, aws_folder, read_config
from .cache.entries import Answer, SessionCache, add_mark, credentials_in, sso_answer
from .cache.files import FileCache
from .cache.memory import MemoryCache
from .duration import (
    ONE_HOUR,
    chained_error,
    check_chain,
    check_lasts,
    duration_of,
    lasts,
    role_maximum_error,
    with_at_least,
    with_duration,
)
from .environment import credentials_in_environment, environment_before_assume, running_above
from .identity import Origin, StsSession, WebIdentityToken, cache_key, fingerprint
from .mfa import TRIES, SentCodes, can_try_again, read_code
from .request import Request, prepare
from .resolve import narrowed, session_of_keys
from .sso import SsoRole
from .sts_calls import FEDERATION, SCOPED
from .values import Credentials

if TYPE_CHECKING:
    from .sts import Sts


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resources:
    """What one command line uses to obtain credentials, however often it does."""

    sent_codes: SentCodes = field(default_factory=set, repr=False)
    taken_codes: list[Secret] = field(default_factory=list, repr=False)
    memory: MemoryCache = field(default_factory=MemoryCache)
    # Of sessions that are opened at once, by what they start from.
    sources: dict[tuple[str, ...], Credentials] | None = field(default=None, repr=False)

    def take_given_code(self, request: Request) -> Secret | None:
        """Return the code that the user has passed with a request, the first time only."""
        given = request.mfa_code
        if given is None or any(each is given for each in self.taken_codes):
            return None
        self.taken_codes.append(given)
        return given

    def cache(self, settings: Settings) -> SessionCache:
        """Return the cache that `aws.cache` names."""
        folder = aws_folder("cli/cache")
        if settings.cache == "none":
            return self.memory
        # What the keyring has is the user's own.
        return FileCache(folder) if settings.cache == "cli" or is_local() else _keyring(folder)


def obtain(request: Request, resources: Resources) -> Credentials:
    """Return temporary credentials with their account. Raises `CredentialsError`."""
    if isinstance(request.identity, Origin) and request.identity.inherited:
        return _inherited(request.identity, request, resources)
    wanted = request.identity
    check_chain(wanted, request.needed)
    if isinstance(wanted, Origin):
        found = _load_source(wanted, request, resources)
        if found.temporary:
            return _of_temporary(wanted, found, request, resources)
        wanted = session_of_keys(wanted, request.settings, request.config, request.region)
    session = _session(wanted, request, resources, frozenset(running_above()))
    check_lasts(wanted, session, request.needed)
    return session


def obtain_ahead(requests: Sequence[Request], resources: Resources) -> None:
    """Open sessions at once, each in one call, so that `obtain` finds them in the cache.

    What they start from is loaded one after the other, since the user may be asked for something;
    and a session that takes an MFA code is left to `obtain`. Raises `CredentialsError`.
    """
    ahead: dict[str, tuple[StsSession, Request]] = {}
    for each in requests:
        wanted = each.identity
        if not isinstance(wanted, StsSession) or wanted.mfa_serial:
            continue
        check_chain(wanted, each.needed)
        key, cache = cache_key(wanted), resources.cache(each.settings)
        if not _find(cache, key, _mark(wanted, each), each):
            ahead.setdefault(key, (wanted, each))
    if len(ahead) < 2:
        return
    resources = replace(resources, sources={})
    for wanted, each in ahead.values():
        _source_of(wanted, each, resources, frozenset(running_above()))
    with own_imports():
        from ..process.threads import in_parallel

    for _ in in_parallel(
        lambda each: obtain(each, resources), [each for _, each in ahead.values()]
    ):
        pass  # the first error is raised here


def _inherited(origin: Origin, request: Request, resources: Resources) -> Credentials:
    """Return the credentials that this process was started with, unless they end too soon."""
    environ = environment_before_assume()
    found = credentials_in_environment(environ)
    if found is None:  # kept fresh: they come from the process that renews them
        loaded = _load(origin, None, read_config(environ), request.region)
        found = replace(loaded, account_id=sts_of(request).caller(loaded).account_id)
    # What cannot be obtained again is used to its end; `prepare` refuses to go on after it.
    too_soon = request.settings.min_ttl_seconds if request.is_known else 0
    if not found.ends_soon(too_soon) and lasts(found, request.needed):
        return found
    own = prepare(request.settings, needed=request.needed, inherit=False)
    return obtain(replace(own, mfa_code=request.mfa_code), resources)


def _of_temporary(
    origin: Origin, found: Credentials, request: Request, resources: Resources
) -> Credentials:
    """Return the temporary credentials of a source, narrowed if the settings narrow them."""
    wanted = narrowed(origin, request.settings, request.region, left=found.seconds_left())
    if isinstance(wanted, StsSession):
        sts = sts_of(request, wanted)
        sts.check(wanted)
        found = credentials_in(_call_translated(wanted, found, sts, request, resources))
    elif found.account_id is None:
        found = replace(found, account_id=sts_of(request).caller(found).account_id)
    check_lasts(wanted, found, request.needed)
    return found


def _session(
    wanted: StsSession,
    request: Request,
    resources: Resources,
    held: frozenset[str],  # cache keys whose locks a caller, or a process further up, holds
) -> Credentials:
    key = cache_key(wanted)

    def ask() -> Answer:
        # Cached under the key of the shorter session, which it can replace.
        lasting = with_at_least(wanted, request.needed)
        return _open(lasting, request, resources, held | {key})

    return _cached(key, _mark(wanted, request), ask, request, resources, held)


def _mark(wanted: StsSession, request: Request) -> dict[str, str]:
    """Return what tells a session from others with the same cache key."""
    return {
        "Source": fingerprint(wanted.source),
        "Endpoint": request.endpoint,
        "Subject": str(wanted),
    }


def _source_of(
    wanted: StsSession, request: Request, resources: Resources, held: frozenset[str]
) -> Credentials | None:
    """Return the credentials that a session is opened with; a web identity has none."""
    source = wanted.source
    if isinstance(source, WebIdentityToken):
        return None
    key = (str(source), fingerprint(source), request.endpoint)
    if resources.sources and key in resources.sources:
        return resources.sources[key]
    for_source = replace(request, needed=0, fresh=False)
    if isinstance(source, StsSession):
        found = _session(source, for_source, resources, held)
    else:
        found = _load_source(source, for_source, resources, held)
    if resources.sources is not None:
        resources.sources[key] = found
    return found


def _load_source(
    origin: Origin, request: Request, resources: Resources, held: frozenset[str] = frozenset()
) -> Credentials:
    """Return the credentials of a source. The session of an SSO role is cached, as the CLI does."""
    if origin.login_session is not None:
        with own_imports():
            from .aws_login import AwsLogin

        login = AwsLogin(origin.login_session, str(origin.profile), request)
        return login.load(partial(_load, origin, request.profile, request.config, request.region))
    role = origin.sso
    if role is None:
        return _load(origin, request.profile, request.config, request.region, held)
    mark = {"Source": role.identity, "Endpoint": request.sso_endpoint, "Subject": str(role)}

    def ask() -> Answer:
        return sso_answer(_load_signed_in(origin, role, request), role.account_id)

    return _cached(role.cache_key, mark, ask, request, resources)


def _load_signed_in(origin: Origin, role: SsoRole, request: Request) -> Credentials:
    """Return the credentials of an SSO role, signing in first if that is needed."""
    with own_imports():
        from .sign_in import SignIn
        from .sts_errors import SignInEndedError

    sign_in = SignIn(role.session, str(origin.profile), request)
    token = sign_in.token()
    try:
        return _load(origin, request.profile, request.config, request.region)
    except SignInEndedError:  # before its time
        sign_in.token(refused=token)
    return _load(origin, request.profile, request.config, request.region)


def _cached(
    key: str,
    mark: Mapping[str, str],
    ask: Callable[[], Answer],
    request: Request,
    resources: Resources,
    held: frozenset[str] = frozenset(),
) -> Credentials:
    """Return the session with a key if it is still good; otherwise ask for it, and cache it."""
    cache = resources.cache(request.settings)

    def waiting() -> None:
        say("waiting", f"for another process that is obtaining {mark['Subject']}")

    if found := _find(cache, key, mark, request):
        return found
    # A role that assumes itself has the same key twice, and a credential_process may run invoke for
    # the session that waits for it: waiting for that lock would never end.
    with nullcontext() if key in held else cache.lock(key, waiting=waiting):
        if found := _find(cache, key, mark, request):
            return found
        answer = add_mark(ask(), mark)
        cache.write(key, answer)
    return credentials_in(answer)


def _find(
    cache: SessionCache, key: str, mark: Mapping[str, str], request: Request
) -> Credentials | None:
    """Return the session with a key if it is in a cache and still good."""
    if request.fresh:
        return None
    found = cache.read(key, mark=mark)
    if found is None or found.ends_soon(request.settings.min_ttl_seconds):
        return None
    return found if lasts(found, request.needed) else None


def _open(
    wanted: StsSession, request: Request, resources: Resources, held: frozenset[str]
) -> Answer:
    """Ask STS for a session, and for those that it starts from."""
    sts = sts_of(request, wanted)
    sts.check(wanted)
    if wanted.operation == FEDERATION:
        warn(
            "A federation session can call neither IAM nor STS: access keys without an MFA device "
            "get one where `aws.policy` or `aws.policy_arns` restrict them."
        )
    source = _source_of(wanted, request, resources, held)
    return _call_translated(wanted, source, sts, request, resources)


def _call_translated(
    wanted: StsSession,
    source: Credentials | None,
    sts: Sts,
    request: Request,
    resources: Resources,
) -> Answer:
    """Make the call for a session. If the role's maximum is shorter, warn and ask for less."""
    with own_imports():
        from .sts_errors import BOTOCORE_ERRORS, translate, unused_mfa_serial

    call = partial(_call, source=source, sts=sts, request=request, resources=resources)
    try:
        return _call_within_maximum(
            _within_chaining_maximum(wanted, source, request.needed), request.needed, call
        )
    except BOTOCORE_ERRORS as error:
        unused = unused_mfa_serial(wanted, request.profile or "default", request.config)
        raise translate(
            error, subject=str(wanted), serial=wanted.mfa_serial, unused_mfa_serial=unused
        ) from error


def _call_within_maximum(
    wanted: StsSession, needed: int, call: Callable[[StsSession], Answer]
) -> Answer:
    """Make a call, and once more for a shorter session if the role's maximum is exceeded."""
    with own_imports():
        from .sts_errors import BOTOCORE_ERRORS, duration_refused

    asked, enough = duration_of(wanted), max(needed, ONE_HOUR)
    try:
        return call(wanted)
    except BOTOCORE_ERRORS as error:
        if not duration_refused(error) or asked <= ONE_HOUR:
            raise
        if asked <= enough:
            raise role_maximum_error(wanted, needed) from error
    warn(
        f"{wanted.role_arn} allows no session of {format_duration(asked)}: asking for "
        f"{format_duration(enough)}. Raise the role's maximum, or set `aws.duration_seconds`."
        + (" That takes another MFA code." if wanted.mfa_serial else "")
    )
    try:
        return call(with_duration(wanted, enough))
    except BOTOCORE_ERRORS as error:
        if duration_refused(error) and needed > ONE_HOUR:
            raise role_maximum_error(wanted, needed) from error
        raise


def _call(
    wanted: StsSession,
    *,
    source: Credentials | None,
    sts: Sts,
    request: Request,
    resources: Resources,
) -> Answer:
    """Make the call for a session; when AWS refuses the MFA code, ask for another one."""
    with own_imports():
        from .sts_errors import BOTOCORE_ERRORS, code_refused

    tries, command = TRIES, request.settings.mfa_command
    while True:
        tries -= 1
        given = resources.take_given_code(request)
        if wanted.mfa_serial and given is None:  # it takes the user a while
            sts.make_ready(source)
        code = wanted.mfa_serial and read_code(
            wanted.mfa_serial,
            given=given,
            command=command,
            sent=resources.sent_codes,
        )
        try:
            return sts.open_session(wanted, source, code)
        except BOTOCORE_ERRORS as error:
            if not tries or not code_refused(error) or not can_try_again(command):
                raise
        say("mfa", "AWS refused that code. If another run has used it, wait for the next one.")


def _within_chaining_maximum(
    wanted: StsSession, source: Credentials | None, needed: int
) -> StsSession:
    chained = wanted.role_arn and source and source.temporary
    if not chained or duration_of(wanted) <= ONE_HOUR:
        return wanted
    if needed > ONE_HOUR:
        raise chained_error(wanted, needed)
    warn(
        f"AWS limits {wanted.role_arn} to one hour, because it is assumed with temporary "
        f"credentials; {format_duration(duration_of(wanted))} was requested."
    )
    return with_duration(wanted, ONE_HOUR)


def _keyring(lock_folder: Path) -> SessionCache:
    if importlib.util.find_spec("keyring") is None:
        raise SettingsError(
            "`aws.cache: keyring` needs the package keyring, which is not installed.",
            fix="Install it: pip install 'tasks-aws[keyring]'.",
        )
    with own_imports():
        from .cache.keyring import KeyringCache

    return KeyringCache(lock_folder)


def _load(
    origin: Origin,
    profile: str | None,
    config: AwsConfig,
    region: str,
    held: frozenset[str] = frozenset(),
) -> Credentials:
    with own_imports():
        from .sources import load_source

    return load_source(origin, profile, config, region, held)


def sts_of(request: Request, wanted: StsSession | None = None) -> Sts:
    """Return STS as the request's profile and region see it, to open the session that is wanted."""
    with own_imports():
        from .sts import shared_sts

    regional = wanted is not None and wanted.operation == SCOPED  # no global endpoint has it
    return shared_sts(request.profile, request.region, request.config, regional=regional)
