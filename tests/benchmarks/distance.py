"""AWS as it is reached from afar: over TLS, and with a round-trip time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

from botocore.httpsession import DEFAULT_CA_BUNDLE
from trustme import CA

from tests.proxy import Proxy

ROUND_TRIPS_OF_A_HANDSHAKE = 2  # one of TCP, one of TLS 1.3

round_trip_seconds = 0.0  # `--rtt` sets it


@contextmanager
def distant(endpoint: str, folder: Path) -> Iterator[tuple[Proxy, dict[str, str]]]:
    """Yield a proxy of an endpoint, and the variables with which clients find and trust it.

    They read as many CA certificates as they do for AWS: that takes longer than a handshake.
    """
    authority = CA()
    bundle = Path(mkstemp(".pem", dir=folder)[1])
    bundle.write_bytes(Path(DEFAULT_CA_BUNDLE).read_bytes() + authority.cert_pem.bytes())
    proxy = Proxy(
        endpoint,
        delay=round_trip_seconds,
        handshake=ROUND_TRIPS_OF_A_HANDSHAKE * round_trip_seconds,
        certificate=authority.issue_cert("127.0.0.1"),
    )
    with proxy:
        yield proxy, {"AWS_ENDPOINT_URL": proxy.url, "AWS_CA_BUNDLE": os.fspath(bundle)}
