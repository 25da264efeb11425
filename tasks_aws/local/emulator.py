"""MiniStack's process: one that ends with the command line, or one that is kept for the next."""

from __future__ import annotations

import importlib.util
import json
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import OpenerDirector, ProxyHandler, Request, build_opener

from ..auth.refresh.private_files import write_private
from ..errors import TasksAwsError
from . import server

_TIMEOUT_SECONDS = 60
_POLL_SECONDS = 0.05
_LAST_LINES = 10


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running MiniStack, and the folder of its files and of those that have ~/.aws's place."""

    url: str
    token: str  # which it tells, so that nobody takes another one for it
    folder: Path
    process: subprocess.Popen[str] | None = None  # None: it was running

    def stop(self) -> None:
        """End it, unless it is kept; it removes its files."""
        if self.process and self.process.stdin and self.process.returncode is None:
            self.process.communicate(timeout=_TIMEOUT_SECONDS)
            shutil.rmtree(self.folder, ignore_errors=True)  # Windows removes no log that is open

    def reset(self) -> None:
        """Forget everything that is in it."""
        request = Request(f"{self.url}/_ministack/reset", method="POST")  # noqa: S310  # our own
        _opener().open(request).close()


def start(environ: Mapping[str, str]) -> Emulator:
    """Start one that ends with this process. `environ` has nothing that leads to AWS.

    Raises `TasksAwsError` with the end of its log.
    """
    url, token, variables = _prepare(environ)
    process = subprocess.Popen(
        [sys.executable, server.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
        start_new_session=True,  # Ctrl-C is for invoke; MiniStack ends after it
    )
    output: Any = process.stdout
    folder = Path(output.readline().rstrip("\n"))
    emulator = Emulator(url, token, folder, process)
    if not _wait_for(emulator):
        process.terminate()
        raise _did_not_start(process.communicate()[0])
    return emulator


def keep(folder: Path, environ: Mapping[str, str]) -> Emulator:
    """Return the one that is kept in a folder, started if it does not run.

    Nobody else may call it for the same folder meanwhile.
    """
    found = find_kept(folder)
    if found:
        return found
    _empty(folder)
    url, token, variables = _prepare(environ)
    write_private(folder / server.STATE, json.dumps({"url": url, "token": token}))
    process = subprocess.Popen(
        [sys.executable, server.__file__, str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        env=variables,
        start_new_session=True,
    )
    emulator = Emulator(url, token, folder, process)
    if not _wait_for(emulator):
        process.terminate()
        log = folder / server.LOG
        text = log.read_text(errors="replace") if log.exists() else ""
        (folder / server.STATE).unlink(missing_ok=True)
        raise _did_not_start(text)
    return emulator


def find_kept(folder: Path) -> Emulator | None:
    """Return the one that is kept in a folder, if it runs."""
    try:
        state = json.loads((folder / server.STATE).read_text(encoding="utf-8"))
        found = Emulator(state["url"], state["token"], folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if _answers(found) else None


def forget(folder: Path) -> None:
    """End the one that is kept in a folder, and remove the folder."""
    found = find_kept(folder)
    (folder / server.STATE).unlink(missing_ok=True)
    end = time.monotonic() + _TIMEOUT_SECONDS
    while found and _answers(found) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    shutil.rmtree(folder, ignore_errors=True)


def _prepare(environ: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
    """Return URL, token and environment of a new one."""
    if importlib.util.find_spec("ministack") is None:
        raise TasksAwsError(
            "MiniStack, the emulator of AWS, is not installed.",
            fix="Run: pip install 'tasks-aws[local]'",
        )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    return (
        f"http://127.0.0.1:{port}",
        token,
        {
            **environ,
            "AUTH": "true",
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "IOT_MTLS_ENABLED": "0",  # it would listen on every interface
            "MINISTACK_VERSION": token,
        },
    )


def _wait_for(emulator: Emulator) -> bool:
    end = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < end and emulator.process and emulator.process.poll() is None:
        if _answers(emulator):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _answers(emulator: Emulator) -> bool:
    """Return whether this very one answers, and not another program on its port."""
    with suppress(URLError, OSError, ValueError, AttributeError):
        with _opener().open(f"{emulator.url}/_ministack/health", timeout=5) as response:
            found = json.load(response)
        return bool(found.get("version") == emulator.token)
    return False


def _opener() -> OpenerDirector:
    return build_opener(ProxyHandler({}))  # no proxy for what is on this machine


def _did_not_start(log: str) -> TasksAwsError:
    lines = log.strip().splitlines()
    for line in lines[-_LAST_LINES:]:
        print(line, file=sys.stderr)
    return TasksAwsError("MiniStack did not start.", why=lines[-1] if lines else "It wrote no log.")


def _empty(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
