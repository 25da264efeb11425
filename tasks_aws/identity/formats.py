"""Credentials as text for a shell or a tool: what `env` prints."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping

from .credentials import Credentials, format_time
from .environment import MANAGED, exported

Format = Callable[[Credentials, str], str]


def bash(credentials: Credentials, region: str) -> str:
    """Return lines for ``eval`` in bash, zsh and sh; conflicting variables are unset."""
    variables = exported(credentials, region)
    lines = [f"export {name}={shlex.quote(text)}" for name, text in variables.items()]
    return "\n".join([*lines, "unset " + " ".join(_removed(variables))])


def credential_process(credentials: Credentials, region: str) -> str:
    """Return what AWS's tools expect of a ``credential_process``."""
    answer = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
    }
    if credentials.expiration:
        answer["Expiration"] = format_time(credentials.expiration)
    if credentials.account_id:
        answer["AccountId"] = credentials.account_id
    return json.dumps(answer, indent=2)


def redshift(credentials: Credentials, region: str) -> str:
    """Return the string after ``CREDENTIALS`` in Redshift's COPY and UNLOAD."""
    return (
        f"aws_access_key_id={credentials.access_key_id};"
        f"aws_secret_access_key={credentials.secret_access_key};"
        f"token={credentials.session_token}"
    )


FORMATS: Mapping[str, Format] = {
    "bash": bash,
    "json": credential_process,
    "redshift": redshift,
}


def _removed(variables: Mapping[str, str]) -> list[str]:
    return [name for name in MANAGED if name not in variables]
