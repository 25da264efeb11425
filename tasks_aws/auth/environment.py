"""The environment variables that hand credentials to child processes and to boto3.

`os.environ` is written by `export` and `put_back` only, in the main thread: when
`assume`, its end or the first use of credentials changes who this process is, when the active
credentials were renewed, and when `local` puts another AWS in place of the real one. Nothing else
changes it, not even for a moment: another thread or a child that starts meanwhile would act as
somebody else. What has to run with the user's own variables is given a copy of the environment that
has them: see `users_environment`.

Beside the credentials stands what an invoke further down needs, or one in a shell that took them:
a fingerprint of the request and of the credentials, and the user's own variables that were
replaced, but for secrets. With these it finds its own request active, and a different request
starts from the user's own source.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from ..process.locking import thread_lock
from ..process.loopback import LOCAL
from ..secret import Secret
from ..ui.output import warn
from .values import Credentials, format_time, parse_time

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
)
# Removed where they are set: keys for one service, such as Bedrock, and what leads to other keys.
CONFLICTING_KINDS = (
    "AWS_BEARER_TOKEN_",
    "AWS_CONTAINER_AUTHORIZATION_",
    "AWS_CONTAINER_CREDENTIALS_",
)
# Other names for a key, in the SDKs for Java and Go, Rust's object_store and old tools.
OTHER_NAMES = (
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_TOKEN",
    "AWS_DELEGATION_TOKEN",
    "AMAZON_ACCESS_KEY_ID",
    "AMAZON_SECRET_ACCESS_KEY",
    "EC2_SECURITY_TOKEN",
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
CREDENTIAL_VARIABLES = (*CONFLICTING, *EXPORTED)

# These stay as the user has them, except while credentials are kept fresh.
_NO_INSTANCE_ROLE = "AWS_EC2_METADATA_DISABLED"
_OTHERS = (
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CREDENTIAL_PROFILES_FILE",
    "CPL_AWS_CREDENTIALS_FILE",
    "AWS_SDK_LOAD_CONFIG",
    _NO_INSTANCE_ROLE,
)

# What leads to AWS, to credentials for it, or to GitHub, which gives tokens for them.
_AWS = ("AWS_", "ACTIONS_ID_TOKEN_REQUEST_", "BOTO_CONFIG", LOCAL)
_THIS_MACHINE = ("127.0.0.1", "localhost")

_OWN = "TASKS_"  # before the name of a variable that was replaced: the user's own value
# The fingerprint: of the request, of the credentials, and the region that was exported.
_REQUEST = "TASKS_AWS_REQUEST"
# Names of variables: the user's that hold secrets, and were replaced; the user's that are exported
# as they were; those that the user does not have.
_LOST, _KEPT, _ADDED = "TASKS_AWS_LOST", "TASKS_AWS_KEPT", "TASKS_AWS_ADDED"
_MARKERS = (_REQUEST, _LOST, _KEPT, _ADDED)
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
# What belongs to a key that is lost is not kept, either.
_OF_KEYS = ("AWS_CREDENTIAL_EXPIRATION", "AWS_ACCOUNT_ID")

# What this process runs below: digests of credential processes, and the cache keys of the sessions
# whose locks the processes further up hold until these have ended.
RUNNING = "TASKS_AWS_RUNNING"

_original: dict[str, str] | None = None
_lock = thread_lock()  # `os.environ` may not be copied while it is written


def export(variables: Mapping[str, str]) -> None:
    """Hand credentials to everything that this process starts or does from now on.

    `variables` become the only managed ones. Call it in the main thread only: the environment
    belongs to the whole process.
    """
    global _original  # the environment is the process's, and so is what it was before
    with _lock:
        if _original is None and _default_session():
            warn(
                "boto3 was used before `assume`: clients that it has created keep the credentials "
                "of then. Create them in the task."
            )
        _original = original()
        _write(environment_with(variables))
    _forget_default_session()


def restore() -> None:
    """Make the environment what it was before the first export. In the main thread only."""
    put_back(environment_before_assume())


def replace_aws(variables: Mapping[str, str]) -> None:
    """Leave everything from now on `variables`, and nothing else that leads to AWS but a region.

    It is what `restore` goes back to, too. In the main thread only.
    """
    put_back({**environment_without_aws(), **variables})


def put_back(environ: Mapping[str, str]) -> None:
    """Make the environment another one, as if nothing were exported. In the main thread only."""
    global _original
    with _lock:
        _write(environ)
        _original = None
    _forget_default_session()


def environment_without_aws() -> dict[str, str]:
    """Return the whole environment without anything that leads to AWS but a region."""
    kept = {
        name: text
        for name, text in users_environment().items()
        if name in _REGIONS
        or not (name.startswith(_AWS) or name in _OTHERS or _is_credential(name))
    }
    return {**kept, **_without_proxy(kept)}


def _without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which no proxy is asked for what is on this machine."""
    if not any(name.lower().endswith("_proxy") for name in environ):
        return {}
    before = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    hosts = before if before == "*" else ",".join(filter(None, [before, *_THIS_MACHINE]))
    return {"no_proxy": hosts, "NO_PROXY": hosts}


