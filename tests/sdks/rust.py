"""The key that Rust's object_store would sign with, again and again. It knows no profile."""

import sys
import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

from obstore import sign
from obstore.store import S3Store


def main(seconds: float) -> None:
    store, end = S3Store("bucket"), time.monotonic() + seconds
    while time.monotonic() < end:
        query = parse_qs(urlsplit(sign(store, "GET", "key", timedelta(seconds=9))).query)
        print("rust", query["X-Amz-Credential"][0].split("/")[0], flush=True)
        time.sleep(0.5)


if __name__ == "__main__":
    main(float(sys.argv[1]))
