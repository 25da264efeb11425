"""What task authors call, beside the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from .secret import Secret

if TYPE_CHECKING:
    import boto3
    import botocore.session

    from .identity.credentials import Credentials
    from .identity.state import Active


def credentials(c: Context) -> Credentials:
    """Return the credentials in force, with at least `aws.min_ttl_seconds` left.

    They are obtained when no `assume` ran before, and renewed (with another MFA code, if the
    role demands one) when too little time is left.
    """
    from .identity.state import active

    return active(c).credentials


def environment(c: Context) -> dict[str, str]:
    """Return a whole environment with the credentials in it, for what does not inherit ours.

    For ``c.run(command, env=environment(c), replace_env=True)``, ``c.sudo`` and containers. Where
    credentials are kept fresh it holds no keys, and leads to files and to a server of this
    machine: hand a container `credentials` instead.
    """
    from .identity.environment import with_managed
    from .identity.state import active

    return with_managed(active(c).variables)


def redshift(c: Context, *, lasting: str | int | None = None) -> Secret:
    """Return the text that COPY and UNLOAD take after ``CREDENTIALS``.

    Redshift keeps the credentials that a statement starts with, so have it `lasting` as long as
    that runs: seconds, ``"90m"`` or ``"3h"``. A longer session is obtained where that is needed;
    where none can be had it is a `CredentialsError`.

    The text is masked where Python shows it, and so is what is made of it with ``+``.
    """
    from .identity.enough_time import time_needed
    from .identity.formats import render
    from .identity.state import active

    needed = 0 if lasting is None else time_needed(lasting, "lasting")
    now = active(c, needed=needed)
    return Secret(render("redshift", now.credentials, now.request.region))


def session(c: Context) -> boto3.Session:
    """Return a boto3 session that renews its credentials as long as the task runs.

    It belongs to the role in force now, whatever a later task assumes.
    """
    import boto3

    from .identity.state import active

    return boto3.Session(botocore_session=session_of(c, active(c)))


def session_of(c: Context, now: Active) -> botocore.session.Session:
    """Return a session with these credentials, which renews them as long as it is used.

    It is botocore's: boto3 takes long to import, and a client is made without it.
    """
    from .identity.renewing import renewing_session
    from .identity.state import renew

    renewal = now.kept.keeper.renewed if now.kept else lambda: renew(c, now.request)
    return renewing_session(now.request, now.credentials, renewal)
