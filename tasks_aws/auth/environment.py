"""The environment variables that hand credentials to child processes and to boto3."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from ..secret import Secret
from .values import Credentials, format_time

# Each of these would win over the exported keys in one SDK or another, or belongs to other
# keys. They are removed, not blanked: botocore takes AWS_PROFILE="" for a profile's name.
CONFLICTING = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CREDENTIAL_FILE",
    "AWS_SDK_LOAD_CONFIG",
)
EXPORTED = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_ACCOUNT_ID",
)
_SECRET = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)
MANAGED = (*CONFLICTING, *EXPORTED)

# These stay as the user has them, except while credentials are kept fresh. Then they name files
# of ours, the second ones tell an invoke inside where the user's own files are, and the last keeps
# SDKs from going on to the machine's own role when a renewal fails.
_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_USERS_FILES = {name: f"TASKS_{name}" for name in _FILES}
_NO_MACHINE = "AWS_EC2_METADATA_DISABLED"
_HANDLED = (*MANAGED, *_FILES, *_USERS_FILES.values(), _NO_MACHINE)


def exported(credentials: Credentials, region: str) -> dict[str, str]:
    """Return the variables to set; what of `EXPORTED` is not among them is to be removed."""
    variables = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        **place(credentials, region),
    }
    if credentials.expiration:
        variables["AWS_CREDENTIAL_EXPIRATION"] = format_time(credentials.expiration)
    return variables


def place(credentials: Credentials, region: str) -> dict[str, str]:
    """Return the variables that say where the credentials lead."""
    regions = {
        "AWS_REGION": region,  # most SDKs read this one
        "AWS_DEFAULT_REGION": region,  # boto3 reads only this one
    }
    account = credentials.account_id
    return {**regions, "AWS_ACCOUNT_ID": account} if account else regions


def with_users_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment that names the user's own AWS config files, also inside `assume`."""
    kept = {name: environ[own] for name, own in _USERS_FILES.items() if own in environ}
    return {**environ, **kept}


def only_source(config: Path, keys: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that leave children these files as the only source of credentials."""
    users = with_users_files(environ)
    return {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(keys),
        **{own: users.get(name, "") for name, own in _USERS_FILES.items()},
        _NO_MACHINE: "true",
    }


def replace_managed(variables: Mapping[str, str]) -> None:
    """Make `variables` the only managed ones in this process's environment."""
    for name in _HANDLED:
        if name in variables:
            os.environ[name] = variables[name]
        else:
            os.environ.pop(name, None)
    # A default session made before would go on using the keys of before.
    if "boto3" in sys.modules:
        vars(sys.modules["boto3"])["DEFAULT_SESSION"] = None


_original: dict[str, str] | None = None


def original() -> dict[str, str]:
    """Return the managed variables as they were before the first export of this process."""
    return managed(os.environ) if _original is None else _original


def export(variables: Mapping[str, str]) -> None:
    """Hand credentials to everything that this process starts or does from now on."""
    global _original  # the environment is the process's, and so is what it was before
    _original = original()
    replace_managed({**_originals_kept(), **variables})


def environment_before_assume() -> dict[str, str]:
    """Return this process's environment, with the managed variables of before any export."""
    return with_managed(original())


def as_before_export() -> AbstractContextManager[None]:
    """Let what is started meanwhile see the managed variables as they were before any export.

    For what runs other people's code and needs no session: builds, installers, a browser.
    """
    return nullcontext() if _original is None else temporarily(_original)


def managed(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the managed variables of an environment, the secret ones masked."""
    return {
        name: Secret(environ[name]) if name in _SECRET else environ[name]
        for name in _HANDLED
        if name in environ
    }


UNCHANGED = threading.RLock()  # held by `temporarily`, and by who reads the whole `os.environ`


def with_managed(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with `variables` as the only managed ones."""
    with UNCHANGED:
        rest = {name: text for name, text in os.environ.items() if name not in _HANDLED}
    return {**rest, **_originals_kept(), **variables}


def _originals_kept() -> dict[str, str]:
    return {name: text for name, text in original().items() if name not in MANAGED}


@contextmanager
def temporarily(variables: Mapping[str, str]) -> Iterator[None]:
    """Let `variables` be the only managed ones for a while: botocore reads `os.environ` itself.

    Threads, each with a target of its own, take turns.
    """
    with UNCHANGED:
        before = managed(os.environ)
        replace_managed(variables)
        try:
            yield
        finally:
            replace_managed(before)
