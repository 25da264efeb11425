"""What this command line calls what messages name: our tasks, the key of our settings, their file.

Commands and files are named where a message is written: what it quotes of the user's, such as a
build command, stays as it is. Keys are part of a setting's full name, such as ``aws.region``, so
they are found in the message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable


class _Names:
    """The names in this process; the threads of a task use those of the task."""

    def __init__(self) -> None:
        self.key = "aws"
        self.settings: Iterable[str] = ()
        self.file = "invoke.yaml"
        self.program = "invoke"
        self.find: Callable[[str], str | None] = str


_NAMES = _Names()


def name_settings(key: str, settings: Iterable[str], file: str) -> None:
    """Say what the key of our settings is called, what is in it, and the file they belong into."""
    _NAMES.key, _NAMES.settings, _NAMES.file = key, settings, file


def name_commands(program: str, find: Callable[[str], str | None]) -> None:
    """Say what runs our tasks, and how to find what one is called: None if it is not there."""
    _NAMES.program, _NAMES.find = program, find


def settings_file() -> str:
    """Return the name of the file that settings belong into."""
    return _NAMES.file


def command(tasks: str) -> str:
    """Return the command line of tasks of ours, with options of the last one, as it is typed.

    >>> name_commands("fab", {"assume": "aws.assume", "env": "aws.env"}.get)
    >>> command("assume env --profile env")
    'fab aws.assume aws.env --profile env'
    >>> command("login")
    'fab login'
    >>> name_commands("invoke", str)
    """
    names, *options = re.split(r" (?=-)", tasks, maxsplit=1)
    typed = (_NAMES.find(name) or name for name in names.split())
    return " ".join([_NAMES.program, *typed, *options])


def with_keys_as_typed(text: str) -> str:
    """Return a message with the keys of our settings as the user has to write them.

    >>> name_settings("tasks_aws", ["region", "functions"], "invoke.yaml")
    >>> with_keys_as_typed("`aws.functions.hello.Handler`: `aws.handler` is not there.")
    '`tasks_aws.functions.hello.Handler`: `aws.handler` is not there.'
    >>> name_settings("aws", [], "invoke.yaml")
    """
    if _NAMES.key == "aws":
        return text
    # What is in quotes is a key or what is in it, or a key with its value.
    key = rf"`aws(?=\.(?:{'|'.join(_NAMES.settings)})(?:[.\[][^`\s]*|: [^`]*)?`)"
    return re.sub(key, f"`{_NAMES.key}", text)
