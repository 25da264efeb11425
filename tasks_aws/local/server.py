"""The program that runs MiniStack; it is no part of a command line of invoke.

``server.py`` runs it until stdin is closed, which the end of the process that started it does, too,
however it ends. It makes and removes its own folder, which it prints first. ``server.py FOLDER``
runs it until the file ``server.json`` in that folder is gone or another one.
"""

import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path

PREFIX = "tasks-aws-local-"
STATE = "server.json"  # `tasks_aws.packaging.workspace` knows it, too
LOG = "ministack.log"
_POLL_SECONDS = 0.2


def serve(folder: Path) -> None:
    """Run MiniStack, which writes into a folder alone."""
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
    with (folder / LOG).open("w") as output:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(output.fileno(), stream.fileno())
    sys.argv = ["ministack"]
    try:
        from ministack.app import main

        main()
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def serve_parent() -> None:
    """Run MiniStack in a folder of its own until the process that started this one has ended."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit())  # until MiniStack has its own
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    parent = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    try:
        print(folder, file=parent, flush=True)
        threading.Thread(target=_stop_with_parent, daemon=True).start()
        serve(folder)
    finally:
        with suppress(OSError), parent:  # it may have ended
            print((folder / LOG).read_text(errors="replace"), file=parent)
        shutil.rmtree(folder, ignore_errors=True)


def serve_until_forgotten(folder: Path) -> None:
    """Run MiniStack until what stands in a folder is no longer that it runs."""
    state = (folder / STATE).read_bytes()
    threading.Thread(target=_stop_when_forgotten, args=(folder / STATE, state), daemon=True).start()
    serve(folder)


def _stop_with_parent() -> None:
    sys.stdin.read()
    signal.raise_signal(signal.SIGTERM)  # on Windows, `os.kill` would run no handler


def _stop_when_forgotten(path: Path, state: bytes) -> None:
    with suppress(OSError):
        while path.read_bytes() == state:
            time.sleep(_POLL_SECONDS)
    signal.raise_signal(signal.SIGTERM)  # on Windows, `os.kill` would run no handler


if __name__ == "__main__":
    sys.path[:] = [each for each in sys.path if Path(each) != Path(__file__).parent]
    if len(sys.argv) > 1:
        serve_until_forgotten(Path(sys.argv[1]))
    else:
        serve_parent()