def snapshot() -> dict[str, str]:
    """Return a copy of the whole environment, in any thread."""
    with _lock:
        return dict(os.environ)


def in_main_thread() -> bool:
    """Return whether this is the thread that may change the environment."""
    return threading.current_thread() is threading.main_thread()


def running_above() -> list[str]:
    """Return the credential processes that this process runs below, and the sessions they are for.

    The former are digests, the latter cache keys, whose locks processes further up hold.
    """
    return os.environ.get(RUNNING, "").split()


def original() -> dict[str, str]:
    """Return the managed variables as they were before the first export of this process.

    The secret ones are masked.
    """
    with _lock:
        if _original is not None:
            return _original
        return {
            name: Secret(text) if _is_secret(name) else text
            for name, text in os.environ.items()
            if _is_managed(name, os.environ)
        }


def environment_before_assume() -> dict[str, str]:
    """Return the whole environment, with the managed variables from before the first export.

    An `assume` further up may have exported its own: see `users_environment`.
    """
    return {**_unmanaged(), **original()}


def users_environment() -> dict[str, str]:
    """Return the whole environment without the session of any `assume`, also one further up.

    For what runs other people's code and needs no session: builds, installers, Git, a browser, and
    the programs that credentials start from.
    """
    return users_own(environment_before_assume())


def environment_with(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment, with `variables` as the only managed ones."""
    users = users_environment()
    kept = {name: users[name] for name in _OTHERS if name in users}
    return {**_unmanaged(), **kept, **variables}


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


def only_source(config: Path, keys: Path) -> dict[str, str]:
    """Return the variables that leave children these files as the only ones with credentials.

    The last one keeps SDKs from falling back to the machine's own role when a renewal fails.
    """
    return {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(keys),
        "AWS_CREDENTIAL_PROFILES_FILE": str(config),  # Java's SDK v1 reads one file only
        "CPL_AWS_CREDENTIALS_FILE": str(keys),  # GDAL has a name of its own
        "AWS_SDK_LOAD_CONFIG": "1",  # older SDKs read the config file only then
        _NO_INSTANCE_ROLE: "true",
    }


def with_fingerprint(variables: Mapping[str, str], request: str) -> dict[str, str]:
    """Return the variables together with what an invoke further down needs.

    `request` is a digest of what was asked for.
    """
    users = users_environment()
    replaced = {
        name: text
        for name, text in users.items()
        if (_is_credential(name) or name in variables) and variables.get(name) != text
    }
    own = {
        f"{_OWN}{name}": text
        for name, text in replaced.items()
        if not _is_secret(name) and name not in _OF_KEYS
    }
    names = {
        _LOST: filter(_is_secret, replaced),
        _KEPT: (name for name in EXPORTED if name in users and name not in replaced),
        _ADDED: (name for name in variables if name not in users and name not in EXPORTED),
    }
    lists = {marker: ",".join(sorted(found)) for marker, found in names.items()}
    fingerprint = (request, _digest(variables), variables["AWS_REGION"])
    return {
        **variables,
        **own,
        **{marker: text for marker, text in lists.items() if text},
        _REQUEST: ":".join(fingerprint),
    }


def inherited_request(environ: Mapping[str, str]) -> str | None:
    """Return the digest of the request that an environment has credentials for, or None."""
    request, credentials, _ = _fingerprint(environ)
    return request if request and credentials == _digest(environ) else None


def users_own(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment as it was before any `assume`, also one further up.

    What the user has set since then counts before what it was.
    """
    ours = inherited_request(environ) is not None
    region = _fingerprint(environ)[2]
    added, kept = _names(environ, _ADDED), _names(environ, _KEPT)
    if "AWS_ACCESS_KEY_ID" in kept:
        kept += ["AWS_CREDENTIAL_EXPIRATION"]
    own = {
        name: text
        for name, text in environ.items()
        if not (
            _is_marker(name)
            or name in added
            or (name in _OTHERS and f"{_OWN}{name}" in environ)
            or (ours and name in EXPORTED and name not in kept)
        )
        or (ours and name in _REGIONS and text != region)
    }
    for name, text in environ.items():
        replaced = _replaced_by(name)
        if replaced and (ours or not _is_credential(replaced)):
            own.setdefault(replaced, text)
    return own


def credentials_in_environment(environ: Mapping[str, str]) -> Credentials | None:
    """Return the credentials that an `assume` has exported, or None if they are kept fresh."""
    if not environ.get("AWS_ACCESS_KEY_ID"):
        return None
    end = environ.get("AWS_CREDENTIAL_EXPIRATION")
    return Credentials(
        access_key_id=environ["AWS_ACCESS_KEY_ID"],
        secret_access_key=Secret(environ.get("AWS_SECRET_ACCESS_KEY", "")),
        session_token=Secret(environ.get("AWS_SESSION_TOKEN", "")),
        expiration=parse_time(end) if end else None,
        account_id=environ.get("AWS_ACCOUNT_ID"),
    )


def added_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what an `assume` further up has added besides credentials and their files."""
    names = _names(environ, _ADDED)
    return {
        name: environ[name]
        for name in names
        if name in environ and name not in _OTHERS and not _is_credential(name)
    }


def lost_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the names of the user's own variables that an `assume` further up has replaced."""
    return _names(environ, _LOST)


def superfluous(variables: Mapping[str, str]) -> list[str]:
    """Return the names of the variables that a shell with `variables` must not have.

    Those that conflict are always among them, since the shell may have others than this process.
    """
    before = environment_before_assume()
    found = (name for name in before if _is_managed(name, before) and name not in _OTHERS)
    return [
        name for name in dict.fromkeys([*CREDENTIAL_VARIABLES, *found]) if name not in variables
    ]


def _write(environ: Mapping[str, str]) -> None:
    """Make `os.environ` this environment."""
    superfluous = [name for name in os.environ if name not in environ]
    # Keys come first, and what conflicts is removed last: a child that starts meanwhile may find
    # keys that do not match, but never none, which would lead it to the user's own.
    os.environ.update(
        {name: text for name, text in environ.items() if os.environ.get(name) != text}
    )
    for name in superfluous:
        os.environ.pop(name, None)


def _forget_default_session() -> None:
    """Let boto3 make a new default session: one made before would go on using the previous keys."""
    if _default_session():
        vars(sys.modules["boto3"])["DEFAULT_SESSION"] = None


def _default_session() -> object:
    return getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)


