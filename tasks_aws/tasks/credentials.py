"""Credentials: `assume`, and the tasks that show or use what it provides."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from invoke.config import Config
from invoke.context import Context
from invoke.exceptions import Exit

from ..errors import CredentialsError, SettingsError
from ..process.importing import own_imports
from .decorator import aws_task

__all__ = [
    "assume",
    "console",
    "env",
    "exec_",
    "forget",
    "login",
    "sessions",
    "settings",
    "shell",
    "whoami",
]


def _check_assume(config: Config, *, end: bool, **others: Any) -> None:
    if end and any(others.values()):
        raise SettingsError(
            "`--end` cannot be combined with other options of `assume`.",
            why="It ends the active credentials, and obtains none.",
            fix="Pass them to another `assume`, after this one.",
        )


@aws_task(
    help={
        "target": "Target under aws.targets whose settings apply",
        "profile": "AWS profile to start from",
        "role_arn": "ARN of the role to assume",
        "region": "AWS region for the tasks that follow",
        "session_name": "Role session name [default: your login name]",
        "duration": "Session duration: seconds, 90m or 2h",
        "for_": "Require credentials valid at least this long, such as 3h",
        "mfa_code": "MFA code, instead of a prompt",
        "fresh": "Get a new session even if a cached one is valid",
        "keep_fresh": "Provide credentials that renew themselves while invoke runs",
        "read_only": "Narrow the session to AWS's ReadOnlyAccess policy",
        "end": "Go back to the environment as it was before the first assume",
    },
    check=_check_assume,
)
def assume(
    c: Context,
    target: str | None = None,
    profile: str | None = None,
    role_arn: str | None = None,
    region: str | None = None,
    session_name: str | None = None,
    duration: str | None = None,
    for_: str | None = None,
    mfa_code: str | None = None,
    fresh: bool = False,
    keep_fresh: bool = False,
    read_only: bool = False,
    end: bool = False,
) -> None:
    """Provide temporary AWS credentials to the tasks that follow.

    The credentials are active for all tasks that follow, until another
    `assume`, or `assume --end`. A bare `assume` keeps what is active, and
    so do --for and --fresh, which renew it. Any other option switches to
    what the settings and the options of this `assume` ask for, starting
    from the environment as it was before the first one.
    """
    with own_imports():
        from ..auth.active import deactivate, switch

    if end:
        deactivate(c)
        return
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
    _hint_if_last()


@aws_task(
    help={
        "target": "Target under aws.targets whose settings apply",
        "profile": "AWS profile to sign in for",
    }
)
def login(c: Context, target: str | None = None, profile: str | None = None) -> None:
    """Sign in ahead of time, to IAM Identity Center or by `aws login`.

    `assume` does it by itself when it has to, unless `aws.sign_in` is
    `never`. The AWS CLI uses the same sign-in.
    """
    with own_imports():
        from ..auth.active import read_settings
        from ..auth.request import prepare
        from ..auth.sign_in import sign_in_ahead

    sign_in_ahead(prepare(read_settings(c, target=target, profile=profile), inherit=False))


@aws_task(help={"json": "Print JSON, a superset of `aws sts get-caller-identity`"})
def whoami(c: Context, json: bool = False) -> None:
    """Print whose credentials are active, and for how long."""
    with own_imports():
        from ..auth.report import format_json, format_report, get_report
        from ..ui.output import print_result

    print_result((format_json if json else format_report)(get_report(c)))


def _check_env(config: Config, *, format: str, show: bool) -> None:  # noqa: A002
    with own_imports():
        from ..auth.report import check_can_print

    check_can_print(format, show=show)


@aws_task(
    help={
        "format": "bash, zsh, sh, fish, powershell, cmd, xonsh, nushell, json (for "
        "credential_process), dotenv, ini, github, redshift, redshift-keys [default: bash]",
        "show": "Print secrets even if stdout is a terminal",
    },
    check=_check_env,
)
def env(c: Context, format: str = "bash", show: bool = False) -> None:  # noqa: A002
    r"""Print credentials for a shell or another program.

    In bash and zsh: creds=$(invoke assume env) && eval "$creds"

    In fish: set -l creds (invoke assume env --format fish)
    and printf '%s\n' $creds | source
    """
    with own_imports():
        from ..auth.report import print_credentials

    print_credentials(c, format)


@aws_task(help={})
def exec(c: Context) -> None:  # noqa: A001
    """Run a command with the credentials: exec -- COMMAND.

    The command runs without a shell, and its exit code is invoke's.
    """
    with own_imports():
        from ..auth.active import active
        from ..auth.child_process import run_program, words_after_dashes
        from ..ui.output import say

    words = words_after_dashes(c)
    active(c)
    if c.config.run.dry:
        say("exec", f"would run {words[0]}")
    else:
        _exit_with(run_program(words, os.environ))


exec_ = exec  # what `import *` brings: it must not hide the builtin


def _check_shell(config: Config) -> None:
    with own_imports():
        from ..auth.child_process import NESTED

    if os.environ.get(NESTED):
        raise CredentialsError(
            f"This shell already has the credentials of {os.environ[NESTED]}.",
            why="Leaving a nested shell would return to credentials that may have expired.",
            fix="Leave this shell first, with `exit`.",
        )


@aws_task(help={}, check=_check_shell)
def shell(c: Context) -> None:
    """Open an interactive sub-shell with the credentials."""
    with own_imports():
        from ..auth.active import active
        from ..auth.child_process import NESTED, run_program
        from ..auth.marked_shell import marked_shell
        from ..auth.values import format_time
        from ..ui.output import say

    now = active(c)
    name, expiration = str(now.request.identity), now.credentials.expiration
    until = f" until {format_time(expiration)}" if expiration else ""
    if now.refreshing:
        until = ", kept fresh"
    if c.config.run.dry:
        say("shell", f"would open a shell with the credentials of {name}")
        return
    say("shell", f"credentials of {name}{until}; `exit` leaves the shell")
    words, variables = marked_shell(now, os.environ)
    _exit_with(run_program(words, {**os.environ, **variables, NESTED: name}))


@aws_task(
    help={
        "open": "Open the URL in a browser instead of printing it",
        "service": "Console page, such as lambda or s3 [default: the home page]",
    }
)
def console(c: Context, open: bool = False, service: str | None = None) -> None:  # noqa: A002
    """Print a URL that signs in to the AWS web console."""
    with own_imports():
        from ..auth.active import active
        from ..auth.browser import open_in_browser
        from ..auth.console_url import build_sign_in_url
        from ..ui.output import print_result

    url = build_sign_in_url(active(c), dict(os.environ), service=service)
    if not (open and open_in_browser(url)):
        print_result(url)


@aws_task(help={})
def sessions(c: Context) -> None:
    """List the cached sessions: time left, account and role."""
    with own_imports():
        from ..auth.active import cache_of
        from ..auth.report import print_sessions
        from ..ui.output import say

    entries = cache_of(c).entries()
    if entries:
        print_sessions(entries)
    else:
        say("sessions", "none")


@aws_task(help={"role_arn": "Remove only the sessions of this role"})
def forget(c: Context, role_arn: str | None = None) -> None:
    """Remove our cached sessions, but not those of the AWS CLI."""
    with own_imports():
        from ..auth.active import cache_of
        from ..auth.forget import forget_sessions

    forget_sessions(cache_of(c), role_arn=role_arn, dry=c.config.run.dry)


def _check_settings(config: Config, *, target: str | None, **others: bool) -> None:
    given = [f"--{name}" for name, value in {**others, "target": target}.items() if value]
    if {"--check", "--schema"} & {*given} and len(given) > 1:
        raise SettingsError(
            f"`{given[0]}` and `{given[1]}` cannot be combined.",
            why="--check is about all targets, and neither --check nor --schema prints settings.",
            fix="Run them one after the other.",
        )


@aws_task(
    help={
        "target": "Target under aws.targets [default: that of `assume`]",
        "check": "Report all mistakes of all functions and all targets",
        "schema": "Print a JSON Schema of invoke.yaml, for editors",
        "json": "Print the settings as JSON",
    },
    check=_check_settings,
)
def settings(
    c: Context,
    target: str | None = None,
    check: bool = False,
    schema: bool = False,
    json: bool = False,
) -> None:
    """Print the settings in force, and where each comes from.

    Secrets and the values of environment variables are masked. Nothing
    is asked of AWS, and the profile need not exist.
    """
    with own_imports():
        from ..commands.settings_report import check_settings, print_schema, print_settings

    if schema:
        print_schema()
    elif check:
        check_settings(c)
    else:
        print_settings(c, target=target, as_json=json)


@cache
def _hint_if_last() -> None:
    """Tell whoever watches a command line that ends with `assume` what uses the credentials."""
    with own_imports():
        from ..text.terminal import is_watched
        from ..ui.output import say
        from ..ui.program import running_program

    program = running_program()
    last = program.tasks[-1].name if program and program.tasks else None
    if program and last and is_watched() and program.collection[last].body is assume.body:
        group = last[: last.rfind(".") + 1]
        say(
            "hint",
            "these credentials end with this process: let a task of yours follow, or "
            f"`{group}shell`, `{group}exec` or `{group}env`",
        )


def _exit_with(code: int) -> None:
    if code:
        raise Exit(code=code)
