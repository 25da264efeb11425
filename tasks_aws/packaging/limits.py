"""Lambda's limits on the size of an archive, and what takes the space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from ..config.functions import Layer
from ..errors import PackageError
from ..ui.output import format_size, say, warn
from .archive import Archive

# "Lambda quotas", deployment package.
DIRECT_UPLOAD_BYTES = 50 << 20
UNZIPPED_BYTES = 250 << 20

_WORTH_A_WARNING = 0.8
_SHOWN = 10


def summary(archive: Archive) -> str:
    """Return the sizes of an archive, and their share of the limits."""
    zipped, unzipped = (round(share * 100) for share in _shares(archive))
    return (
        f"{format_size(archive.size)}, {archive.files} files, "
        f"{format_size(archive.unzipped)} unzipped, "
        f"{zipped} % and {unzipped} % of the limits"
    )


def check(name: str, archive: Archive) -> None:
    """Say what is largest when an archive comes near a limit.

    Raises `PackageError` when it could not be unpacked on Lambda, whichever way it is uploaded.
    """
    check_unzipped(name, archive.sizes)
    zipped, unzipped = _shares(archive)
    if max(zipped, unzipped) <= _WORTH_A_WARNING:
        return
    largest = _largest(archive.sizes)
    warn(f"{name} is near a limit of Lambda, or over one. The largest parts: {largest}.")
    if zipped > 1:
        say("zip", f"{name}  is too large for a direct upload ({format_size(DIRECT_UPLOAD_BYTES)})")


def check_unzipped(name: str, sizes: Sequence[tuple[str, int]]) -> None:
    """Raise `PackageError` for files, by name and in bytes, that are too large for Lambda."""
    unzipped = sum(bytes_ for _, bytes_ in sizes)
    if unzipped > UNZIPPED_BYTES:
        raise PackageError(
            f"{name} is {format_size(unzipped)} unzipped, "
            f"of {format_size(UNZIPPED_BYTES)} that Lambda allows.",
            why=f"The largest parts: {_largest(sizes)}.",
            fix="Leave files out with `exclude`, or dependencies out of the requirements.",
        )


def check_together(name: str, archive: Archive, layers: Mapping[str, Archive]) -> None:
    """Raise `PackageError` when a function and its layers, by name, are too large together."""
    total = archive.unzipped + sum(layer.unzipped for layer in layers.values())
    if layers and total > UNZIPPED_BYTES:
        parts = {name: archive, **{f"layer {each}": layer for each, layer in layers.items()}}
        sizes = ", ".join(f"{each} {format_size(part.unzipped)}" for each, part in parts.items())
        raise PackageError(
            f"{name} and its layers are {format_size(total)} unzipped, "
            f"of {format_size(UNZIPPED_BYTES)} that Lambda allows.",
            why=f"They are: {sizes}.",
            fix="Leave files out with `exclude`, or dependencies out of the requirements.",
        )


def check_upload(function: Layer, archive: Archive) -> None:
    """Raise `PackageError` for an archive that has to go through S3 when no `bucket` is set."""
    if archive.size > DIRECT_UPLOAD_BYTES and not function.bucket:
        raise PackageError(
            f"{function.label} is {format_size(archive.size)} zipped, and a direct upload takes "
            f"{format_size(DIRECT_UPLOAD_BYTES)}.",
            why="Lambda takes larger archives from S3 only, and no `bucket` is set.",
            fix="Set `aws.bucket` to a bucket in the function's region, leave files out with "
            "`exclude`, or dependencies out of the requirements.",
        )


def largest_parts(sizes: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the ten largest packages or folders, and their bytes.

    >>> largest_parts([("numpy/a.so", 5), ("numpy/b.py", 1), ("node_modules/@aws/x/y.js", 3)])
    [('numpy', 6), ('node_modules/@aws/x', 3)]
    """
    total: Counter[str] = Counter()
    for name, bytes_ in sizes:
        total[_part(name)] += bytes_
    return total.most_common(_SHOWN)


def _largest(sizes: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{part} {format_size(bytes_)}" for part, bytes_ in largest_parts(sizes))


def _part(name: str) -> str:
    words = name.split("/")
    depth = 1
    if words[0] == "node_modules" and len(words) > 2:
        depth = 3 if words[1].startswith("@") else 2
    return "/".join(words[:depth])


def _shares(archive: Archive) -> tuple[float, float]:
    return archive.size / DIRECT_UPLOAD_BYTES, archive.unzipped / UNZIPPED_BYTES
