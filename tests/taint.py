"""A harness around every test: secrets stand where they were asked for, and nowhere else.

Every secret key, session token and MFA code that the tests' STS or MiniStack issues or accepts
is collected. After each test they are looked for in everything that its processes printed, in
pytest's captured output and logs, in the files that are left, in the command lines of all
processes below the test, and in the environment of those that have no business with AWS.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import stat
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

# Installers and Git run other people's code; MiniStack is no part of the command line.
WITHOUT_SESSION = re.compile(
    r"(^|[ /])(git|npm|npm-cli\.js|pnpm|pnpm\.cjs|yarn|yarn\.js|uv|pip|poetry|pipenv)( |$)"
    r"|pip_for_lambda\.py|compileall|local/server\.py"
)
_SHELL = re.compile(r"(\S*/)?(ba|da|fi|z)?sh -\w*c ")  # its words are no program's name
_PIECE = 12  # so many characters of a secret give it away: one that is cut short is a leak, too
_PAUSE_SECONDS = 0.05


class Taint:
    """The secrets of one test, and everything in which none of them may be."""

    def __init__(self) -> None:
        self.ledger: Path | None = None  # where MiniStack's secrets are noted
        self.begin()

    def begin(self) -> None:
        """Forget the test before."""
        ledger = self.ledger
        self._noted_before = ledger.stat().st_size if ledger and ledger.exists() else 0
        self._secrets: set[str] = set()
        self._own: set[tuple[Path, str]] = set()
        self._outputs: list[tuple[str, str]] = []
        self._terminals: list[tuple[str, io.StringIO]] = []
        self._written: set[str] = set()  # command lines that the test itself has written
        self._processes: dict[tuple[int, str], str] = {}  # to the environment
        self._printing = False
        self._installs_itself = False

    def collect(self, *secrets: str) -> None:
        """Look for these, too."""
        self._secrets.update(filter(None, secrets))

    def own(self, file: Path, *secrets: str) -> None:
        """Expect secrets in a file: the test itself has put them there."""
        self._own |= {(file, secret) for secret in secrets}

    @contextmanager
    def prints_secrets(self, reason: str) -> Iterator[None]:
        """Let secrets be on stdout meanwhile, because the test asks for them; and only there."""
        self._printing = True
        try:
            yield
        finally:
            self._printing = False

    def installs_itself(self, reason: str) -> None:
        """Let installers have the session: it is the user's own program that starts them."""
        self._installs_itself = True

    def started(self, command: Any) -> None:
        """Note a command line, as `subprocess` takes it: the test's own, whatever is in it."""
        words = command if isinstance(command, list | tuple) else [command]
        self._written.add(" ".join(map(str, words)))

    def printed(self, place: str, text: str | bytes | None, *, stdout: bool = False) -> None:
        """Note what a process has printed."""
        if text and not (stdout and self._printing):
            text = text if isinstance(text, str) else text.decode(errors="surrogateescape")
            self._outputs.append((place, text))

    def terminal(self, command: list[str]) -> io.StringIO:
        """Return what is to be given everything that a terminal shows."""
        self.started(command)
        shown = io.StringIO()
        if not self._printing:
            self._terminals.append((f"the terminal of {' '.join(command)}", shown))
        return shown

    def sample(self) -> None:
        """Look at the processes that run below this one."""
        for pid in _descendants(os.getpid()):
            command = _of_process(pid, "cmdline").replace("\0", " ").strip()
            if command and (pid, command) not in self._processes:
                self._processes[pid, command] = _of_process(pid, "environ")

    def leaks(self, folder: Path) -> list[str]:
        """Return what is where it should not be; `folder` is that of the test's files."""
        if self.ledger and self.ledger.exists():
            self.collect(*self.ledger.read_bytes()[self._noted_before :].decode().split())
        traces = [(secret, how, text) for secret in self._secrets for how, text in _traces(secret)]
        return [
            f"{secret[:4]}… ({how}) is in {place}: …{_around(text, at)}…"
            for place, text, file in (self._places(folder) if traces else ())
            for joined in [b"".join(text.split())]  # base64 is broken into lines
            for secret, how, trace in traces
            if (file, secret) not in self._own
            and (at := _find(trace, joined if how == "base64" else text)) >= 0
        ]

    def _places(self, folder: Path) -> Iterator[tuple[str, bytes, Path | None]]:
        shown = [(place, text.getvalue()) for place, text in self._terminals]
        for place, text in (*self._outputs, *shown):
            yield place, _encoded(text), None
        for (_, command), environ in list(self._processes.items()):
            if command not in self._written:
                yield f"the command line {command[:40]}", _encoded(command), None
            has_no_business = WITHOUT_SESSION.search(command) and not _SHELL.match(command)
            if has_no_business and not self._installs_itself:
                aws = [line for line in environ.split("\0") if line.startswith("AWS_")]
                yield f"the environment of {command}", _encoded("\n".join(aws)), None
        for root, folders, files in os.walk(folder):
            yield f"the name of a file in {root}", os.fsencode("\n".join(folders + files)), None
            for path in (Path(root, name) for name in files):
                for place, content in _contents(path):
                    yield place, content, path


