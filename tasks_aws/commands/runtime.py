"""Runs of a function in child processes of its own Python or Node.js, without Lambda."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INIT_SECONDS = 10  # what Lambda gives the code outside of the handler, beside `Timeout`
RESPONSE_MAXIMUM_BYTES = 6_291_556  # "Invoke", Lambda API reference

_LAST_WORDS_SECONDS = 1.0  # for what a process that left our group may still print


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """One invocation: the program that runs it, and what Lambda would tell it."""

    words: Sequence[str]
    environ: Mapping[str, str] = field(repr=False)
    folder: Path  # of the function
    scratch: Path
    request_id: str
    request: Mapping[str, Any] = field(repr=False)
    timeout: float
    memory_size: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """How a run ended: as Lambda would answer."""

    payload: str = field(repr=False)
    error: str  # Lambda's FunctionError, or empty
    log: str = field(repr=False)


class Processes:
    """The processes of all runs, which end with the block that they are for."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._over = False

    @contextmanager
    def ending(self) -> Iterator[None]:
        """End all processes when the block does: also at Ctrl-C, SIGTERM and SIGHUP."""
        try:
            with _ending_at_signals():
                yield
        finally:
            with self._lock:
                self._over = True
                for each in self._running:
                    _kill(each)

    @contextmanager
    def start(self, run: Run, words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
        """Start a process in a group of its own, all of which ends with the block."""
        with self._lock:
            if self._over:
                raise KeyboardInterrupt
            process = subprocess.Popen(
                words,
                cwd=run.folder,
                env=dict(run.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we end it
            )
            self._running.add(process)
        try:
            yield process
        finally:
            with self._lock:
                self._running.discard(process)
                _kill(process)
            process.wait()


def run_once(run: Run, processes: Processes) -> Answer:
    """Run a function once. It has `Timeout` from when its handler is called, as on Lambda."""
    request, response = run.scratch / "request.json", run.scratch / "response.json"
    start = f"START RequestId: {run.request_id} Version: $LATEST"
    asked = {**run.request, "request_id": run.request_id, "timeout": run.timeout, "start": start}
    request.write_text(json.dumps(asked), encoding="utf-8")
    launched = time.monotonic()
    with processes.start(run, [*run.words, str(request), str(response)]) as process:
        log = _Log(process, start)
        log.started.wait(INIT_SECONDS + run.timeout)
        began = log.began or launched
        try:
            code: int | None = process.wait(max(0.0, began + run.timeout - time.monotonic()))
        except subprocess.TimeoutExpired:
            code = None
        ended = time.monotonic()
        peak = _peak_memory(process) if code is None else 0
    answered = _read_response(response) if code is not None else None
    if answered:
        payload, error, peak = answered["payload"], answered["error"], answered["peak"]
    else:
        payload, error = json.dumps(_explain_end(run, code)), "Unhandled"
    size = len(payload.encode(errors="surrogatepass"))
    if size > RESPONSE_MAXIMUM_BYTES:
        payload, error = json.dumps(_explain_size(size)), "Unhandled"
    lines = [log.read()]
    if code is None:
        lines.append(f"{run.request_id} Task timed out after {run.timeout:.2f} seconds")
    lines.append(f"END RequestId: {run.request_id}")
    lines.append(_report(run, ended - began, began - launched if log.began else 0, peak))
    return Answer(payload=payload, error=error, log="\n".join(filter(None, lines)))


class _Log:
    """What a process prints, and when it says that the handler is called."""

    def __init__(self, process: subprocess.Popen[bytes], start: str) -> None:
        self.started = threading.Event()
        self.began: float | None = None
        self._start = start.encode()
        self._lines: list[bytes] = []
        self._thread = threading.Thread(target=self._read, args=[process], daemon=True)
        self._thread.start()

    def read(self) -> str:
        """Return all of it, once the process has ended."""
        self._thread.join(_LAST_WORDS_SECONDS)
        return b"".join(self._lines).decode(errors="replace").rstrip("\n")

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        with suppress(ValueError):  # it is closed
            for line in process.stdout or ():
                self._lines.append(line)
                if line.rstrip() == self._start:
                    self.began = time.monotonic()
                    self.started.set()
        self.started.set()


def _read_response(path: Path) -> dict[str, Any] | None:
    try:
        answered: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it ended before, or while it answered
        return None
    return answered


def _explain_end(run: Run, code: int | None) -> dict[str, str]:
    """Return what Lambda answers for a function that did not answer."""
    if code is None:
        kind, why = "Sandbox.Timedout", f"Task timed out after {run.timeout:.2f} seconds"
    elif code < 0:
        kind, why = "Runtime.ExitError", f"Runtime exited with error: signal: {-code}"
    elif code:
        kind, why = "Runtime.ExitError", f"Runtime exited with error: exit status {code}"
    else:
        kind, why = "Runtime.ExitError", "Runtime exited without providing a reason"
    return {"errorType": kind, "errorMessage": f"RequestId: {run.request_id} Error: {why}"}


def _explain_size(size: int) -> dict[str, str]:
    return {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": f"Response payload size ({size} bytes) exceeded maximum "
        f"allowed payload size ({RESPONSE_MAXIMUM_BYTES} bytes).",
    }


def _report(run: Run, seconds: float, init: float, peak: int) -> str:
    parts = [
        f"REPORT RequestId: {run.request_id}",
        f"Duration: {seconds * 1000:.2f} ms",
        f"Memory Size: {run.memory_size} MB",
        f"Max Memory Used: {-(-peak // 2**20)} MB" if peak else "",
        f"Init Duration: {init * 1000:.2f} ms" if init else "",
    ]
    return "\t".join(filter(None, parts))


def _peak_memory(process: subprocess.Popen[bytes]) -> int:
    """Return the most memory that a running process has used, in bytes; 0 if nobody knows."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return 0


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it has started in its group."""
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


@contextmanager
def _ending_at_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the block, where this is the main thread."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {each: signal.signal(each, end) for each in (getattr(signal, name) for name in names)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
