"""What `whoami`, `env` and `sessions` print."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from invoke.context import Context

from ..errors import CredentialsError, SettingsError
from ..process.importing import own_imports
from ..process.loopback import is_local
from ..text.as_typed import command
from ..ui.output import format_duration, print_result, print_table, suggest
from .active import active
from .cache.entries import Entry
from .formats import FORMATS, github_masks, render
from .values import format_time


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The identity of the active credentials, as AWS reports it."""

    arn: str
    account: str
    user_id: str
    region: str
    source: str
    expiration: str | None  # UTC
    seconds_left: float | None  # None, like `expiration`, if that is unknown


def get_report(c: Context) -> Report:
    """Ask AWS whose credentials are active."""
    with own_imports():
        from .obtain import sts_of

    now = active(c)
    request, credentials = now.request, now.credentials
    caller = sts_of(request).caller(credentials)
    return Report(
        arn=caller.arn,
        account=caller.account_id,
        user_id=caller.user_id,
        region=request.region,
        source=str(request.identity),
        expiration=format_time(credentials.expiration) if credentials.expiration else None,
        seconds_left=credentials.seconds_left() if credentials.expiration else None,
    )


def format_report(found: Report) -> str:
    """Return the report for people."""
    left = found.seconds_left
    rows = {
        "arn": found.arn,
        "account": found.account,
        "region": found.region,
        "session": "expiry unknown"
        if left is None
        else f"{format_duration(left)} left, until {found.expiration}",
        "source": found.source,
    }
    return "\n".join(f"{name:<8} {text}" for name, text in rows.items())


def format_json(found: Report) -> str:
    """Return the report for programs; the first three keys are those of GetCallerIdentity."""
    return json.dumps(
        {
            "UserId": found.user_id,
            "Account": found.account,
            "Arn": found.arn,
            "Region": found.region,
            "Source": found.source,
            "Expiration": found.expiration,
            "SecondsLeft": None if found.seconds_left is None else int(found.seconds_left),
        },
        indent=2,
    )


_RECIPES = {
    **dict.fromkeys(["bash", "zsh", "sh"], 'creds=$({}) && eval "$creds"'),
    "fish": "set -l creds ({} --format fish); and printf '%s\\n' $creds | source",
}


def check_can_print(name: str, *, show: bool) -> None:
    """Raise the error of what `print_credentials` does not do, which needs no credentials."""
    if name not in FORMATS:
        raise SettingsError(
            f"`--format` must be one of {', '.join(FORMATS)}, got {name!r}.",
            fix=suggest(name, list(FORMATS)),
        )
    if is_local():
        raise CredentialsError(
            "`env` prints no credentials of an embedded AWS.",
            why="A program that used them would send its requests to the real AWS endpoints.",
            fix="Run the command here, with `exec -- COMMAND`, or in `shell`.",
        )
    if sys.stdout.isatty() and not show:
        raise CredentialsError(
            "`env` does not print secrets to a terminal.",
            why="They would stay in its scrollback.",
            fix=f"Use it as {_RECIPES[name].format(command('assume env'))}, or pass --show."
            if name in _RECIPES
            else "Redirect the output to the program that takes it, or pass --show.",
        )
    if name == "github" and not os.environ.get("GITHUB_ENV"):
        raise CredentialsError(
            "`--format github` needs the variable GITHUB_ENV, which is not set.",
            why="It names the file from which GitHub Actions takes variables.",
            fix="Use this format in a step of a GitHub Actions workflow.",
        )


def print_credentials(c: Context, name: str) -> None:
    """Print the credentials in a format."""
    now = active(c)
    text = render(name, now.handover)
    if name == "github":
        print_result(github_masks(now.credentials))  # before anything can print them
        with Path(os.environ["GITHUB_ENV"]).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    else:
        print_result(text)


def print_sessions(entries: list[Entry]) -> None:
    """Print a table of the cached sessions, those with the most time left first."""
    rows = (
        (
            format_duration(entry.credentials.seconds_left()) + " left"
            if entry.credentials.seconds_left() > 0
            else "expired",
            entry.credentials.account_id or "-",
            entry.name + ("" if entry.ours else "  (AWS CLI)"),
        )
        for entry in sorted(entries, key=lambda entry: -entry.credentials.seconds_left())
    )
    print_table(("expiry", "account", "session"), rows, result=True)
