"""What `include` names and an archive does not contain: a misspelt pattern brings nothing back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..config.functions import Layer
from ..errors import PackageError
from .files import find_folders
from .ignore_rules import IgnoreRules
from .shared import Shared


def check_included(function: Layer, names: Iterable[str], shared: Shared | None) -> None:
    """Raise `PackageError` for a pattern of `include` that matches no file of these names.

    The names are relative to the sources. A pattern of `function_defaults` may match in some of the
    functions only; `shared` warns of one that matches in none.
    """
    unmatched = find_unmatched(function.include, names)
    key = function.overlays.as_written(f"`{function.key}.include`")
    if ".function_defaults." in key:
        if shared:
            shared.note_unmatched(key, unmatched)
    elif unmatched:
        raise PackageError(
            f"{key} names {', '.join(unmatched)}, which matches no file of {function.label}.",
            why="The archive would lack files that it should contain.",
            fix="Correct the pattern, which is relative to the source, or remove it.",
        )


def find_unmatched(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """Return the patterns that match none of the files of these names, and no folder of them."""
    wanted = [each for each in patterns if not each.startswith(("!", "#"))]
    files = {*names} if wanted else set()
    found = [*files, *(f"{folder}/" for folder in find_folders(files))]
    return [each for each in wanted if not any(map(IgnoreRules([each]).decide, found))]


def names_as_in_sources(function: Layer, names: Iterable[str]) -> Iterator[str]:
    """Yield names in an archive as they are in a source, which may be in a folder of it."""
    folders = {f"{each}/" for each in (function.folder, *(one.inside for one in function.source))}
    for name in names:
        yield name
        yield from (name.removeprefix(each) for each in folders if name.startswith(each))
