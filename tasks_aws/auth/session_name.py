"""The name of a role session where none is set."""

from __future__ import annotations

import getpass
import hashlib
import re

_LONGEST = 64  # "AssumeRole", STS API reference


def default_session_name() -> str:
    """Return the login name as a valid role session name, which tells it from other names."""
    try:
        name = getpass.getuser()
    except (ImportError, KeyError, OSError):  # no such user, as in some containers
        return "tasks-aws"
    plain = name if name.isascii() else _without_accents(name)
    legal = re.sub(r"[^\w+=,.@-]", "-", plain, flags=re.ASCII)
    if name.isascii() and 2 <= len(legal) <= _LONGEST:
        return legal
    # Something was lost, such as all of Ωμέγα: a digest tells one such user from another.
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    kept = re.sub("-+", "-", legal).strip("-")[: _LONGEST - 1 - len(digest)] or "tasks-aws"
    return f"{kept}-{digest}"


def _without_accents(name: str) -> str:
    from unicodedata import combining, normalize

    return "".join(each for each in normalize("NFKD", name) if not combining(each))
