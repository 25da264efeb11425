"""Credentials that renew themselves in child processes, as long as invoke runs.

Children get no keys. They get two ways to ask this process, which alone renews and prompts for MFA
codes: a profile whose credentials come from a program of ours, and the address of a server that
answers as in AWS's containers. Every SDK knows one of them. The user's own AWS config files are
hidden from children, since SDKs would prefer keys in these. No key is written to a file, only the
token of the server.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from os import name as system
from pathlib import Path

from ...errors import CredentialsError
from ...process.loopback import is_local
from ...secret import Secret
from ...ui.output import warn
from ..environment import (
    account_and_region,
    credentials_in_environment,
    environment_before_assume,
    inherited_request,
    only_source,
)
from ..request import Request
from ..values import Credentials
from .private_files import make_private_folder, write_private
from .renewer import Renewer
from .server import SocketServer, running_server

# The settings of a profile that say where its credentials come from, or may contain some.
_OF_CREDENTIALS = re.compile(
    r"aws_|sso_|role_|region$|.*(credential|duration|external_id|key|login|mfa|passw|process|secret"
    r"|source|token)",
    re.IGNORECASE,
)

# Read by tools that know keys only, and would go on to the role of the machine: s3cmd and boto 2.
# They show the line as an error, since it has no name before "="; botocore finds no key in it.
_NO_KEYS = "= This tool cannot renew credentials. Run it with `assume --for`, not --keep-fresh.\n"

_KEY = re.compile(r"^\s*aws_access_key_id\s*[=:]\s*\S", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refreshing:
    """Credentials that renew themselves, and the environment variables that lead to them."""

    renewer: Renewer
    variables: Mapping[str, str]


def refresh_for_children(
    request: Request, credentials: Credentials, renew: Callable[[], Credentials]
) -> Refreshing:
    """Let children have credentials that renew themselves, from now on."""
    _warn_of_other_keys()
    renewer = Renewer(credentials, renew, min_ttl_seconds=request.settings.min_ttl_seconds)
    server = running_server()
    token = server.serve(renewer)
    try:
        folder = make_private_folder()
        command = _command(_asked(folder, renewer, token))
        config = write_private(folder / "config", _config(request, command))
        keys = write_private(folder / "credentials", "")
        variables = {
            **account_and_region(credentials, request.region),
            **only_source(config, keys),
            "AWS_CREDENTIAL_FILE": str(write_private(folder / "no-keys", _NO_KEYS)),
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://{server.host}/",
            # In a file: an environment is read by more programs, and is inherited.
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(write_private(folder / "token", token)),
        }
    except OSError as error:
        raise CredentialsError(
            "Cannot keep the credentials fresh.",
            why=f"Cannot write to the temporary folder: {error.strerror or error}.",
            fix="Free some space, or set TMPDIR to another folder.",
        ) from error
    return Refreshing(renewer=renewer, variables=variables)


@cache
def _warn_of_other_keys() -> None:
    """Say once that some tools look for keys only where the user's own are, if there are any."""
    environ = environment_before_assume()
    if is_local():
        return  # no tool of this command line is to have the user's own
    if inherited_request(environ) and not credentials_in_environment(environ):
        return  # an invoke further up keeps credentials fresh, and has said so
    with suppress(OSError, RuntimeError):  # RuntimeError: nobody knows HOME
        text = Path("~/.aws/credentials").expanduser().read_text(errors="replace")
        if _KEY.search(text):
            warn(
                "~/.aws/credentials has keys. A tool that cannot renew credentials, such as "
                "polars, may use them: run it with `assume --for` instead of --keep-fresh."
            )


def _asked(folder: Path, renewer: Renewer, token: Secret) -> Path:
    """Return what our program is given: the socket to ask, or a file that names the server."""
    if system == "nt":
        return write_private(folder / "server", f"{running_server().host}\n{token}\n")
    return SocketServer(folder / "s", renewer).path  # a short name: some systems allow 103 bytes


def _command(asked: Path) -> str:
    # -I and -S: nothing from the child's environment is imported, and it starts fast.
    program = Path(__file__).with_name("helper.py")
    words = [sys.executable, "-I", "-S", str(program), str(asked)]
    return subprocess.list2cmdline(words) if system == "nt" else shlex.join(words)


def _config(request: Request, command: str) -> str:
    """Return a config file with the profile that asks us, also under its own name.

    It has the other settings of the profile and of its services, such as endpoints.
    """
    config = request.config
    profile = config.in_force(request.profile)
    settings = {
        key: text
        for key, text in profile.items()
        if not (_OF_CREDENTIALS.match(key) or isinstance(text, Secret))
    }
    asking = {"credential_process": command, **settings}
    sections: dict[str, Mapping[str, str]] = {"default": asking}
    if request.profile not in (None, "default"):
        sections[f"profile {_quoted(request.profile)}"] = asking
    services = profile.get("services", "")
    if services in config.services:
        sections[f"services {services}"] = config.services[services]
    return "".join(_section(header, values) for header, values in sections.items())


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name


def _section(header: str, values: Mapping[str, str]) -> str:
    return "\n".join([f"[{header}]", *(_line(*each) for each in values.items()), "", ""])


def _line(key: str, text: str) -> str:
    return f"{key} = " + text.replace("\n", "\n  ")
