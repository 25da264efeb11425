"""The report on an archive: what takes up the space, what is imported, and what has changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..config.functions import Function, Layer
from ..ui.output import count, format_size, print_table, say
from .archive import Archive
from .atomic_file import replace_atomically
from .contents import Contents, contents_of_archive
from .handler import find_handler_imports
from .limits import DIRECT_UPLOAD_BYTES, UNZIPPED_BYTES, WORTH_SHOWING
from .node.imports import LARGEST_BYTES
from .parts import File, Part, read_files, read_parts
from .uses import Use, find_uses

REPORT_SUFFIX = ".report.html"

_SHOWN_PARTS = 10
_SHOWN_CHANGES = 500
_DATA = "{{data}}"
_UNKNOWN = Use("")


class Change(NamedTuple):
    """A file that was added, removed or changed; the size that it does not have is None."""

    name: str
    before: int | None
    after: int | None

    @property
    def difference(self) -> int:
        """Return by how many bytes it has grown."""
        return (self.after or 0) - (self.before or 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Content:
    """One archive that the function is made of: its own, or that of a layer."""

    label: str
    archive: Archive
    parts: Sequence[Part]


def read_previous(target: Path) -> list[File] | None:
    """Return the files of the archive that is about to be replaced, or None if there is none."""
    try:
        return read_files(target)
    except Exception:  # zipfile raises a dozen types of errors for damaged files
        return None


def write_report(
    function: Layer,
    output: Path,
    archive: Archive,
    contents: Contents,
    layers: Sequence[Archive],
    previous: Sequence[File] | None = None,
) -> None:
    """Write the page about an archive into the folder of all output, and print its short form.

    `previous` are the files of the archive before it. The page is complete: it loads nothing.
    """
    names = function.layer_names if isinstance(function, Function) else []
    found = [
        _Content(label=label, archive=each, parts=read_parts(each.path))
        for label, each in (
            (function.label, archive),
            *((f"layer {name}", each) for name, each in zip(names, layers, strict=True)),
        )
    ]
    uses = _find_uses(function, found, contents, layers)
    changes = None if previous is None else find_changes(previous, read_files(archive.path))
    data = json.dumps(_describe(function, found, uses, changes), separators=(",", ":"))
    page = Path(__file__).with_suffix(".html").read_text(encoding="utf-8")
    target = output / f"{function.stem}{REPORT_SUFFIX}"
    with replace_atomically(target) as file:
        # In the page no `<` of a file's name may end the element that the data is in.
        file.write(page.replace(_DATA, data.replace("<", "\\u003c")).encode())
    _print_summary(function, f"{output.name}/{target.name}", found, uses, changes)


def find_changes(before: Iterable[File], after: Iterable[File]) -> list[Change]:
    """Return the files that differ between two archives, those first that changed the size most."""
    old, new = ({file.name: file for file in each} for each in (before, after))
    changes = [
        Change(
            name, old[name].size if name in old else None, new[name].size if name in new else None
        )
        for name in {**old, **new}
        if name not in old or name not in new or old[name].crc != new[name].crc
    ]
    return sorted(changes, key=lambda each: (-abs(each.difference), each.name))


def _find_uses(
    function: Layer, found: Sequence[_Content], contents: Contents, layers: Sequence[Archive]
) -> dict[Part, Use]:
    """Return how the handler uses each part, or nothing if that is not known."""
    if not isinstance(function, Function):
        return {}
    imports = find_handler_imports(
        function, contents, [contents_of_archive(each) for each in layers]
    )
    if imports is None:
        return {}
    sizes = dict(found[0].archive.sizes)
    scripts = (name for name in imports.files if not name.endswith(".py"))
    if any(sizes.get(name, 0) > LARGEST_BYTES for name in scripts):
        return {}  # a bundle of JavaScript, whose imports are not read
    parts = (part for each in found for part in each.parts)
    return dict(find_uses(parts, imports.files, imports.packages))


def _describe(
    function: Layer,
    found: Sequence[_Content],
    uses: dict[Part, Use],
    changes: Sequence[Change] | None,
) -> dict[str, Any]:
    """Return what the page shows, as JSON can hold it."""
    every = [file for part in found[0].parts for file in part.files]
    compiled = [file for file in every if file.name.endswith(".pyc")]
    own = function.layers if isinstance(function, Function) else None
    return {
        "label": function.label,
        "isFunction": isinstance(function, Function),
        "runtime": ", ".join(function.runtimes),
        "architecture": ", ".join(function.architectures),
        "codeSha256": found[0].archive.code_sha256,
        "limits": {"direct": DIRECT_UPLOAD_BYTES, "unzipped": UNZIPPED_BYTES},
        "importsKnown": bool(uses),
        "unknownLayers": [
            *(each for each in own or () if each.startswith("arn:")),
            *map(str, function.parameters.get("Layers") or ()),
        ],
        "archives": [
            {
                "label": each.label,
                "size": each.archive.size,
                "unzipped": each.archive.unzipped,
                "headers": each.archive.size - sum(part.zipped for part in each.parts),
                "parts": [
                    {
                        "name": part.name,
                        "version": part.version,
                        "use": uses.get(part, _UNKNOWN).text,
                        "roots": uses.get(part, _UNKNOWN).roots,
                        "files": [[file.name, file.size, file.zipped] for file in part.files],
                    }
                    for part in each.parts
                ],
            }
            for each in found
        ],
        "bytecode": {
            "files": len(compiled),
            "size": sum(file.size for file in compiled),
            "zipped": sum(file.zipped for file in compiled),
        },
        "changes": None
        if changes is None
        else {
            "count": len(changes),
            "difference": sum(each.difference for each in changes),
            "largest": changes[:_SHOWN_CHANGES],
        },
    }


def _print_summary(
    function: Layer,
    path: str,
    found: Sequence[_Content],
    uses: dict[Part, Use],
    changes: Sequence[Change] | None,
) -> None:
    """Print where the page is, the ten largest parts, and how much has changed."""
    total = sum(each.archive.unzipped for each in found)
    with_layers = " with layers" if len(found) > 1 else ""
    size = format_size(total)
    if total > UNZIPPED_BYTES * WORTH_SHOWING:
        size = f"{total * 100 / UNZIPPED_BYTES:.0f} % of {UNZIPPED_BYTES >> 20} MiB"
    say("report", f"{function.label}  {path}, {size} unzipped{with_layers}")
    rows = [(part, each.label) for each in found for part in each.parts]
    rows.sort(key=lambda row: (-row[0].size, row[0].name))
    table = (
        (
            _printable(f"{part.name} {part.version}".strip()),
            format_size(part.size),
            format_size(part.zipped),
            uses.get(part, _UNKNOWN).text or "-",
            label,
        )
        for part, label in rows[:_SHOWN_PARTS]
    )
    columns = 5 if len(found) > 1 else 4
    header = ("largest parts", "unzipped", "zipped", "handler", "in")
    print_table(header[:columns], (row[:columns] for row in table))
    if changes:
        say("changes", f"{function.label}  {', '.join(_count_changes(changes))}")


def _count_changes(changes: Sequence[Change]) -> Iterator[str]:
    """Yield the numbers of changed files in words, and by how much they have grown."""
    added = sum(each.before is None for each in changes)
    removed = sum(each.after is None for each in changes)
    numbers = {"added": added, "removed": removed, "changed": len(changes) - added - removed}
    yield from (f"{count(number, 'file')} {what}" for what, number in numbers.items() if number)
    difference = sum(each.difference for each in changes)
    yield f"{'-' if difference < 0 else '+'}{format_size(abs(difference))} unzipped"


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
