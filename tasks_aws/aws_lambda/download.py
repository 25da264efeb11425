"""Downloading the code of a function into a new folder."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path, PureWindowsPath

from ..errors import FunctionError, PackageError
from ..packaging.limits import check_unzipped
from ..process.temporary import temporary_folder
from ..sdk.http import UnreachableError, get
from .clients import Account
from .remote_state import get_function


def refuse_existing_folder(folder: Path) -> None:
    """Raise `PackageError` if a folder exists."""
    if folder.exists() or folder.is_symlink():
        raise PackageError(
            f"{folder} already exists.",
            why="--download never overwrites files.",
            fix="Move it away, or leave out --download.",
        )


def download_code(name: str, folder: Path, account: Account) -> None:
    """Download the code of a function and unpack it into a new folder, completely or not at all.

    Raises `FunctionError` if the download fails, and `PackageError` for an archive that would
    write outside the folder.
    """
    refuse_existing_folder(folder)
    answer = get_function(name, account) or {}
    location = answer.get("Code", {}).get("Location")
    if not location or answer["Code"].get("ImageUri"):
        raise FunctionError(
            f"The code of {name} cannot be downloaded.",
            why="It is a container image.",
            fix="Leave out --download; `Code.ImageUri` is the image.",
        )
    unpack_archive(_fetch(name, location, account), folder)


def unpack_archive(archive: bytes, folder: Path) -> None:
    """Unpack an archive into a new folder, with symbolic links and executable bits."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with (
            zipfile.ZipFile(io.BytesIO(archive)) as file,
            temporary_folder(folder.parent, f".{folder.name}.unfinished-") as temporary,
        ):
            _unpack(file, temporary / "code").rename(folder)
    except PackageError:
        raise
    except Exception as error:  # zipfile raises a dozen kinds for a broken archive
        raise PackageError(
            f"The archive cannot be unpacked into {folder}.", why=str(error)
        ) from error


def _unpack(file: zipfile.ZipFile, folder: Path) -> Path:
    members = [each for each in file.infolist() if not each.is_dir()]
    for member in members:
        _check_name(member.filename)
    check_unzipped("The archive", [(each.filename, each.file_size) for each in members])
    folder.mkdir()
    links = {}
    for member in members:
        path = folder / member.filename
        path.parent.mkdir(parents=True, exist_ok=True)
        if _is_link(member):
            links[path] = file.read(member).decode()
        else:
            path.write_bytes(file.read(member))
            path.chmod(0o755 if member.external_attr >> 16 & 0o111 else 0o644)
    # Links come last, so that nothing is written through one. They are checked when all exist:
    # where one leads may depend on another.
    for path, target in links.items():
        _check_inside(path.parent, folder)
        path.symlink_to(target)
    for path in links:
        _check_inside(path, folder)
    return folder


def _fetch(name: str, location: str, account: Account) -> bytes:
    # The URL is presigned: it needs no credentials, and must not be printed.
    try:
        answer = get(location, account.session)
    except UnreachableError as error:
        raise FunctionError(
            f"The code of {name} could not be downloaded.",
            why=f"S3 cannot be reached ({error}).",
            fix="Check the network, the proxy and the CA bundle, then run this again.",
        ) from None
    if answer.status_code != 200:
        raise FunctionError(
            f"The code of {name} could not be downloaded.",
            why=f"S3 answered {answer.status_code}.",
            fix="Run this again.",
        )
    return bytes(answer.content)


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _check_name(name: str) -> None:
    path = PureWindowsPath(name)  # which accepts / as a separator, too
    if path.drive or path.root or ".." in path.parts:
        raise _outside_error(name)


def _check_inside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _outside_error(str(path.relative_to(folder)))


def _outside_error(name: str) -> PackageError:
    return PackageError(
        f"The archive contains {name!r}, which would be unpacked outside the target folder.",
        why="Nothing was unpacked.",
        fix="Inspect the archive yourself: `aws lambda get-function` prints its URL.",
    )
