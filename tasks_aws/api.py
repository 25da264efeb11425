"""What tasks call besides other tasks: the credentials in force, in the form they need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from invoke.context import Context

from .auth.values import Credentials
from .process.importing import own_imports
from .secret import Secret

if TYPE_CHECKING:
    import boto3

__all__ = [
    "Credentials",
    "Secret",
    "assumed",
    "credentials",
    "environment",
    "redshift",
    "session",
]


@contextmanager
def assumed(
    c: Context,
    *,
    target: str | None = None,
    profile: str | None = None,
    role_arn: str | None = None,
    region: str | None = None,
    session_name: str | None = None,
    duration: str | int | None = None,
    for_: str | int | None = None,
    mfa_code: str | None = None,
    fresh: bool = False,
    keep_fresh: bool = False,
    read_only: bool = False,
) -> Iterator[Credentials]:
    """Return a context in which other credentials are active.

    Such as ``with assumed(c, target="audit") as found:``, which yields them.

    The parameters are the options of `assume`. Afterwards, what was active before is active again,
    and so is the environment. In other threads than the main one it raises `CredentialsError`.
    """
    with own_imports():
        from .auth.active import active, scope, switch

    with scope(c):
        switch(
            c,
            target=target,
            needed=for_,
            mfa_code=mfa_code,
            fresh=fresh,
            profile=profile,
            role_arn=role_arn,
            region=region,
            role_session_name=session_name,
            duration_seconds=duration,
            keep_fresh=keep_fresh or None,
            read_only=read_only or None,
        )
        yield active(c).credentials


def credentials(c: Context) -> Credentials:
    """Return the active credentials, valid for at least `aws.min_ttl_seconds`.

    They are obtained if no `assume` ran before, and renewed if they expire too soon, which may
    prompt for an MFA code. Raises `CredentialsError` if they cannot be had.
    """
    with own_imports():
        from .auth.active import active

    return active(c).credentials


def environment(c: Context) -> dict[str, str]:
    """Return a complete environment that has the credentials.

    It is for what does not inherit this process's: ``c.run(command, env=environment(c),
    replace_env=True)``, ``c.sudo`` and containers. With `keep_fresh` it has no keys but names
    files and a server of this machine, so give a container `credentials` instead.
    """
    with own_imports():
        from .auth.active import active
        from .auth.environment import environment_with

    return environment_with(active(c).variables)


def redshift(c: Context, *, lasting: str | int | None = None) -> Secret:
    """Return the string that COPY and UNLOAD take after ``CREDENTIALS``.

    Redshift uses the same credentials until a statement ends. `lasting` is how long they have to
    be valid from now: seconds, ``"90m"`` or ``"3h"``. A longer session is obtained if need be;
    raises `CredentialsError` if the role allows none.

    The string is masked where Python shows it, and so is what is joined to it with ``+``.
    """
    with own_imports():
        from .auth.active import active
        from .auth.duration import parse_time_needed
        from .auth.formats import render

    needed = 0 if lasting is None else parse_time_needed(lasting, "lasting")
    return Secret(render("redshift", active(c, needed=needed).handover))


def session(c: Context) -> boto3.Session:
    """Return a boto3 session that renews its credentials as long as the task runs.

    It keeps the role that is active now, whatever a later task assumes.
    """
    with own_imports():
        import boto3

        from .auth.active import active, session_of

    return boto3.Session(botocore_session=session_of(c, active(c)))
