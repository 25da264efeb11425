"""What task authors call, beside the tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context

from .secret import Secret

if TYPE_CHECKING:
    import boto3

    from .auth.values import Credentials


def credentials(c: Context) -> Credentials:
    """Return the credentials in force, with at least `aws.min_ttl_seconds` left.

    They are obtained when no `assume` ran before, and renewed (with another MFA code, if the
    role demands one) when too little time is left.
    """
    from .auth.active import active

    return active(c).credentials


def environment(c: Context) -> dict[str, str]:
    """Return a whole environment with the credentials in it, for what does not inherit ours.

    For ``c.run(command, env=environment(c), replace_env=True)``, ``c.sudo`` and containers. Where
    credentials are kept fresh it holds no keys, and leads to files and to a server of this
    machine: hand a container `credentials` instead.
    """
    from .auth.active import active
    from .auth.environment import environment_with

    return environment_with(active(c).variables)


def redshift(c: Context, *, lasting: str | int | None = None) -> Secret:
    """Return the text that COPY and UNLOAD take after ``CREDENTIALS``.

    Redshift keeps the credentials that a statement starts with, so have it `lasting` as long as
    that runs: seconds, ``"90m"`` or ``"3h"``. A longer session is obtained where that is needed;
    where none can be had it is a `CredentialsError`.

    The text is masked where Python shows it, and so is what is made of it with ``+``.
    """
    from .auth.active import active
    from .auth.duration import parse_time_needed
    from .auth.formats import render

    needed = 0 if lasting is None else parse_time_needed(lasting, "lasting")
    now = active(c, needed=needed)
    return Secret(render("redshift", now.credentials, now.request.region))


def session(c: Context) -> boto3.Session:
    """Return a boto3 session that renews its credentials as long as the task runs.

    It belongs to the role in force now, whatever a later task assumes.
    """
    import boto3

    from .auth.active import active, session_of

    return boto3.Session(botocore_session=session_of(c, active(c)))
