"""Credentials as text for a shell or a tool: what `env` prints.

Each format quotes by the rules of the shell that reads it. Shells are also told to unset the
variables that conflict with the credentials.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import CredentialsError
from .values import Credentials, format_time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Handover:
    """What a format is made of."""

    credentials: Credentials
    region: str
    variables: Mapping[str, str]  # to set
    superfluous: Sequence[str] = ()  # names of variables to unset


Format = Callable[[Handover], str]


def render(name: str, given: Handover) -> str:
    """Return the credentials in one of `FORMATS`. Raises `CredentialsError` for unsafe values."""
    for variable, text in given.variables.items():
        if not text.isprintable():  # no line break may end a quotation
            raise CredentialsError(
                f"{variable} contains a control character, such as a line break.",
                why="It cannot be passed to a shell safely, and AWS issues no such value.",
                fix="Check the source of the credentials.",
            )
    return FORMATS[name](given)


def _shell(assign: Callable[[str, str], str], remove: Callable[[str], str]) -> Format:
    """Return a format of one line for each variable to set, and for each to remove."""

    def text(given: Handover) -> str:
        lines = [assign(name, str(value)) for name, value in given.variables.items()]
        lines += [remove(name) for name in given.superfluous]
        return "\n".join(lines)

    return text


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _fish(shell: Format) -> Format:
    """Return the format of fish, whose universal variables nothing else can keep from children.

    Without a scope, `set -e` would erase one for good. One that would conflict is an error, and
    nothing is set.
    """

    def text(given: Handover) -> str:
        lines = shell(given)
        removed = "|".join(re.findall(r"^set -eg (\w+)$", lines, re.MULTILINE))
        refusal = (
            "The universal variable $1 would override the credentials. "
            "Stop exporting it: set -Uu $1 $$$1"
        )
        return "\n".join(
            [
                f"if set -nUx | string replace -rf '^({removed})$' '{refusal}' >&2",
                "false",
                "else",
                lines,
                "true",  # not the status of `set -eg` for a variable that was not there
                "end",
            ]
        )

    return text


def _powershell_quoted(text: str) -> str:
    # PowerShell accepts typographic quotes as quotes, too; doubled, each stands for itself.
    return "'" + re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", text) + "'"


def _check_without(signs: str, name: str, text: str) -> str:
    """Return a string that contains none of the characters that the format cannot quote."""
    if any(sign in text for sign in signs):
        raise CredentialsError(
            f"{name} contains a character that this format cannot express safely.",
            why=f"It is one of {signs}; AWS issues no such value.",
            fix="Check the source of the credentials, or use another format.",
        )
    return text


_CMD = '"%!'  # cmd expands % and ! even inside quotes


def _cmd_assignment(name: str, text: str) -> str:
    return f'set "{name}={_check_without(_CMD, name, text)}"'


def _dotenv(given: Handover) -> str:
    lines = []
    for name, text in given.variables.items():
        if not re.fullmatch(r"[\w./+=:@-]+", text, re.ASCII):
            text = '"' + re.sub(r'(["\\$`])', r"\\\1", text) + '"'
        lines.append(f"{name}={text}")
    return "\n".join(lines)


def _ini(given: Handover) -> str:
    credentials = given.credentials
    return "\n".join(
        [
            "[default]",
            f"aws_access_key_id = {credentials.access_key_id}",
            f"aws_secret_access_key = {credentials.secret_access_key}",
            f"aws_session_token = {credentials.session_token}",
            f"region = {given.region}",
        ]
    )


def credential_process_output(credentials: Credentials) -> dict[str, object]:
    """Return what a credential_process prints."""
    answer: dict[str, object] = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
    }
    if credentials.expiration:
        answer["Expiration"] = format_time(credentials.expiration)
    if credentials.account_id:
        answer["AccountId"] = credentials.account_id
    return answer


def _credential_process(given: Handover) -> str:
    return json.dumps(credential_process_output(given.credentials), indent=2)


def _github(given: Handover) -> str:
    """Return lines for the file that GITHUB_ENV names; see `github_masks`."""
    return "\n".join(f"{name}={text}" for name, text in given.variables.items())


def github_masks(credentials: Credentials) -> str:
    """Return the commands that make GitHub Actions mask the secrets in all later output."""
    secrets = (credentials.secret_access_key, credentials.session_token)
    return "\n".join(f"::add-mask::{secret}" for secret in secrets)


_SQL = "';\\"  # characters that end a string or a part of it


def _redshift(given: Handover) -> str:
    credentials = given.credentials
    parts = {
        "aws_access_key_id": credentials.access_key_id,
        "aws_secret_access_key": credentials.secret_access_key,
        "token": credentials.session_token,
    }
    return ";".join(f"{name}={_check_without(_SQL, name, text)}" for name, text in parts.items())


def _redshift_keys(given: Handover) -> str:
    credentials = given.credentials
    parts = {
        "ACCESS_KEY_ID": credentials.access_key_id,
        "SECRET_ACCESS_KEY": credentials.secret_access_key,
        "SESSION_TOKEN": credentials.session_token,
    }
    return " ".join(f"{name} '{_check_without(_SQL, name, text)}'" for name, text in parts.items())


_posix = _shell(
    lambda name, text: f"export {name}={shlex.quote(text)}", lambda name: f"unset {name}"
)

# nushell and JSON write strings alike, but for non-ASCII, which stays as it is.
FORMATS: Mapping[str, Format] = {
    "bash": _posix,
    "zsh": _posix,
    "sh": _posix,
    "fish": _fish(
        _shell(
            lambda name, text: f"set -gx {name} {_fish_quoted(text)}",
            lambda name: f"set -eg {name}",
        )
    ),
    "powershell": _shell(
        lambda name, text: f"$env:{name} = {_powershell_quoted(text)}",
        lambda name: f"Remove-Item Env:{name} -ErrorAction SilentlyContinue",
    ),
    "cmd": _shell(_cmd_assignment, lambda name: f'set "{name}="'),
    "xonsh": _shell(
        lambda name, text: f"${name} = {text!r}", lambda name: f"__xonsh__.env.pop({name!r}, None)"
    ),
    "nushell": _shell(
        lambda name, text: f"$env.{name} = {json.dumps(text, ensure_ascii=False)}",
        lambda name: f"hide-env --ignore-errors {name}",
    ),
    "json": _credential_process,
    "dotenv": _dotenv,
    "ini": _ini,
    "github": _github,
    "redshift": _redshift,
    "redshift-keys": _redshift_keys,
}
