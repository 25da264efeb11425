"""The environment variables that hand credentials to child processes and to boto3.

`os.environ` is written by one function, `export`, in the main thread: when `assume` or the first
use of credentials changes who this process is, and when the active credentials were renewed.
Nothing else changes it, not even for a moment: another thread or a child that starts meanwhile
would act as somebody else. What has to run with the user's own variables is given a copy of the
environment that has them: see `environment_before_assume`.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from ..secret import Secret
from .values import Credentials, format_time

# Each of these would take precedence over the exported keys in one SDK or another, or belongs to
# other keys. They are removed, not blanked: botocore takes AWS_PROFILE="" for a profile's name.
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
CREDENTIAL_VARIABLES = (*CONFLICTING, *EXPORTED)

# These stay as the user has them, except while credentials are kept fresh. Then they name files
# of ours, the second group tells a nested invoke where the user's own files are, and the last one
# keeps SDKs from falling back to the machine's own role when a renewal fails.
_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_USERS_FILES = {name: f"TASKS_{name}" for name in _FILES}
_NO_INSTANCE_ROLE = "AWS_EC2_METADATA_DISABLED"
_MANAGED = (*CREDENTIAL_VARIABLES, *_FILES, *_USERS_FILES.values(), _NO_INSTANCE_ROLE)

_original: dict[str, str] | None = None
_lock = threading.RLock()  # `os.environ` may not be copied while it is written


def export(variables: Mapping[str, str]) -> None:
    """Hand credentials to everything that this process starts or does from now on.

    `variables` become the only managed ones. Call it in the main thread only: the environment
    belongs to the whole process.
    """
    global _original  # the environment is the process's, and so is what it was before
    with _lock:
        _original = original()
        others = {name: text for name, text in _original_files().items() if name not in variables}
        # Keys come first, and what conflicts is removed last: a child that starts meanwhile may
        # find keys that do not match, but never none, which would lead it to the user's own.
        os.environ.update({**variables, **others})
        for name in _MANAGED:
            if name not in variables and name not in others:
                os.environ.pop(name, None)
    # A default session made before would go on using the previous keys.
    if "boto3" in sys.modules:
        vars(sys.modules["boto3"])["DEFAULT_SESSION"] = None


def is_exported() -> bool:
    """Return whether this process has handed out credentials by its environment."""
    return _original is not None


def in_main_thread() -> bool:
    """Return whether this is the thread that may change the environment."""
    return threading.current_thread() is threading.main_thread()


def original() -> dict[str, str]:
    """Return the managed variables as they were before the first export of this process."""
    with _lock:
        return _select_managed(os.environ) if _original is None else _original


def environment_before_assume() -> dict[str, str]:
    """Return the whole environment, with the managed variables from before the first export.

    For what runs other people's code and needs no session: builds, installers, a browser, and
    the programs that credentials start from.
    """
    return environment_with(original())


def environment_with(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment, with `variables` as the only managed ones."""
    with _lock:
        rest = {name: text for name, text in os.environ.items() if name not in _MANAGED}
    return {**rest, **_original_files(), **variables}


def exported(credentials: Credentials, region: str) -> dict[str, str]:
    """Return the variables to set; those of `EXPORTED` that are missing are to be removed."""
    variables = {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        **account_and_region(credentials, region),
    }
    if credentials.expiration:
        variables["AWS_CREDENTIAL_EXPIRATION"] = format_time(credentials.expiration)
    return variables


def account_and_region(credentials: Credentials, region: str) -> dict[str, str]:
    """Return the variables that name the account and the region."""
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
        _NO_INSTANCE_ROLE: "true",
    }


def _select_managed(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the managed variables of an environment, the secret ones masked."""
    return {
        name: Secret(environ[name]) if name in _SECRET else environ[name]
        for name in _MANAGED
        if name in environ
    }


def _original_files() -> dict[str, str]:
    return {name: text for name, text in original().items() if name not in CREDENTIAL_VARIABLES}
