"""What Git knows about a project."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

_TIMEOUT_SECONDS = 60  # a large repository on a slow disk takes seconds


def read_commit(folder: Path, environ: Mapping[str, str]) -> str | None:
    """Return the hash of the commit that is checked out, or None if Git does not tell.

    It ends with ``-dirty`` when a tracked file has changed since. Git gets `environ`, without what
    is for AWS: filters of the repository, such as that of Git LFS, are programs of others.
    """
    words = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    # Neither is needed, and both run programs that may never end; a file system monitor stays
    # behind as a daemon that holds our pipe open.
    configured = ["-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}"]
    try:
        found = subprocess.run(
            ["git", *configured, *words],  # noqa: S607  # whichever is first in PATH
            cwd=folder,
            env={name: text for name, text in environ.items() if "AWS_" not in name},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
            timeout=_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
