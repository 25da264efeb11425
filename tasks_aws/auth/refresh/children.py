"""Credentials that renew themselves in child processes, as long as invoke runs.

Children get no keys. They get a profile whose credentials come from a program of ours
(`keep_fresh: true`), or the address of a server (`keep_fresh: endpoint`). The user's own AWS config
files are hidden from them, since SDKs would prefer keys in these to a server. Program and server
ask this process: it alone renews and prompts for MFA codes. No key is written to a file: the files
contain the token of the server, which is worthless once this process has ended.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import name as system
from pathlib import Path

from ...errors import CredentialsError
from ...secret import Secret
from ..environment import account_and_region, only_source
from ..request import Request
from ..values import Credentials
from .private_files import make_private_folder, write_private
from .renewer import Renewer
from .server import running_server

# The settings of a profile that say where its credentials come from, or may contain some.
_OF_CREDENTIALS = re.compile(
    r"aws_|sso_|role_|region$|.*(credential|duration|external_id|key|login|mfa|passw|process|secret"
    r"|source|token)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Refreshing:
    """Credentials that renew themselves, and the environment variables that lead to them."""

    renewer: Renewer
    variables: Mapping[str, str]


def refresh_for_children(
    request: Request, credentials: Credentials, renew: Callable[[], Credentials]
) -> Refreshing:
    """Let children have credentials that renew themselves, from now on."""
    renewer = Renewer(credentials, renew, min_ttl_seconds=request.settings.min_ttl_seconds)
    server = running_server()
    token = server.serve(renewer)
    variables = account_and_region(credentials, request.region)
    lines = _other_settings(request)
    try:
        folder = make_private_folder()
        if request.settings.keep_fresh == "endpoint":
            variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://{server.host}/"
            variables["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = token
        else:
            file = write_private(folder / "server", f"{server.host}\n{token}\n")
            lines = [f"credential_process = {_command(file)}", *lines]
            variables["AWS_SDK_LOAD_CONFIG"] = "1"  # older SDKs read the config file only then
        config = write_private(folder / "config", "\n".join(["[default]", *lines, ""]))
        keys = write_private(folder / "credentials", "")
    except OSError as error:
        raise CredentialsError(
            "Cannot keep the credentials fresh.",
            why=f"Cannot write to the temporary folder: {error.strerror}.",
            fix="Free some space, or set TMPDIR to another folder.",
        ) from error
    return Refreshing(renewer=renewer, variables={**variables, **only_source(config, keys)})


def _command(file: Path) -> str:
    # -I and -S: nothing from the child's environment is imported, and it starts fast.
    program = Path(__file__).with_name("helper.py")
    words = [sys.executable, "-I", "-S", str(program), str(file)]
    return subprocess.list2cmdline(words) if system == "nt" else shlex.join(words)


def _other_settings(request: Request) -> list[str]:
    """Return the lines of the profile, and of its services, that are not about credentials.

    So children find the other settings of the profile, such as endpoints.
    """
    config = request.config
    profile = config.in_force(request.profile)
    lines = [
        _line(key, text)
        for key, text in profile.items()
        if not (_OF_CREDENTIALS.match(key) or isinstance(text, Secret))
    ]
    services = profile.get("services", "")
    if services in config.services:
        lines += [f"[services {services}]"]
        lines += [_line(key, text) for key, text in config.services[services].items()]
    return lines


def _line(key: str, text: str) -> str:
    return f"{key} = " + text.replace("\n", "\n  ")
