"""The description on PyPI: the README, with links that lead somewhere.

hatchling runs this whenever it builds; pyproject.toml says so.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_RELATIVE_LINK = re.compile(r"(!?)\[([^]]*)\]\((?!\w+:)([^)]+)\)")


class LongDescription(MetadataHookInterface):
    """Sets `readme`, which pyproject.toml declares as dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the README, with links to the files of this version."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        repository = metadata.get("urls", {}).get("Repository")
        text = link_to(repository, metadata["version"], readme)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def link_to(repository: str | None, version: str, text: str) -> str:
    """Return a text with its relative links leading to a version in the repository on GitHub.

    Without a repository only the words of a link are left, and nothing of a picture.
    """

    def lead(link: re.Match[str]) -> str:
        is_picture, words, target = link.groups()
        if not repository:
            return "" if is_picture else words
        kind = "raw" if is_picture else "blob"
        return f"{is_picture}[{words}]({repository}/{kind}/v{version}/{target})"

    return _RELATIVE_LINK.sub(lead, text)
