"""Lambda's limits on the size of an archive, and what takes up the space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..config.functions import Layer
from ..errors import PackageError
from ..text.as_typed import command
from ..ui.output import count, format_size, say, warn
from .archive import Archive

# "Lambda quotas", deployment package. AWS writes MB and means MiB.
DIRECT_UPLOAD_BYTES = 50 << 20
UNZIPPED_BYTES = 250 << 20

WORTH_SHOWING = 0.5  # of a limit
_WORTH_A_WARNING = 0.8
_SHOWN_PARTS = 10
_MAKE_SMALLER = "Leave files out with `exclude`, or remove dependencies."


def summarize(archive: Archive) -> str:
    """Return the sizes of an archive, and its share of a limit when that is more than half."""
    sizes = [
        format_size(archive.size),
        count(archive.files, "file"),
        f"{format_size(archive.unzipped)} unzipped",
    ]
    return ", ".join([*sizes, *_find_shares(archive, above=WORTH_SHOWING)])


def check_size(name: str, archive: Archive) -> None:
    """Warn about an archive that is close to a limit, and name its largest parts.

    Raises `PackageError` when Lambda could not unpack it.
    """
    check_unzipped(name, archive.sizes, fix=_see_report())
    if shares := _find_shares(archive, above=_WORTH_A_WARNING):
        largest = _describe_largest(archive.sizes)
        warn(f"{name} is at {' and '.join(shares)}. The largest parts: {largest}.")
    if archive.size > DIRECT_UPLOAD_BYTES:
        say(
            "zip",
            f"{name}  exceeds the limit for direct uploads, so `deploy` uploads it through S3",
        )


def check_unzipped(
    name: str, sizes: Sequence[tuple[str, int]], *, fix: str = _MAKE_SMALLER
) -> None:
    """Raise `PackageError` for files, by name and in bytes, that are too large for Lambda."""
    unzipped = sum(bytes_ for _, bytes_ in sizes)
    if unzipped > UNZIPPED_BYTES:
        raise PackageError(
            f"{name} is {format_size(unzipped)} unzipped; "
            f"Lambda's limit is {_limit(UNZIPPED_BYTES)}.",
            why=f"The largest parts: {_describe_largest(sizes)}.",
            fix=fix,
        )


def check_together(name: str, archive: Archive, layers: Mapping[str, Archive]) -> None:
    """Raise `PackageError` when a function and its layers, by name, are too large together."""
    total = archive.unzipped + sum(layer.unzipped for layer in layers.values())
    if layers and total > UNZIPPED_BYTES:
        parts = {name: archive, **{f"layer {each}": layer for each, layer in layers.items()}}
        raise PackageError(
            f"{name} and its layers are {format_size(total)} unzipped; "
            f"Lambda's limit is {_limit(UNZIPPED_BYTES)}.",
            why=", ".join(f"{each} is {format_size(part.unzipped)}" for each, part in parts.items())
            + ".",
            fix=_see_report(),
        )


def check_upload(function: Layer, archive: Archive) -> None:
    """Raise `PackageError` for an archive that has to go through S3 when no `bucket` is set."""
    if archive.size > DIRECT_UPLOAD_BYTES and not function.bucket:
        raise PackageError(
            f"{function.label} is {format_size(archive.size)} zipped; "
            f"Lambda's limit for a direct upload is {_limit(DIRECT_UPLOAD_BYTES)}.",
            why=f"Larger archives go through S3, and `{function.key}.bucket` is not set.",
            fix="Set `aws.bucket` to a bucket in the function's region, leave files out with "
            "`exclude`, or remove dependencies.",
        )


def find_largest_parts(sizes: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the ten largest packages or folders with their sizes in bytes.

    >>> find_largest_parts([("numpy/a.so", 5), ("numpy/b.py", 1), ("node_modules/@aws/x/y.js", 3)])
    [('numpy', 6), ('node_modules/@aws/x', 3)]
    """
    total: Counter[str] = Counter()
    for name, bytes_ in sizes:
        total[_part_of(name)] += bytes_
    return total.most_common(_SHOWN_PARTS)


def _describe_largest(sizes: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{part} {format_size(bytes_)}" for part, bytes_ in find_largest_parts(sizes))


def _part_of(name: str) -> str:
    words = name.split("/")
    depth = 1
    if words[0] == "node_modules" and len(words) > 2:
        depth = 3 if words[1].startswith("@") else 2
    return "/".join(words[:depth])


def _find_shares(archive: Archive, *, above: float) -> list[str]:
    """Return, for each limit, the archive's share in words if it is above this one."""
    limits = (
        (archive.size, DIRECT_UPLOAD_BYTES, "upload"),
        (archive.unzipped, UNZIPPED_BYTES, "unzipped"),
    )
    return [
        f"{bytes_ * 100 / limit:.0f} % of the {limit >> 20} MiB {name} limit"
        for bytes_, limit, name in limits
        if bytes_ > limit * above
    ]


def _limit(limit: int) -> str:
    return f"{limit >> 20} MiB ({format_size(limit)})"


def _see_report() -> str:
    return f"{_MAKE_SMALLER} `{command('package --report')}` shows which."
