"""A sign-in URL for the AWS web console.

IAM user guide, "Enable custom identity broker access to the AWS console".
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from urllib.parse import urlencode

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from ..config.settings import LONGEST_SESSION, SHORTEST_SESSION
from ..errors import CredentialsError
from .active import Active
from .environment import environment_before_assume
from .resolve import StsSession

_URL = "TASKS_AWS_URL"  # a variable: other users can read a command line


@dataclass(frozen=True, slots=True)
class Partition:
    """Where one of AWS's partitions has its sign-in and its console."""

    sign_in: str
    console: str


_PARTITIONS = {
    "aws": Partition("https://signin.aws.amazon.com", "https://console.aws.amazon.com"),
    "aws-cn": Partition("https://signin.amazonaws.cn", "https://console.amazonaws.cn"),
    "aws-us-gov": Partition(
        "https://signin.amazonaws-us-gov.com", "https://console.amazonaws-us-gov.com"
    ),
}


def build_sign_in_url(now: Active, environ: dict[str, str], *, service: str | None = None) -> str:
    """Return a URL that opens the console as the active role, for 15 minutes after this call.

    ``AWS_ENDPOINT_URL_SIGNIN`` (else ``AWS_ENDPOINT_URL``) takes the place of AWS's own
    endpoint. Raises `CredentialsError`, never with the request's URL: it holds the secrets.
    """
    partition = _PARTITIONS[partition_of(now.request.region)]
    endpoint = environ.get("AWS_ENDPOINT_URL_SIGNIN") or environ.get("AWS_ENDPOINT_URL")
    federation = f"{(endpoint or partition.sign_in).rstrip('/')}/federation"
    token = _sign_in_token(federation, now)
    page = f"{service}/home?region={now.request.region}" if service else ""
    login = {
        "Action": "login",
        "Issuer": "tasks-aws",
        "Destination": f"{partition.console}/{page}",
        "SigninToken": token,
    }
    return f"{federation}?{urlencode(login)}"


def open_in_browser(url: str) -> bool:
    """Open a URL in the user's browser, and return whether that worked.

    The browser runs other people's code and outlives the session, so it gets the environment
    from before `assume`, and so does the child process that looks for it.
    """
    program = f"import os, sys, webbrowser; sys.exit(not webbrowser.open(os.environ.pop('{_URL}')))"
    child = subprocess.run(
        [sys.executable, "-I", "-c", program],  # -I: not a webbrowser.py of the project's
        env={**environment_before_assume(), _URL: url},
        check=False,
    )
    return child.returncode == 0


def partition_of(region: str) -> str:
    """Return the partition of a region.

    >>> [partition_of(region) for region in ("eu-west-1", "cn-north-1", "us-gov-west-1")]
    ['aws', 'aws-cn', 'aws-us-gov']
    """
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    found = (name for prefix, name in prefixes.items() if region.startswith(prefix))
    return next(found, "aws")


def _sign_in_token(federation: str, now: Active) -> str:
    credentials, identity = now.credentials, now.request.identity
    session = {
        "sessionId": credentials.access_key_id,
        "sessionKey": credentials.secret_access_key,
        "sessionToken": credentials.session_token,
    }
    query = {"Action": "getSigninToken", "Session": json.dumps(session)}
    # AWS refuses SessionDuration for a role that a role assumed, and for what is no role's.
    if isinstance(identity, StsSession) and identity.role_arn and not identity.chained:
        query["SessionDuration"] = str(
            max(SHORTEST_SESSION, min(LONGEST_SESSION, int(credentials.seconds_left())))
        )
    request = AWSRequest("GET", f"{federation}?{urlencode(query)}").prepare()
    try:
        proxies = get_environ_proxies(federation)
        response = URLLib3Session(timeout=30, proxies=proxies).send(request)
    except BotoCoreError:
        # `from None`, and not the error's text: both name the URL, which holds the secrets.
        raise CredentialsError(
            f"Cannot reach {federation}.", fix="Check the network and the proxy."
        ) from None
    try:
        return str(json.loads(response.text)["SigninToken"])
    except (KeyError, TypeError, ValueError):
        raise CredentialsError(
            f"AWS gave no sign-in token for these credentials (HTTP {response.status_code}).",
            why="The console accepts sessions of roles and federated users only.",
            fix="Assume a role; a chained role may be refused.",
        ) from None