TAINT = Taint()


def watch(ledger: Path, patch: pytest.MonkeyPatch) -> None:
    """Record what the processes of all tests print, and sample those that run."""
    TAINT.ledger = ledger
    begin, communicate = subprocess.Popen.__init__, subprocess.Popen.communicate

    def recorded_begin(self: Any, args: Any, *rest: Any, **options: Any) -> None:
        TAINT.started(args)
        begin(self, args, *rest, **options)
        for name in ("stdout", "stderr"):
            if stream := getattr(self, name):
                stream.readline = _recorded(stream.readline, f"{name} of {args}", name == "stdout")

    def recorded_communicate(self: Any, *rest: Any, **options: Any) -> Any:
        out, err = communicate(self, *rest, **options)
        TAINT.printed(f"stdout of {self.args}", out, stdout=True)
        TAINT.printed(f"stderr of {self.args}", err)
        return out, err

    def sample() -> None:
        while True:
            time.sleep(_PAUSE_SECONDS)
            TAINT.sample()

    patch.setattr(subprocess.Popen, "__init__", recorded_begin)
    patch.setattr(subprocess.Popen, "communicate", recorded_communicate)
    threading.Thread(target=sample, daemon=True).start()


def recording() -> dict[str, str]:
    """Return variables that let MiniStack note its secrets in the ledger."""
    folder = Path(__file__).with_name("in_ministack")
    return {"PYTHONPATH": str(folder), "SECRETS_LEDGER": str(TAINT.ledger)}


def check(report: pytest.TestReport, folder: Path | None) -> None:
    """Let a test fail that has leaked a secret."""
    for title, text in report.sections:
        TAINT.printed(f"pytest's {title}", text)
    leaks = TAINT.leaks(folder) if folder else []
    if leaks and report.passed:
        report.outcome, report.longrepr = "failed", "\n".join(["Secrets have leaked:", *leaks])
    elif leaks:
        report.sections.append(("Leaked secrets", "\n".join(leaks)))


def _recorded(readline: Any, place: str, stdout: bool) -> Any:
    def recorded(*rest: Any) -> Any:
        line = readline(*rest)
        TAINT.printed(place, line, stdout=stdout)
        return line

    return recorded


def _traces(secret: str) -> Iterator[tuple[str, bytes]]:
    """Yield what gives a secret away, and how that is encoded."""
    whole = len(secret) < 2 * _PIECE
    for piece in [secret] if whole else [secret[:_PIECE], secret[-_PIECE:]]:
        url = quote(piece, safe="")
        texts = {
            "plain": [piece, re.sub(r"^(\d{3})(\d{3})$", r"\1 \2", piece)],  # an MFA code
            "URL-encoded": [url, re.sub("%..", lambda found: found[0].lower(), url)],
            "JSON-encoded": [json.dumps(piece)[1:-1], piece.replace("/", "\\/")],
            "hex": [piece.encode().hex(), piece.encode().hex().upper()],
            "base64": _in_base64(piece.encode()),
        }
        seen: set[str] = set()
        for how, forms in texts.items():
            for form in forms:
                if form not in seen:
                    yield how, form.encode()
                seen.add(form)


def _in_base64(text: bytes) -> list[str]:
    """Return what base64 makes of a text after none, one or two other bytes."""
    forms = []
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + text).decode()
        own = encoded[-(-before * 8 // 6) : (before + len(text)) * 8 // 6]
        forms += [own, own.replace("+", "-").replace("/", "_")]
    return forms


def _find(trace: bytes, text: bytes) -> int:
    """Return where a trace is, or -1; an MFA code is none when it is part of a longer number."""
    number = trace.replace(b" ", b"").isdigit()
    at = text.find(trace)
    while number and at >= 0:
        beside = text[at - 1 : at] + text[at + len(trace) : at + len(trace) + 1]
        if not re.search(rb"\d", beside):
            break
        at = text.find(trace, at + 1)
    return at


def _around(text: bytes, at: int) -> str:
    return text[max(0, at - 60) : at + 60].decode(errors="replace")


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _is_cache(path: Path) -> bool:
    """Tell whether a file is one that secrets are kept in, and that only its owner may read."""
    caches = [(".aws", name, "cache") for name in ("cli", "sso", "login")]
    return path.parent.parts[-3:] in caches and stat.S_IMODE(path.stat().st_mode) == 0o600


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    with suppress(OSError, zipfile.BadZipFile):  # it may be gone by now
        if path.is_symlink() or not path.is_file() or _is_cache(path):
            return
        yield f"the file {path}", path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    yield f"{name} in the file {path}", archive.read(name)


def _descendants(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208  # fast, as below
            for child in map(int, _of_process(pid, f"task/{task}/children").split()):
                yield child
                yield from _descendants(child)


def _of_process(pid: int, name: str) -> str:
    try:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:  # noqa: PTH123  # fast
            return file.read().decode(errors="surrogateescape")
    except OSError:
        return ""
