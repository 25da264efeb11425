"""`assume`, `whoami` and `env`."""

from __future__ import annotations

from typing import Any

from invoke.context import Context

from .declare import aws_task


@aws_task(
    help={
        "target": "Name under aws.targets whose settings overlay the others.",
        "profile": "AWS profile where the credentials start.",
        "role_arn": "ARN of the role to assume.",
        "region": "AWS region for the tasks that follow.",
        "session_name": "Role session name; default: your login name.",
        "duration": "How long the session shall last: seconds, 90m or 2h.",
        "mfa_code": "MFA code, instead of being asked for it.",
        "fresh": "Get a new session even when a cached one is still good.",
    }
)
def assume(
    c: Context,
    target: str | None = None,
    profile: str | None = None,
    role_arn: str | None = None,
    region: str | None = None,
    session_name: str | None = None,
    duration: str | None = None,
    mfa_code: str | None = None,
    fresh: bool = False,
) -> None:
    """Hand temporary AWS credentials to the tasks that follow.

    A bare `assume` does nothing while credentials are active; any option switches to what it
    asks for, starting from the environment as it was before the first role.
    """
    from ..identity import state

    options: dict[str, Any] = {
        "profile": profile,
        "role_arn": role_arn,
        "region": region,
        "role_session_name": session_name,
        "duration_seconds": duration,
    }
    asked = fresh or any(each is not None for each in (target, mfa_code, *options.values()))
    if state.state_of(c).active and not asked:
        state.active(c)
        return
    settings = state.read_settings(c, target=target, **options)
    state.activate(c, settings, mfa_code=mfa_code, fresh=fresh)


@aws_task(help={"json": "Print JSON, as `aws sts get-caller-identity` does, and more."})
def whoami(c: Context, json: bool = False) -> None:
    """Print whose credentials are active, and for how long."""
    from ..identity.report import as_json, as_lines, report

    print((as_json if json else as_lines)(report(c)))


@aws_task(
    help={
        "format": "bash (also zsh and sh), json (credential_process) or redshift.",
        "show": "Print secrets even when a terminal would show them.",
    }
)
def env(c: Context, format: str = "bash", show: bool = False) -> None:  # noqa: A002
    """Print credentials for a shell or a tool.

    Use it as `creds=$(invoke assume env) && eval "$creds"`.
    """
    from ..identity.report import credentials_text

    print(credentials_text(c, format, show=show))
