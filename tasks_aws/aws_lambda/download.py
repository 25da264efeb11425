"""Fetching the code of a function into a new folder."""

from __future__ import annotations

import io
import shutil
import stat
import zipfile
from pathlib import Path, PureWindowsPath

from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from ..errors import FunctionError, PackageError
from ..packaging.limits import check_unzipped
from .clients import Account
from .remote_state import get_function


def check_free(folder: Path) -> None:
    """Refuse a folder that exists. Raises `PackageError`."""
    if folder.exists() or folder.is_symlink():
        raise PackageError(
            f"{folder} exists already.",
            why="Nothing of yours is overwritten.",
            fix="Move it away, or leave out --download.",
        )


def download(name: str, folder: Path, account: Account) -> None:
    """Unpack the code of a function into a folder, which is there as a whole or not at all.

    Raises `FunctionError` if it cannot be fetched, and `PackageError` for an archive that would
    write outside of the folder.
    """
    check_free(folder)
    answer = get_function(name, account) or {}
    location = answer.get("Code", {}).get("Location")
    if not location or answer["Code"].get("ImageUri"):
        raise FunctionError(
            f"The code of {name} cannot be downloaded.",
            why="It is a container image.",
            fix="Leave out --download; the image is named by `Code.ImageUri`.",
        )
    unpack(_fetched(name, location), folder)


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack an archive into a new folder, with its links and the right to execute."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as file:
            members = [each for each in file.infolist() if not each.is_dir()]
            for member in members:
                _check_name(member.filename)
            unfinished.mkdir()
            check_unzipped("The archive", [(each.filename, each.file_size) for each in members])
            links = {}
            for member in members:
                path = unfinished / member.filename
                path.parent.mkdir(parents=True, exist_ok=True)
                if _is_link(member):
                    links[path] = file.read(member).decode()
                else:
                    path.write_bytes(file.read(member))
                    path.chmod(0o755 if member.external_attr >> 16 & 0o111 else 0o644)
        # Links last, so that nothing is written through one; and where one leads may depend on
        # those that come after it.
        for path, target in links.items():
            _check_inside(path.parent, unfinished)
            path.symlink_to(target)
        for path in links:
            _check_inside(path, unfinished)
        unfinished.rename(folder)
    except PackageError:
        raise
    except Exception as error:  # for broken bytes, zipfile has a dozen kinds
        raise PackageError(
            f"The archive cannot be unpacked into {folder}.", why=str(error), fix="Correct it."
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _fetched(name: str, location: str) -> bytes:
    # The URL is signed: it takes no credentials, and is told to nobody.
    session = URLLib3Session(proxies=get_environ_proxies(location))
    answer = session.send(AWSRequest(method="GET", url=location).prepare())
    if answer.status_code != 200:
        raise FunctionError(
            f"The code of {name} could not be downloaded.",
            why=f"S3 answered {answer.status_code}.",
            fix="Run it again.",
        )
    return bytes(answer.content)


def _is_link(member: zipfile.ZipInfo) -> bool:
    return stat.S_ISLNK(member.external_attr >> 16)


def _check_name(name: str) -> None:
    path = PureWindowsPath(name)  # which takes / for a separator, too
    if path.drive or path.root or ".." in path.parts:
        raise _leads_outside(name)


def _check_inside(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.resolve()):
        raise _leads_outside(str(path.relative_to(folder)))


def _leads_outside(name: str) -> PackageError:
    return PackageError(
        f"The archive has {name!r}, which leads out of its folder.",
        why="Nothing was unpacked.",
        fix="Look at the archive by hand: `aws lambda get-function` gives its URL.",
    )
