"""How a setting is declared: once, as a field of a dataclass.

The field gives the name, the type and the default; `setting` adds the rest. Whatever lists
settings (parsing, "did you mean", the reference in the documentation) takes them from `declared`.
"""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, NamedTuple, TypeVar, overload

from .parsers import Parser

_T = TypeVar("_T")


class Setting(NamedTuple):
    """What is known about a setting, apart from its name and type."""

    parse: Parser[Any]
    doc: str  # Markdown, for the reference
    default: Any
    unset: str  # what holds when the setting is not there
    aws_references: bool  # whether it may hold references that only AWS can resolve
    option: str  # the command-line option, if it is not named like the setting
    removable: bool = False  # whether `none` removes on AWS what the setting describes

    @property
    def is_scalar(self) -> bool:
        """Return whether its value is neither a list nor a mapping."""
        kinds = self.parse.schema.get("type", ())
        return not {"array", "object"} & {*([kinds] if isinstance(kinds, str) else kinds)}


@overload
def setting(
    parse: Parser[_T],
    doc: str,
    *,
    unset: str = "",
    aws_references: bool = False,
    option: str = "",
    removable: bool = False,
) -> _T | None: ...
@overload
def setting(
    parse: Parser[_T],
    doc: str,
    *,
    default: _T,
    unset: str = "",
    aws_references: bool = False,
    option: str = "",
) -> _T: ...
def setting(
    parse: Parser[Any],
    doc: str,
    *,
    default: Any = None,
    unset: str = "",
    aws_references: bool = False,
    option: str = "",
    removable: bool = False,
) -> Any:
    """Return the dataclass field of a setting, which is None by default."""
    made = Setting(parse, doc, default, unset, aws_references, option, removable)
    if isinstance(default, dict):
        return field(default_factory=default.copy, metadata={"setting": made})
    return field(default=default, metadata={"setting": made})


def declared(settings: type) -> dict[str, Setting]:
    """Return the settings that a dataclass declares, by name."""
    return {
        each.name: each.metadata["setting"]
        for each in fields(settings)
        if "setting" in each.metadata
    }
