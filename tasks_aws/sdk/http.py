"""GET requests that are no API calls, made the way botocore makes its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from ..process.loopback import check_loopback
from .connections import share_context

if TYPE_CHECKING:
    import botocore.session


class UnreachableError(Exception):
    """There was no response; the text is the kind of the failure, such as ``SSLError``."""


def get(
    url: str, session: botocore.session.Session, headers: Mapping[str, str] | None = None
) -> Any:
    """Return the response to a GET request, which the clients of `session` would send alike.

    Proxies come from the environment, and the CA bundle from there or from the profile, in
    botocore's order. Raises `UnreachableError`, never with the URL: it may hold secrets.
    """
    check_loopback(url)
    verify: Any = (
        session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE") or True
    )
    try:
        http = URLLib3Session(proxies=get_environ_proxies(url), verify=verify)
        share_context(http)
        return http.send(AWSRequest("GET", url, headers=headers).prepare())
    except BotoCoreError as error:
        raise UnreachableError(type(error).__name__) from None  # botocore's text has the URL
