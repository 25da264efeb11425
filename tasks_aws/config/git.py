"""What git knows of a project."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit(folder: Path) -> str | None:
    """Return the hash of the commit that is checked out, or None where git has nothing to say.

    It ends with ``-dirty`` when a file that git knows was changed since.
    """
    words = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() or None if found.returncode == 0 else None
