"""What one command line has obtained, kept in invoke's context, and what tasks get from it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

from invoke.context import Context

from ..config.duplicates import refuse_duplicates
from ..config.load import load, read
from ..config.mistakes import Mistakes
from ..config.origins import root_as_written
from ..config.settings import Settings
from ..config.unread import refuse_unread
from ..errors import CredentialsError, SettingsError
from ..process.importing import own_imports
from ..ui.logs import keep_secrets_out_of_logs
from ..ui.output import format_duration, say, warn
from .cache.entries import SessionCache
from .duration import check_duration, lasts, parse_time_needed
from .environment import (
    CREDENTIAL_VARIABLES,
    environment_before_assume,
    export,
    exported,
    in_main_thread,
    restore,
    superfluous,
    with_fingerprint,
)
from .obtain import Resources, obtain, obtain_ahead
from .request import Request, prepare
from .values import Credentials

if TYPE_CHECKING:
    import botocore.session

    from .formats import Handover
    from .refresh.children import Refreshing

# Beside the users' `aws` key, so that merging one never prints the other; with a dash, so that no
# variable INVOKE_… can stand for it.
_KEY = "tasks-aws"
_WHO_AND_WHERE = ("profile", "role_arn", "region")  # the settings that say it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Active:
    """The active credentials, and the request they were obtained for."""

    request: Request
    credentials: Credentials
    refreshing: Refreshing | None = None  # how children get credentials that renew themselves

    @property
    def settings(self) -> Settings:
        """Return the settings that `assume` was given, which the tasks that follow share."""
        return self.request.settings

    @property
    def variables(self) -> dict[str, str]:
        """Return the environment variables to set."""
        return self._hand_on(self.refreshing.variables if self.refreshing else self._keys)

    @property
    def handover(self) -> Handover:
        """Return what `env` prints: the credentials themselves, also if they are kept fresh."""
        with own_imports():
            from .formats import Handover

        variables = self._hand_on(self._keys)
        return Handover(
            credentials=self.credentials,
            region=self.request.region,
            variables=variables,
            superfluous=superfluous(variables),
        )

    @property
    def _keys(self) -> Mapping[str, str]:
        return exported(self.credentials, self.request.region)

    def _hand_on(self, variables: Mapping[str, str]) -> dict[str, str]:
        request = self.request
        return with_fingerprint({**request.profile_variables, **variables}, request.digest)


class State:
    """The one opaque value in invoke's configuration.

    invoke copies every value at each merge and prints it under ``-d``: this one is never
    copied, never shows what it holds, and cannot be pickled.
    """

    __slots__ = ("active", "exported", "resources")

    def __init__(self) -> None:
        self.active: Active | None = None
        self.exported: Active | None = None  # which one the environment has
        self.resources = Resources()

    def __copy__(self) -> State:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> State:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("Credentials cannot be pickled.")

    def __repr__(self) -> str:
        return "<credentials>" if self.active else "<no credentials>"


def state_of(c: Context) -> State:
    """Return the state of this command line."""
    state = c.config.get(_KEY)
    if not isinstance(state, State):
        state = State()
        c.config[_KEY] = state  # type: ignore[assignment]  # typed as str, takes any value
    return state


def read_settings(c: Context, *, target: str | None = None, **options: Any) -> Settings:
    """Read the settings for a task; an option that is None was not given."""
    given = {key: value for key, value in options.items() if value is not None}
    return load(**_written(c), target=target, options=given)


def read_with_mistakes(c: Context, *, target: str | None) -> tuple[Settings, Mistakes]:
    """Read the settings without what is wrong in them; return the mistakes, too."""
    return read(**_written(c), target=target)


def _written(c: Context) -> dict[str, Any]:
    """Return what settings are read from."""
    refuse_unread(c.config)
    refuse_duplicates(c.config)
    root = root_as_written(c.config)
    return {
        "config": c.config.get(root),
        "root": root,
        "own": None if root == "aws" else c.config.get("aws"),
        "project": _project(c),
        "environ": environment_before_assume(),
    }


def settings_in_force(c: Context, target: str | None = None) -> Settings:
    """Return the settings that `assume` left for the tasks that follow, or else read them.

    Those of another target have the options of that `assume`, too: what it narrows stays narrow.
    Raises `SettingsError` if such an option contradicts what the target says.
    """
    active = state_of(c).active
    if active is None:
        return read_settings(c, target=target)
    before = active.settings
    if target in (None, before.target):
        return before
    own = read_settings(c, target=target)
    for key in before.options:
        label = own.labels.get(key, "")
        if key in _WHO_AND_WHERE and label.startswith("aws.targets."):
            raise SettingsError(
                f"`{before.labels[key]}` of `assume` and `{label}` contradict each other.",
                why=f"`--target {target}` takes the settings of that target, under the options of "
                "`assume`.",
                fix=f"Pass `--target {target}` to `assume`, too, or leave out "
                f"`{before.labels[key]}`.",
            )
    return read_settings(c, target=target, **before.options) if before.options else own


def activate(c: Context, request: Request) -> Active:
    """Obtain credentials and hand them to everything that follows in this command line.

    Nothing is exported unless all went well. Raises `CredentialsError`, in other threads than the
    main one always: all threads share the environment.
    """
    _check_main_thread()
    return _activate(c, request)


def use(c: Context, request: Request, credentials: Credentials) -> None:
    """Make credentials active that were not obtained for the request: those of a test."""
    _check_main_thread()
    state = state_of(c)
    state.active = Active(request=request, credentials=credentials)
    _export(state, state.active)


def _check_main_thread() -> None:
    if not in_main_thread():
        raise CredentialsError(
            "`assume` can only be called in the main thread.",
            why="It changes the environment of all threads.",
            fix="Call it before the thread starts, or use `session(c)` in the thread.",
        )


def _activate(c: Context, request: Request) -> Active:
    """Make credentials the active ones.

    In another thread than the main one they are not exported, and what `assume` has activated
    meanwhile stays active.
    """
    before = state_of(c).active
    found = obtain_for(c, request)
    if found.settings.keep_fresh and not c.config.run.dry:
        found = _refresh_for_children(c, found)
    state = state_of(c)
    if in_main_thread():
        state.active = found
        _export(state, found)
        _warn_of_overrides(c, found)
    elif state.active is before:
        state.active = found
    return found


def obtain_for(c: Context, request: Request) -> Active:
    """Obtain credentials without making them the active ones."""
    keep_secrets_out_of_logs()
    start = time.monotonic()
    credentials = obtain(request, state_of(c).resources)
    _check_account(credentials, request.settings)
    found = Active(request=request.for_later(), credentials=credentials)
    _report(found, took=time.monotonic() - start)
    return found


def obtain_for_each(c: Context, requests: Sequence[Request]) -> list[Active]:
    """Obtain credentials as `obtain_for` does, at once where nobody has to be asked for a code."""
    keep_secrets_out_of_logs()
    if len(requests) > 1:
        obtain_ahead(requests, state_of(c).resources)
    return [obtain_for(c, each) for each in requests]


def switch(
    c: Context,
    *,
    target: str | None = None,
    needed: str | int | None = None,
    mfa_code: str | None = None,
    fresh: bool = False,
    **options: Any,
) -> None:
    """Make the credentials that the options of `assume` ask for the active ones.

    `options` are settings; None stands for one that was not given. Without any option, what is
    active stays active.
    """
    if mfa_code is not None and not mfa_code.strip():
        raise SettingsError("`--mfa-code` is empty.", fix="Pass the six digits, or leave it out.")
    seconds = 0 if needed is None else parse_time_needed(needed, "--for")
    current = state_of(c).active
    if current is None or target or any(each is not None for each in options.values()):
        settings = read_settings(c, target=target, **options)
    elif fresh or seconds:
        settings = current.settings
    else:
        active(c)
        return
    asked = settings.duration_seconds if options.get("duration_seconds") is not None else None
    check_duration(asked, seconds)
    activate(c, prepare(settings, needed=seconds, fresh=fresh, mfa_code=mfa_code))


def deactivate(c: Context) -> None:
    """Forget the active credentials: the environment is what it was before the first `assume`."""
    if state_of(c).active:
        say("assume", "ended; restored the environment from before the first `assume`")
    _put_back(c, None)


@contextmanager
def scope(c: Context) -> Iterator[None]:
    """Put back what is active now, and the environment, when the block ends."""
    before = state_of(c).active
    try:
        yield
    finally:
        _put_back(c, before)


def _put_back(c: Context, before: Active | None) -> None:
    _check_main_thread()
    state = state_of(c)
    state.active = before
    if before:
        _export(state, before)
    else:
        restore()
        state.exported = None


def active(c: Context, *, needed: int = 0) -> Active:
    """Return the credentials in force, obtaining or renewing them where that is needed.

    They live at least as many seconds as are `needed`.
    """
    state = state_of(c)
    current = state.active
    if current is None:
        return _activate(c, prepare(read_settings(c), needed=needed))
    credentials = (
        current.refreshing.renewer.renewed() if current.refreshing else current.credentials
    )
    ends_soon = not current.refreshing and credentials.ends_soon(current.settings.min_ttl_seconds)
    if ends_soon or not lasts(credentials, needed):
        return _activate(c, prepare(current.settings, needed=needed))
    if in_main_thread() and state.exported is not current:  # another thread has obtained them
        _export(state, current)
    return replace(current, credentials=credentials)


def session_of(c: Context, now: Active) -> botocore.session.Session:
    """Return a session with these credentials, which renews them as long as it is used.

    Its other settings are those of the profile, such as the endpoints. It is a session of botocore:
    importing boto3 is slow, and clients do not need it.
    """
    with own_imports():
        from .boto_session import botocore_session, renew_credentials_of

    request = now.request
    session = botocore_session(request.profile, request.config.files)
    session.set_config_variable("region", request.region)
    renew_credentials_of(
        session,
        now.credentials,
        now.refreshing.renewer.renewed if now.refreshing else lambda: renew(c, request),
        min_ttl_seconds=request.settings.min_ttl_seconds,
    )
    return session


def cache_of(c: Context) -> SessionCache:
    """Return the cache that the settings name."""
    return state_of(c).resources.cache(settings_in_force(c))


def renew(c: Context, request: Request) -> Credentials:
    """Obtain credentials for a request again, without making them those of the command line."""
    renewed = obtain(request, state_of(c).resources)
    _check_account(renewed, request.settings)
    return renewed


def _export(state: State, now: Active) -> None:
    export(now.variables)
    state.exported = now


def _project(c: Context) -> Path:
    # invoke knows where it found tasks.py, but has no public name for it.
    return Path(getattr(c.config, "_project_prefix", None) or ".").resolve()


def _check_account(credentials: Credentials, settings: Settings) -> None:
    if settings.account_id and credentials.account_id != settings.account_id:
        raise CredentialsError(
            f"These credentials belong to account {credentials.account_id or '(unknown)'}, "
            f"but `aws.account_id` allows only {settings.account_id}.",
            why="Credentials of another account are never exported or used.",
            fix="Choose the right profile, role or target, or correct `aws.account_id`.",
        )


def _refresh_for_children(c: Context, found: Active) -> Active:
    with own_imports():
        from .refresh.children import refresh_for_children
        from .refresh.invoke_runner import without_prompt_input

    if found.credentials.expiration is None:
        warn("These credentials have no expiry, so they are not renewed.")
    refreshing = refresh_for_children(
        found.request, found.credentials, lambda: renew(c, found.request)
    )
    c.config.runners.local = without_prompt_input(c.config.runners.local)
    return replace(found, refreshing=refreshing)


def _warn_of_overrides(c: Context, now: Active) -> None:
    known = {*CREDENTIAL_VARIABLES, *now.variables}
    overrides = [name for name in c.config.run.env if name in known]
    if overrides:
        warn(
            f"`run.env` sets {', '.join(overrides)}, which overrides the credentials in "
            "c.run: remove it from invoke's configuration."
        )
    if c.config.run.get("replace_env"):
        warn(
            "`run.replace_env` hides the credentials from commands of c.run: remove it, or pass "
            "env=environment(c)."
        )


def _report(now: Active, *, took: float) -> None:
    account, left = now.credentials.account_id, now.credentials.seconds_left()
    details = [
        f"account {account}" if account else "",
        now.request.region,
        f"{format_duration(left)} left" if now.credentials.expiration else "",
        format_duration(took),
    ]
    subject = str(now.request.identity).removeprefix("the role ")
    if now.settings.read_only:
        subject += ", read-only"
    elif now.settings.policy or now.settings.policy_arns:
        subject += ", with a session policy"
    say("assume", f"{subject}  {', '.join(filter(None, details))}")
