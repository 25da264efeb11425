"""Zip archives that other tools built; they are used unchanged."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path, PurePosixPath

from ..errors import PackageError
from .archive import Archive
from .atomic_file import hash_file
from .limits import check_unzipped


def read_prebuilt(path: Path) -> Archive:
    """Return a zip file as an archive.

    Raises `PackageError` when it cannot be read, is too large, or contains a path that leads
    outside the archive.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            code_sha256 = hash_file(file)
        with zipfile.ZipFile(path) as found:
            members = sorted(found.infolist(), key=lambda info: info.filename)
            # Before anything is unpacked: a few kilobytes may expand to terabytes.
            check_unzipped(str(path), [(each.filename, each.file_size) for each in members])
            for info in members:
                with found.open(info) as file:  # folders, too: Lambda reads all members
                    content = hash_file(file).hex()
                mode = info.external_attr >> 16
                if not info.is_dir():
                    digest.update(f"{info.filename}\0{mode:o}\0{content}\n".encode())
    except PackageError:
        raise
    except Exception as error:  # zipfile raises a dozen types of errors for damaged files
        raise PackageError(f"{path} is not a valid zip file.", why=str(error)) from error
    sizes = [(each.filename, each.file_size) for each in members if not each.is_dir()]
    if not sizes:
        raise PackageError(f"{path} contains no files.", why="Lambda rejects an empty archive.")
    for info in members:
        if _is_outside(info):
            raise PackageError(
                f"{path} contains {info.filename!r}, which would be unpacked outside its folder.",
                why="Lambda rejects such an archive.",
            )
    return Archive(
        path=path,
        size=path.stat().st_size,
        unzipped=sum(size for _, size in sizes),
        files=len(sizes),
        code_sha256=base64.b64encode(code_sha256).decode(),
        digest=digest.hexdigest(),
        sizes=sizes,
    )


def _is_outside(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    return ".." in path.parts or (path.is_absolute() and not info.is_dir())  # some tools write "/"
