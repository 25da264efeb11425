"""A sign-in URL for the AWS web console.

IAM user guide, "Enable custom identity broker access to the AWS console".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlencode

from ..config.settings import LONGEST_SESSION, SHORTEST_SESSION
from ..errors import CredentialsError
from ..sdk.http import UnreachableError, get
from .active import Active
from .aws_config import endpoint_of
from .boto_session import botocore_session
from .identity import StsSession
from .partitions import partition_of


@dataclass(frozen=True, slots=True)
class Partition:
    """Where one of AWS's partitions has its sign-in and its console."""

    domain: str
    regional: bool = True  # only hosts of a region are documented

    def host(self, name: str, region: str) -> str:
        """Return the URL of `signin` or `console`."""
        return f"https://{f'{region}.' if self.regional else ''}{name}.{self.domain}"


# The global hosts are those of the IAM user guide. The domains of the others are those of the
# service `signin` in AWS's SDKs; in each partition, the console is beside the sign-in.
_PARTITIONS = {
    "aws": Partition("aws.amazon.com", regional=False),
    "aws-cn": Partition("amazonaws.cn", regional=False),
    "aws-eusc": Partition("amazonaws-eusc.eu"),
    "aws-iso": Partition("c2shome.ic.gov"),
    "aws-iso-b": Partition("sc2shome.sgov.gov"),
    "aws-iso-e": Partition("csphome.adc-e.uk"),
    "aws-iso-f": Partition("csphome.hci.ic.gov"),
    "aws-us-gov": Partition("amazonaws-us-gov.com", regional=False),
}


def build_sign_in_url(now: Active, environ: dict[str, str], *, service: str | None = None) -> str:
    """Return a URL that opens the console as the active role, for 15 minutes after this call.

    An endpoint that is configured for the service `signin` takes the place of AWS's own. Raises
    `SettingsError` for a region whose partition is unknown, before anything is sent, and
    `CredentialsError`, never with the request's URL: it holds the secrets.
    """
    request = now.request
    region, partition = request.region, _PARTITIONS[partition_of(request.region)]
    profile = request.config.in_force(request.profile)
    endpoint = endpoint_of("signin", request.config, profile, environ)
    base = endpoint.rstrip("/") or partition.host("signin", region)
    token = _sign_in_token(base, now)
    page = f"{service}/home?region={region}" if service else ""
    login = {
        "Action": "login",
        "Issuer": "tasks-aws",
        "Destination": f"{partition.host('console', region)}/{page}",
        "SigninToken": token,
    }
    return f"{base}/federation?{urlencode(login)}"


def _sign_in_token(base: str, now: Active) -> str:
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
    session_of_profile = botocore_session(now.request.profile, now.request.config.files)
    try:
        response = get(f"{base}/federation?{urlencode(query)}", session_of_profile)
    except UnreachableError as error:
        raise CredentialsError(
            f"Cannot reach {base}/federation ({error}).",
            fix="Check the network, the proxy and the CA bundle.",
        ) from None
    try:
        return str(json.loads(response.text)["SigninToken"])
    except (KeyError, TypeError, ValueError):
        raise _refusal(base, response.status_code) from None


def _refusal(base: str, status: int) -> CredentialsError:
    if status in (200, 404, 405, 501):
        return CredentialsError(
            f"The endpoint {base} has no sign-in service (HTTP {status}).",
            why="Emulators of AWS have no web console.",
            fix="Check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_SIGNIN and the profile's endpoint_url.",
        )
    what = f"{base} gave no sign-in token for these credentials (HTTP {status})."
    if status in (400, 401, 403):
        return CredentialsError(
            what,
            why="The console accepts sessions of roles and federated users only.",
            fix="Assume a role; a chained role may be refused.",
        )
    return CredentialsError(what, fix="Check the network and the proxy, then run this again.")
