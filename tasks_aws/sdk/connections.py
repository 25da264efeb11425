"""Connections to AWS: what takes long is done once, and early.

urllib3 reads the CA bundle again for each connection, which takes longer than its handshake.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from ssl import SSLContext
from typing import Any

import botocore.httpsession
import botocore.session
from botocore.client import BaseClient
from botocore.exceptions import ConnectionError as BotocoreConnectionError
from botocore.exceptions import HTTPClientError

from ..process.locking import thread_lock

# What botocore raises if a service does not answer, for there is no connection to it.
UNREACHABLE = (BotocoreConnectionError, HTTPClientError)

LONGEST_IDLE_SECONDS = 60  # after which something in between may have forgotten a connection

_LOCK = thread_lock()  # held while a bundle is read: other connections need it, too

_Version = tuple[str, int, int, int]  # a bundle that is replaced is another one

_contexts: dict[_Version, SSLContext] = {}


def share_contexts(session: botocore.session.Session) -> None:
    """Let all clients of a session share TLS contexts with those of other sessions."""
    session.register("creating-client-class", _add)


def share_context(http: Any) -> None:
    """Let a `URLLib3Session` share the TLS context of all others that trust the same bundle.

    Left alone is one that verifies nothing, since that is kept in the context, and one with a
    client certificate, which the others would present. So is one whose parts have other names: a
    botocore that is too new for this is slower, but no less strict.
    """
    try:
        kept, make = http._manager.connection_pool_kw, http._get_pool_manager_kwargs
        own, alone = kept["ssl_context"], not http._verify or http._cert_file
        version = None if alone else file_version(botocore.httpsession.get_cert_path(http._verify))
    except (AttributeError, KeyError):
        return
    if version is None or not isinstance(own, SSLContext):
        return
    with _LOCK:
        context = _contexts.get(version) or _reading_once(own)
        _contexts[version] = context
    kept["ssl_context"] = context
    http._get_pool_manager_kwargs = partial(make, ssl_context=context)  # for proxies


def open_connection(client: Any) -> None:
    """Open the connection that the next request of a client uses, and send nothing.

    Proxies are left alone: they may ask for more than a connection. The names are private to
    botocore and urllib3, so whatever is raised means only that the request opens its own.
    """
    http, url = client._endpoint.http_session, client.meta.endpoint_url
    if http._proxy_config.proxy_url_for(url):
        return
    pool = http._manager.connection_from_url(url)
    http._setup_ssl_cert(pool, url, http._verify)
    connection = pool._get_conn()
    try:
        if connection.sock is None:
            connection.connect()
    finally:
        pool._put_conn(connection)


def _add(**made: Any) -> None:
    made["base_classes"].insert(0, _SharedContext)


class _SharedContext(BaseClient):
    def __init__(self, *parts: Any, **options: Any) -> None:
        super().__init__(*parts, **options)
        client: Any = self
        share_context(client._endpoint.http_session)


def _reading_once(context: Any) -> SSLContext:
    """Let a context read each bundle once."""
    context.load_verify_locations = partial(_read_once, context.load_verify_locations, set())
    return context  # type: ignore[no-any-return]


def _read_once(
    read: Callable[..., None],
    seen: set[_Version],
    cafile: Any = None,
    capath: Any = None,
    cadata: Any = None,
) -> None:
    version = None if capath or cadata else file_version(cafile)
    with _LOCK:
        if version is None or version not in seen:
            read(cafile, capath, cadata)
        if version:
            seen.add(version)


def file_version(path: Any) -> _Version | None:
    """Return what differs once a file has changed, or None if there is no such file."""
    try:
        status = os.stat(path)  # noqa: PTH116  # whatever botocore was given
    except (OSError, TypeError, ValueError):
        return None
    return os.fspath(path), status.st_ino, status.st_size, status.st_mtime_ns
