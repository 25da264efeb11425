"""A headless Chromium that a user's hands seem to move, by the WebDriver protocol.

As a program it is a browser that BROWSER can name: it opens a page, and clicks on `Allow`. It needs
nothing but Python, since it runs with the user's own variables.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
DRIVER = shutil.which("chromedriver")

_ARGUMENTS = ["--headless=new", "--no-sandbox", "--no-proxy-server", "--disable-dev-shm-usage"]
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # of the WebDriver standard
_LONGEST_WAIT = 20  # seconds


class Page:
    """The page that a browser shows."""

    def __init__(self, session: str) -> None:
        self._session = session

    def open(self, url: str) -> None:
        """Open a URL."""
        _ask(f"{self._session}/url", {"url": url})

    def type(self, selector: str, text: str) -> None:
        """Type into a field."""
        _ask(f"{self._element(selector)}/value", {"text": text})

    def click(self, selector: str) -> None:
        """Click on an element."""
        _ask(f"{self._element(selector)}/click", {})

    def wait_for(self, text: str) -> None:
        """Wait until the page says something."""
        ends = time.monotonic() + _LONGEST_WAIT
        while text not in (said := self._text()):
            if time.monotonic() > ends:
                raise RuntimeError(f"the page says: {said}")
            time.sleep(0.1)

    def _text(self) -> str:
        try:
            return str(_ask(f"{self._element('body')}/text"))
        except RuntimeError as error:  # between two pages, the driver has no body, or the old one
            return str(error)

    def _element(self, selector: str) -> str:
        found = _ask(f"{self._session}/element", {"using": "css selector", "value": selector})
        return f"{self._session}/element/{found[_ELEMENT]}"


@contextmanager
def browser() -> Iterator[Page]:
    """Start a browser, and end it with all that it has written."""
    options = {"binary": PROGRAM, "args": _ARGUMENTS}
    # Not below the folder of the test: Chromium has a socket there, whose path must be short.
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        driver = subprocess.Popen(
            [str(DRIVER), "--port=0"],
            env={**os.environ, "HOME": folder, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert driver.stdout is not None
            port = next(
                filter(
                    None, (re.search(r"successfully on port (\d+)", each) for each in driver.stdout)
                )
            )
            server = f"http://127.0.0.1:{port[1]}/session"
            wanted = {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}}
            session = f"{server}/{_ask(server, wanted)['sessionId']}"
            try:
                yield Page(session)
            finally:
                _ask(session, method="DELETE")
        finally:
            driver.terminate()
            driver.communicate()


def _ask(url: str, body: Any = None, *, method: str | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
            return json.load(answer)["value"]
    except HTTPError as error:
        raise RuntimeError(f"{url}: {error.read().decode()}") from error


if __name__ == "__main__":
    with browser() as page:
        page.open(sys.argv[1])
        page.click("button")
        page.wait_for("You can close this page")
