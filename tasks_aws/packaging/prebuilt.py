"""Zip archives that others made, used as they are."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from pathlib import Path, PurePosixPath

from ..errors import PackageError
from .archive import Archive
from .atomic_file import sha256_of
from .limits import check_unzipped


def read_prebuilt(path: Path) -> Archive:
    """Return a zip that others made.

    Raises `PackageError` when it is none, is too large, or has a name that leads outside.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            code_sha256 = sha256_of(file)
        with zipfile.ZipFile(path) as found:
            members = sorted(found.infolist(), key=lambda info: info.filename)
            # Before anything is unpacked: a few kilobytes may stand for terabytes.
            check_unzipped(str(path), [(each.filename, each.file_size) for each in members])
            for info in members:
                with found.open(info) as file:  # a folder's, too: Lambda reads all of them
                    content = sha256_of(file).hex()
                mode = info.external_attr >> 16
                if not info.is_dir():
                    digest.update(f"{info.filename}\0{mode:o}\0{content}\n".encode())
    except PackageError:
        raise
    except Exception as error:  # for broken bytes, zipfile has a dozen kinds
        raise PackageError(
            f"{path} is not a zip that can be read.", why=str(error), fix="Build it again."
        ) from error
    sizes = [(each.filename, each.file_size) for each in members if not each.is_dir()]
    if not sizes or any(_leads_outside(each) for each in members):
        raise PackageError(
            f"{path} is empty, or has a file that would be unpacked elsewhere.",
            why="Lambda refuses it.",
            fix="Build it again.",
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


def _leads_outside(info: zipfile.ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    return ".." in path.parts or (path.is_absolute() and not info.is_dir())  # some tools write "/"
