"""invoke in a process that has everything imported: as `python -m invoke`, but for the start.

A server forks a child for each command line. The child is a process of its own, with a folder,
an environment and signals of its own, and it ends as any Python does. What is saved is a second
of imports, without which some thousand runs would take hours.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Any

ROOT = Path(__file__).parents[1]
LONGEST_OF_AWS_SECONDS = 120  # that the product waits for an answer which is not a function's


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    code: int  # negative: the signal that ended it
    out: str
    err: str
    seconds: float


class Running:
    """A command line that has begun."""

    def __init__(self, connection: socket.socket, out: IO[bytes], err: IO[bytes]) -> None:
        self._connection, self._files = connection, (out, err)
        self._began = time.monotonic()
        self.pid = self._number()

    def kill(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def ends_within(self, seconds: float) -> bool:
        """Wait for so long, and tell whether it has ended."""
        self._connection.settimeout(seconds)
        with suppress(TimeoutError):
            return bool(self._connection.recv(1, socket.MSG_PEEK))
        return False

    def wait(self, seconds: float) -> Ended:
        """Return how it ended; if it has not by then, end it and raise `TimeoutError`."""
        from tests.taint import (
            TAINT,  # here, where pytest is imported; the server has no need of it
        )

        with self._connection:
            if not self.ends_within(seconds):
                self.kill(signal.SIGKILL)
                raise TimeoutError("\n".join([f"not ended after {seconds} s", *self._texts()]))
            out, err = self._texts()
            TAINT.printed("stdout", out, stdout=True)
            TAINT.printed("stderr", err)
            return Ended(self._number(), out, err, time.monotonic() - self._began)

    def _number(self) -> int:
        self._connection.settimeout(60)
        data = self._connection.recv(4, socket.MSG_WAITALL)
        assert len(data) == 4, "the server is gone"
        return int.from_bytes(data, "big", signed=True)

    def _texts(self) -> list[str]:
        texts = []
        for file in self._files:
            with file:
                file.seek(0)
                texts.append(file.read().decode())
        return texts


class Warm:
    """The server. Use it as a context manager."""

    def __enter__(self) -> Warm:
        self._folder = TemporaryDirectory(prefix="warm-")
        self._address = str(Path(self._folder.name) / "socket")
        self._process = subprocess.Popen(
            # Without bytecode: each change of a file is counted.
            [sys.executable, "-B", "-m", "tests.warm", self._address],
            cwd=ROOT,
            stdin=subprocess.PIPE,  # which ends when this process does, however that is
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == b"ready\n"
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.terminate()
        self._process.communicate()
        self._folder.cleanup()

    def start(
        self,
        words: tuple[str, ...],
        folder: Path,
        environ: Mapping[str, str],
        **options: Any,
    ) -> Running:
        """Start ``invoke`` with these words in a folder.

        Options: `timeouts`, the seconds after which botocore gives an answer up, and that of a
        function, if the product would wait longer; `changes`, a file that gets a line for each
        change that is made to files; `strike`, a signal that the process gets, and before which
        of these.
        """
        request = {"words": words, "folder": str(folder), "environ": {**environ}, **options}
        out, err = TemporaryFile(), TemporaryFile()  # noqa: SIM115  # closed by what is returned
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        with TemporaryFile() as asked:
            asked.write(json.dumps(request).encode())
            asked.flush()
            socket.send_fds(connection, [b"x"], [each.fileno() for each in (asked, out, err)])
        return Running(connection, out, err)


# ---- the server


def _serve(address: str) -> None:
    """Fork for each command line that comes; return in its process only."""
    import boto3.s3.transfer  # noqa: F401
    import botocore.session  # noqa: F401
    import filelock  # noqa: F401
    import invoke.main  # noqa: F401
    import rich.console  # noqa: F401

    gc.freeze()  # else each child's collector would copy all that is imported
    signal.signal(signal.SIGCHLD, _reap)
    # Whoever runs the tests in the background may have it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen(128)
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in ready:
                sys.exit()
            connection, _ = listening.accept()
            with connection:
                if os.fork() == 0:
                    listening.close()
                    _keep(connection)
                    return


def _reap(*_: object) -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _keep(connection: socket.socket) -> None:
    """Fork again, tell the PID and later how the child ended; return in the child only."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, (asked, *outputs), _, _ = socket.recv_fds(connection, 1, 3)
    pid = os.fork()
    if pid:
        with suppress(OSError):
            connection.sendall(pid.to_bytes(4, "big", signed=True))
            _, status = os.waitpid(pid, 0)
            connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, descriptor in enumerate((nothing, *outputs)):
        os.dup2(descriptor, number)
        os.close(descriptor)
    with os.fdopen(asked, "rb") as file:
        file.seek(0)
        request = json.load(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv, sys.path[0] = ["invoke", *request["words"]], request["folder"]
    if "timeouts" in request:
        _shorten_timeouts(*request["timeouts"])
    if "changes" in request or "strike" in request:
        _watch_files(request.get("changes"), *request.get("strike", (0, -1)))


def _shorten_timeouts(of_aws: float, of_functions: float) -> None:
    from botocore.httpsession import URLLib3Session

    session: Any = URLLib3Session
    make = session.__init__

    def shortened(self: Any, *args: Any, timeout: Any, **options: Any) -> None:
        connect, read = timeout
        longest = of_functions if read > LONGEST_OF_AWS_SECONDS else of_aws
        make(self, *args, timeout=(connect, min(read, longest)), **options)

    session.__init__ = shortened


_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.symlink", "os.utime")


def _watch_files(told: str | None, number: int, before: int) -> None:
    """Tell of each change to files; get a signal before one of them."""
    output = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if told else None
    count = 0

    def look(event: str, words: tuple[Any, ...]) -> None:
        nonlocal count
        if event == "open":
            if not (isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR)):
                return
        elif event not in _CHANGES:
            return
        if output is not None:
            os.write(output, f"{event} {words[0]}\n".encode(errors="replace"))
        count += 1
        if count == before + 1:
            os.kill(os.getpid(), number)

    sys.addaudithook(look)


def main() -> None:
    """Be the server, and in its children invoke."""
    _serve(sys.argv[1])
    import invoke.main

    # What the server's own start has left there is none of the children's.
    sys.modules.pop("tasks", None)
    invoke.main.program.run()


if __name__ == "__main__":
    main()
