"""Records the screens of the documentation: `invoke screens`.

Each is what a terminal of 80 columns shows of real commands, which run on an embedded AWS. It is
kept as SVG twice, for a dark page and for a light one.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import boto3
import pexpect
import pyte
import yaml
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from tests import local_aws

SCREENS = Path(__file__).parent / "screens"

_COLUMNS, _ROWS = 80, 100
_TIMEOUT = 120  # seconds
_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"

_FRAME = "rgba(255,255,255,0.35)"  # is not seen on a light page
_COLOURS = {"default": None, "brown": "yellow"}  # as rich calls them

_REGION = "eu-central-1"
_ACCOUNT = "123456789012"  # as an access key, it is the root of that account
_ROLES = f"arn:aws:iam::{_ACCOUNT}:role"

_SETTINGS = {"profile": "dev", "role_arn": f"{_ROLES}/deployer", "region": _REGION}
_FUNCTION = {
    "source": "src",
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Role": f"{_ROLES}/hello",
}
_HELLO = {
    **_FUNCTION,
    "alias": "live",
    "smoke": {"payload": {"name": "Ada"}, "expect": {"greeting": "Hello, Ada!"}},
    "url": {"AuthType": "AWS_IAM"},
}
_CODE = """def handler(event, context):
    return {"greeting": f"Hello, {event['name']}!"}
