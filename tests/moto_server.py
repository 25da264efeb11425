"""moto's server: an AWS by other people than MiniStack's, with other habits."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

from sample_project.local_aws import without_aws

ACCOUNT = "123456789012"
TIMEOUT_SECONDS = 60


@contextmanager
def moto_server(environ: dict[str, str]) -> Iterator[str]:
    """Start it on a free port, and give its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env=without_aws(environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(process, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(TIMEOUT_SECONDS)


def reset(endpoint: str) -> None:
    """Forget all that is there."""
    urlopen(Request(f"{endpoint}/moto-api/reset", method="POST")).close()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("moto's server did not start")
