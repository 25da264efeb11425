"""What clients do with an answer that is cut short, or that is none of AWS's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import botocore.session
from botocore.client import BaseClient
from botocore.exceptions import ConnectionClosedError, HTTPClientError
from botocore.parsers import ResponseParserError

_WITHOUT_BODY = (204, 304)  # whatever length they announce
# Statuses that AWS's own front may put in HTML; botocore knows what they mean.
_OF_THE_FRONT = (413, *range(500, 600))


class UnreadableAnswerError(HTTPClientError):
    """Somebody has answered in AWS's place."""

    fmt = "What {endpoint_url} answers is not AWS's: a proxy or a sign-in page may be in between."


def check_responses(session: botocore.session.Session) -> None:
    """Let all clients of a session ask again where an answer ends early.

    Botocore looks for that where an answer is read as a stream, but in no other since 1.44, and
    with urllib3 1.26 it never did: half a JSON is an answer with nothing in it then.
    """
    session.register("creating-client-class", _add)


def _add(**made: Any) -> None:
    made["base_classes"].insert(0, _CheckedResponses)


class _CheckedResponses(BaseClient):
    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        client: Any = self
        http = client._endpoint.http_session
        http.send = partial(_send, http.send)

    def _make_api_call(self, operation_name: str, api_params: Any) -> Any:
        base: Any = super()
        try:
            return base._make_api_call(operation_name, api_params)
        except ResponseParserError:
            pass  # its text is the answer, which may hold secrets: no traceback is to show it
        raise UnreadableAnswerError(endpoint_url=self.meta.endpoint_url)


def _send(send: Callable[[Any], Any], request: Any) -> Any:
    response = send(request)
    if not request.stream_output and request.method != "HEAD":
        if _is_cut(response):
            raise ConnectionClosedError(endpoint_url=request.url, request=request)
        if _is_web_page(response):
            raise ResponseParserError
    return response


def _is_cut(response: Any) -> bool:
    announced = response.headers.get("Content-Length", "")
    if not announced.isdigit() or response.status_code in _WITHOUT_BODY:
        return False
    return len(response.content) < int(announced)


def _is_web_page(response: Any) -> bool:
    kind = response.headers.get("Content-Type", "")
    return (
        kind.startswith(("text/html", "application/xhtml"))
        and response.status_code not in _OF_THE_FRONT
    )
