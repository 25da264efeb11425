"""A registry of Node.js packages on the loopback: what npm, pnpm and Yarn ask for, in memory."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import unquote


def pack(name: str, version: str = "1.0.0", *, code: str = "", **manifest: Any) -> bytes:
    """Return a package with one file as a tarball."""
    found = {"name": name, "version": version, **manifest}
    files = {"package.json": json.dumps(found), "index.js": code or "module.exports = 1\n"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


class NpmRegistry:
    """The packages of a registry, and where it is."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.tarballs: dict[str, bytes] = {}
        self.documents: dict[str, dict[str, Any]] = {}

    @property
    def environ(self) -> dict[str, str]:
        """Return the variables with which the package managers find it."""
        return {
            "npm_config_registry": self.url,
            "YARN_REGISTRY": self.url,
            "YARN_NPM_REGISTRY_SERVER": self.url,
            "YARN_UNSAFE_HTTP_WHITELIST": "127.0.0.1",
            "YARN_ENABLE_TELEMETRY": "0",
        }

    def publish(
        self, name: str, version: str = "1.0.0", *, code: str = "", **manifest: Any
    ) -> None:
        """Add a version of a package; the last one is the latest."""
        tarball = pack(name, version, code=code, **manifest)
        path = f"/{name}/-/{name}-{version}.tgz"
        self.tarballs[path] = tarball
        document = self.documents.setdefault(f"/{name}", {"name": name, "versions": {}, "time": {}})
        document["time"][version] = "2020-01-01T00:00:00.000Z"  # Yarn refuses what is very new
        document["dist-tags"] = {"latest": version}
        digest = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
        document["versions"][version] = {
            "name": name,
            "version": version,
            **manifest,
            "dist": {
                "tarball": self.url + path,
                "integrity": f"sha512-{digest}",
                "shasum": hashlib.sha1(tarball, usedforsecurity=False).hexdigest(),
            },
        }


@contextmanager
def serve_npm() -> Iterator[NpmRegistry]:
    """Serve an empty registry for a while."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path.partition("?")[0])
            body = registry.tarballs.get(path)
            if path in registry.documents:
                body = json.dumps(registry.documents[path]).encode()
            self.send_response(200 if body else 404)
            self.end_headers()
            self.wfile.write(body or b"{}")

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registry = NpmRegistry(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
