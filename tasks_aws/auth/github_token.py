"""The OpenID Connect token of a GitHub Actions job, which GitHub gives to whoever asks in the job.

GitHub documentation, "OpenID Connect reference". A token is valid for minutes, so each session is
opened with a new one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from ..errors import CredentialsError
from ..sdk.http import UnreachableError, get
from ..secret import Secret
from .environment import environment_before_assume
from .resolve import GITHUB_TOKEN
from .values import is_visible_ascii

if TYPE_CHECKING:
    import botocore.session

_AUDIENCE = "sts.amazonaws.com"


def fetch_github_token(session: botocore.session.Session) -> Secret:
    """Ask GitHub for a token of this job. Raises `CredentialsError`."""
    environ = environment_before_assume()
    url, secret = (environ.get(name, "") for name in GITHUB_TOKEN)
    url += f"{'&' if '?' in url else '?'}audience={_AUDIENCE}"
    try:
        response = get(url, session, {"Authorization": f"Bearer {secret}"})
    except UnreachableError as error:
        raise CredentialsError(
            f"GitHub cannot be reached for the token of this job ({error}).",
            fix="Check the network, the proxy and the CA bundle of the runner.",
        ) from None
    try:
        token = json.loads(response.text)["value"]
    except (LookupError, TypeError, ValueError):
        token = None
    if response.status_code != 200 or not is_visible_ascii(token):
        raise CredentialsError(
            f"GitHub gave no token for this job (HTTP {response.status_code}).",
            why="GitHub issues tokens only while the job runs, and only with the permission "
            "`id-token: write`.",
            fix="Run this again; or name the file of another token in AWS_WEB_IDENTITY_TOKEN_FILE.",
        )
    return Secret(token)
