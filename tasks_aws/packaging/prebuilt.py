"""Zip archives that other tools built; they are used unchanged."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from stat import S_ISLNK
from zipfile import ZipInfo

from ..errors import PackageError
from .archive import Archive
from .atomic_file import hash_file
from .limits import check_unzipped

# Lambda's runtimes run as another user than the owner of the files.
_READABLE, _SEARCHABLE, _EXECUTABLE = 0o004, 0o005, 0o001
_UNIX = 3  # made there: otherwise there are no modes
_SHOWN = 3


def read_prebuilt(path: Path, *, programs: Sequence[str] = ()) -> Archive:
    """Return a zip file as an archive; `programs` are its files that have to be executable.

    Raises `PackageError` when it cannot be read, here or by Lambda, or is too large.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            code_sha256 = hash_file(file)
        with zipfile.ZipFile(path) as found:
            members = sorted(found.infolist(), key=lambda info: info.filename)
            _check_members(path, members, programs)
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
    return Archive(
        path=path,
        size=path.stat().st_size,
        unzipped=sum(size for _, size in sizes),
        files=len(sizes),
        code_sha256=base64.b64encode(code_sha256).decode(),
        digest=digest.hexdigest(),
        sizes=sizes,
    )


def _check_members(path: Path, members: Sequence[ZipInfo], programs: Sequence[str]) -> None:
    """Raise `PackageError` for members that Lambda rejects, or that a function could not use."""
    tests: tuple[tuple[Callable[[ZipInfo], bool], str, str, str], ...] = (
        (
            _is_outside,
            "would be unpacked outside its folder",
            "Lambda rejects such an archive.",
            "Zip the files with relative names.",
        ),
        (
            lambda info: "\\" in info.orig_filename,
            "has backslashes in its name",
            "On Lambda they are part of the name, and there is no such folder.",
            "Zip the files with another program, which writes slashes.",
        ),
        (
            lambda info: bool(info.flag_bits & 1),
            "is encrypted",
            "Lambda has no password.",
            "Zip the files without encryption.",
        ),
        (
            lambda info: info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
            "is compressed in a way that Lambda cannot unpack",
            "Lambda supports Deflate and uncompressed files only.",
            "Zip the files with Deflate, which is the default of most programs.",
        ),
        (
            _is_unreadable,
            "cannot be read on Lambda",
            "The function runs as another user, and the file's mode grants access only to its "
            "owner or group.",
            "Run `chmod -R a+rX` on the files, then zip them again.",
        ),
        (
            lambda info: info.filename in programs and not _is_executable(info),
            "is not executable",
            "Lambda has to start it.",
            "Run `chmod 755` on it, then zip the files again, on Linux or macOS.",
        ),
    )
    for is_wrong, what, why, fix in tests:
        wrong = [repr(each.filename) for each in members if is_wrong(each)]
        if wrong:
            more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            shown = ", ".join(wrong[:_SHOWN]) + more
            raise PackageError(f"{path} contains {shown}, which {what}.", why=why, fix=fix)


def _is_outside(info: ZipInfo) -> bool:
    path = PurePosixPath(info.filename)
    return ".." in path.parts or (path.is_absolute() and not info.is_dir())  # some tools write "/"


def _is_unreadable(info: ZipInfo) -> bool:
    mode = info.external_attr >> 16
    if info.create_system != _UNIX or not mode or S_ISLNK(mode):
        return False
    needed = _SEARCHABLE if info.is_dir() else _READABLE
    return mode & needed != needed


def _is_executable(info: ZipInfo) -> bool:
    mode = info.external_attr >> 16
    return info.create_system == _UNIX and (S_ISLNK(mode) or bool(mode & _EXECUTABLE))