def _unmanaged() -> dict[str, str]:
    with _lock:
        return {
            name: text for name, text in os.environ.items() if not _is_managed(name, os.environ)
        }


def _fingerprint(environ: Mapping[str, str]) -> tuple[str, str, str]:
    request, credentials, region, *_ = [*environ.get(_REQUEST, "").split(":"), "", "", ""]
    return request, credentials, region


def _names(environ: Mapping[str, str], marker: str) -> list[str]:
    return [*filter(None, environ.get(marker, "").split(","))]


def _is_managed(name: str, environ: Mapping[str, str]) -> bool:
    """Return whether a variable is replaced as a whole by an export."""
    return (
        _is_credential(name)
        or name in _OTHERS
        or _is_marker(name)
        or name in _names(environ, _ADDED)
    )


def _is_credential(name: str) -> bool:
    known = name in CREDENTIAL_VARIABLES or name in OTHER_NAMES
    return known or name.startswith(CONFLICTING_KINDS)


def _is_marker(name: str) -> bool:
    return name in _MARKERS or _replaced_by(name) is not None


def _replaced_by(name: str) -> str | None:
    """Return the variable whose own value a marker holds, or None if it is no such marker."""
    replaced = name.removeprefix(_OWN)
    known = replaced in _OTHERS or _is_credential(replaced)
    return replaced if known and replaced != name else None


def _is_secret(name: str) -> bool:
    parts = ("ACCESS_KEY", "SECRET", "TOKEN")
    return _is_credential(name) and any(map(name.__contains__, parts)) and name[-5:] != "_FILE"


def _digest(variables: Mapping[str, str]) -> str:
    """Return a digest of whose credentials the variables hold or, kept fresh, lead to."""
    whose = variables.get("AWS_ACCESS_KEY_ID") or variables.get("AWS_CONFIG_FILE", "")
    what = (whose, *(variables.get(name, "") for name in _OF_KEYS))
    return hashlib.sha256(" ".join(what).encode()).hexdigest()[:16]