"""
_WRONG = _CODE.replace("Hello", "Hallo")
_TWELVE = [
    *("api", "billing", "export", "geocode", "invoices", "login"),
    *("mailer", "orders", "reports", "resize", "search", "thumbnails"),
]

# What differs from run to run, apart from times.
_RANDOM, _URL_ID = (
    re.compile(r"(?<=https://)[a-z0-9]{32}(?=\.lambda-url)"),
    "abcdefghijklmnopqrstuvwxyz234567",
)

# The colours of GitHub's themes: black, red, green, yellow, blue, magenta, cyan and white.
_THEMES = {
    "dark": (
        "#0d1117",
        "#e6edf3",
        "#484f58 #ff7b72 #7ee787 #e3b341 #79c0ff #d2a8ff #56d4dd #b1bac4",
    ),
    "light": (
        "#ffffff",
        "#1f2328",
        "#24292f #cf222e #116329 #7d4e00 #0969da #8250df #1b7c83 #6e7781",
    ),
}


class Project:
    """A project, and a terminal in it."""

    def __init__(self, home: Path, endpoint: str, screens: Path) -> None:
        self._folder = home / "shop"
        self._screens = screens
        self._environ = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(home),
            "LOGNAME": "alice",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "AWS_ENDPOINT_URL": endpoint,
        }
        (self._folder / "src").mkdir(parents=True)
        (self._folder / "tasks.py").write_text("from tasks_aws import *\n")
        (home / ".aws").mkdir()
        (home / ".aws" / "config").write_text(
            f"[profile dev]\naws_access_key_id = {_ACCOUNT}\naws_secret_access_key = test\n"
        )

    def write(self, code: str, **functions: Mapping[str, Any]) -> None:
        """Write the code and the settings."""
        (self._folder / "src" / "app.py").write_text(code)
        settings = {**_SETTINGS, "functions": functions}
        (self._folder / "invoke.yaml").write_text(yaml.safe_dump({"aws": settings}))

    def record(self, name: str, command: str, *, code: int = 0, until: str = "") -> None:
        """Run a command in a new terminal and keep what it shows at the end.

        With `until`, a regular expression, it is what the terminal shows when that is seen first.
        """
        screen = pyte.Screen(_COLUMNS, _ROWS)
        stream = pyte.Stream(screen)
        stream.feed(f"\x1b[1m$ {command}\x1b[0m\r\n")
        terminal = pexpect.spawn(
            "sh",
            ["-c", command],
            cwd=str(self._folder),
            env=self._environ,
            encoding="utf-8",
            dimensions=(_ROWS, _COLUMNS),
            timeout=_TIMEOUT,
        )
        kept: list[Text] = []
        try:
            while True:
                stream.feed(terminal.read_nonblocking(4096))
                if until and not kept and re.search(until, "\n".join(screen.display)):
                    kept = [*_lines(screen)]
        except pexpect.EOF:
            terminal.close()
        if terminal.exitstatus != code:
            raise SystemExit("\n".join([*screen.display, f"exit {terminal.exitstatus}"]))
        _save(kept or [*_lines(screen)], self._screens / name)


def _lines(screen: pyte.Screen) -> Iterator[Text]:
    """Yield the lines of a screen, in colour."""
    used = max(row for row, line in enumerate(screen.display) if line.strip())
    for row in range(used + 1):
        line = Text()
        cells = (screen.buffer[row][column] for column in range(screen.columns))
        for (colour, bold), alike in groupby(cells, lambda cell: (cell.fg, cell.bold)):
            style = Style(color=_COLOURS.get(colour, colour), bold=bold)
            line.append("".join(cell.data for cell in alike), style)
        line.rstrip()
        yield line


def _save(lines: list[Text], path: Path) -> None:
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        console = Console(
            record=True, width=_COLUMNS, file=nowhere, force_terminal=True, color_system="standard"
        )
        for line in (*lines, ""):
            console.print(line, soft_wrap=True)
    for kind, colours in _THEMES.items():
        name = f"{path.name}-{kind}"
        svg = console.export_svg(
            title="", theme=_theme(*colours), clear=False, code_format=_FORMAT, unique_id=name
        )
        svg = _RANDOM.sub(_URL_ID, svg).replace(_FRAME, "rgba(128,128,128,0.5)")
        path.with_name(f"{name}.svg").write_text(svg)
    print(path.name)


def _theme(background: str, foreground: str, colours: str) -> TerminalTheme:
    def rgb(colour: str) -> tuple[int, int, int]:
        red, green, blue = bytes.fromhex(colour[1:])
        return red, green, blue

    return TerminalTheme(rgb(background), rgb(foreground), [rgb(each) for each in colours.split()])


# An image loads no fonts from elsewhere.
_FORMAT = re.sub(r"@font-face {{.*?}}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace(
    "Fira Code, monospace", _FONTS
)


@contextmanager
def _embedded_aws() -> Iterator[str]:
    """Yield the endpoint of an AWS that has the roles."""
    aws = local_aws.start()
    try:
        session = boto3.Session(_ACCOUNT, "test", region_name=_REGION)
        iam = session.client("iam", endpoint_url=aws.url)
        for name, who in {
            "deployer": {"AWS": f"arn:aws:iam::{_ACCOUNT}:root"},
            "hello": {"Service": "lambda.amazonaws.com"},
        }.items():
            trust = local_aws.policy({"Action": "sts:AssumeRole", "Principal": who})
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
        everything = local_aws.policy({"Action": "*", "Resource": "*"})
        iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=everything)
        yield aws.url
    finally:
        aws.stop()


def main(screens: Path = SCREENS) -> None:
    """Record all screens into a folder."""
    screens.mkdir(exist_ok=True)
    with _embedded_aws() as endpoint, tempfile.TemporaryDirectory() as home:
        project = Project(Path(home), endpoint, screens)
        project.write(_CODE, hello=_HELLO)
        project.record("first-deploy", "invoke assume deploy")
        project.record("unchanged", "invoke assume deploy")
        project.write(_WRONG, hello=_HELLO)
        project.record("failing", "invoke assume deploy", code=1)
        changed = {**_HELLO, "MemorySize": 512, "Environment": {"Variables": {"STAGE": "prod"}}}
        project.write(f"import json\n\n{_CODE}", hello=changed)
        project.record("plan", "invoke assume plan")
        project.write(f"import json\n\n{_CODE}", hello={**changed, "canary": "10% for 20s"})
        project.record("canary", "invoke assume deploy", until="12 s left")
        twelve = dict.fromkeys(_TWELVE, _FUNCTION)
        project.write(_CODE, **twelve)
        project.record("twelve", "invoke assume deploy")
        project.write(_CODE, **twelve, hello=_HELLO)
        project.record("status", "invoke assume status")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
