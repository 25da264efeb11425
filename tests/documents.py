"""The README and the documentation, as tests read them: examples and tables found by heading."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
GENERATED = ("project",)  # `docs/generate.py` writes these
PAGES = (
    README,
    *(path for path in sorted((ROOT / "docs").rglob("*.md")) if path.parent.name not in GENERATED),
)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def section(heading: str, *pages: Path) -> str:
    """Return what stands below a second-level heading, up to the next one."""
    found = [
        match[1]
        for page in pages or PAGES
        for match in re.finditer(
            rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text(page), re.M | re.S
        )
    ]
    assert len(found) == 1, f"{len(found)} sections have the heading {heading!r}"
    return found[0]


def blocks(language: str, of: str) -> list[str]:
    """Return the fenced blocks of a language in a text."""
    return re.findall(rf"^```{language}\n(.*?)^```", of, re.MULTILINE | re.DOTALL)


def code(heading: str, language: str) -> str:
    """Return the first block of a language below a heading."""
    return blocks(language, section(heading))[0]
