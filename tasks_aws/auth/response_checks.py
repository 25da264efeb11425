"""Checks of HTTP responses that are cut short, or do not come from AWS."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import botocore.session
from botocore.client import BaseClient
from botocore.exceptions import BotoCoreError, ConnectionClosedError, HTTPClientError
from botocore.parsers import ResponseParserError

_WITHOUT_BODY = (204, 304)  # whatever length they announce
# Statuses that AWS's own front end may send as HTML; botocore knows what they mean.
_HTML_FROM_AWS = (413, *range(500, 600))
# How JSON and AWS's XML begin, which some emulators of AWS send as HTML.
_FROM_AWS = re.compile(rb"\s*(?:$|[{\[\"]|(?:<\?xml[^>]*>\s*)?<(?:[A-Z][a-z]+[A-Z]|Error>))")


class ForeignResponseError(HTTPClientError):
    """The response does not come from AWS."""

    fmt = (
        "The response from {endpoint_url} does not come from AWS: a proxy or a sign-in page may be "
        "in between."
    )


def check_responses(session: botocore.session.Session) -> None:
    """Let all clients of a session retry where a response is cut short.

    Since 1.44, botocore checks the length of streamed responses only; with urllib3 1.26, that of no
    other has ever been checked. Half a JSON document would be parsed as an empty answer.
    """
    session.register("creating-client-class", _add)


def _add(**made: Any) -> None:
    made["base_classes"].insert(0, _CheckedResponses)


class _CheckedResponses(BaseClient):
    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        client: Any = self
        endpoint = client._endpoint
        endpoint.http_session.send = partial(_send, endpoint.http_session.send)
        endpoint._do_get_response = partial(_parse, endpoint._do_get_response)

    def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
        base: Any = super()
        try:
            return base._make_api_call(operation_name, api_params)
        except ResponseParserError:
            pass  # its text is the response, which may contain secrets: no traceback may show it
        raise ForeignResponseError(endpoint_url=self.meta.endpoint_url)


def _send(send: Callable[[Any], Any], request: Any) -> Any:
    response = send(request)
    if not request.stream_output and request.method != "HEAD":
        if _is_cut(response):
            raise ConnectionClosedError(endpoint_url=request.url, request=request)
        if _is_web_page(response):
            raise ResponseParserError
    return response


def _parse(get_response: Callable[..., Any], *request: Any) -> Any:
    """Send a request and parse the response; errors of sending are returned, not raised."""
    try:
        return get_response(*request)
    except BotoCoreError:
        raise
    except Exception:  # botocore's parsers expect all that AWS's model says
        raise ResponseParserError from None


def _is_cut(response: Any) -> bool:
    announced = response.headers.get("Content-Length", "")
    if not announced.isdigit() or response.status_code in _WITHOUT_BODY:
        return False
    return len(response.content) < int(announced)


def _is_web_page(response: Any) -> bool:
    kind = response.headers.get("Content-Type", "")
    return (
        kind.startswith(("text/html", "application/xhtml"))
        and response.status_code not in _HTML_FROM_AWS
        and not _FROM_AWS.match(response.content)
    )
