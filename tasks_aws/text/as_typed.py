"""What this command line calls what messages name: our tasks, the key of our settings, their file.

Messages are written as for ``invoke`` with our tasks at its root, and settings below ``aws`` in
invoke.yaml.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# Not compiled here: `invoke --list` and each Tab import this, and print nothing of ours.
_COMMAND = r"\binvoke((?: [a-z]+)+)"
_KEY = r"`aws(?=\.)"
_FILE = r"(?<=\b(?:in|to)) invoke\.yaml\b"


class _Names:
    """The names in this process; the threads of a task use those of the task."""

    def __init__(self) -> None:
        self.key = "aws"
        self.file = "invoke.yaml"
        self.program = "invoke"
        self.find: Callable[[str], str | None] = str


_NAMES = _Names()


def name_settings(key: str, file: str) -> None:
    """Say what the key of our settings is called, and the file that they belong into."""
    _NAMES.key, _NAMES.file = key, file


def name_commands(program: str, find: Callable[[str], str | None]) -> None:
    """Say what runs our tasks, and how to find what one is called: None if it is not there."""
    _NAMES.program, _NAMES.find = program, find


def as_typed(text: str) -> str:
    """Return a message with its commands, keys and files as the user has to write them.

    >>> name_settings("tasks_aws", "fabric.yml")
    >>> name_commands("fab", {"assume": "aws.assume", "env": "aws.env"}.get)
    >>> as_typed("Set `aws.region` in invoke.yaml, or run `invoke assume env --show`.")
    'Set `tasks_aws.region` in fabric.yml, or run `fab aws.assume aws.env --show`.'
    >>> as_typed("`invoke login` is not there.")
    '`invoke login` is not there.'
    >>> name_settings("aws", "invoke.yaml")
    >>> name_commands("invoke", str)
    """
    text = re.sub(_KEY, f"`{_NAMES.key}", text)
    text = re.sub(_FILE, f" {_NAMES.file}", text)
    return re.sub(_COMMAND, _typed, text)


def _typed(match: re.Match[str]) -> str:
    words = match[1].split()
    names = [_NAMES.find(word) for word in words]
    if names[0] is None:
        return match[0]
    typed = (name or word for name, word in zip(names, words, strict=True))
    return " ".join([_NAMES.program, *typed])
