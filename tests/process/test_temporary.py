"""Temporary folders: those of killed processes go, and those of anybody else stay."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.process.locking import is_free
from tasks_aws.process.temporary import MARK, TEXT, temporary_folder

PREFIX = "tasks-aws-test-"
OWNER = f"""
import sys
from pathlib import Path
from tasks_aws.process.temporary import temporary_folder
with temporary_folder(Path(sys.argv[1]), {PREFIX!r}) as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


def start(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    """Start a process that has a folder, and return it with the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def tidy(parent: Path) -> None:
    """Make a folder, which removes what others have left."""
    with temporary_folder(parent, PREFIX):
        pass


def made(parent: Path, name: str, **files: str) -> Path:
    folder = parent / f"{PREFIX}{name}"
    folder.mkdir()
    for each, text in files.items():
        (folder / each.replace("mark", MARK)).write_text(text)
    os.utime(folder, (0, 0))
    return folder


def test_it_is_there_while_it_is_needed_and_only_its_owner_may_enter(tmp_path: Path) -> None:
    with temporary_folder(tmp_path, PREFIX) as folder:
        assert folder.parent == tmp_path
        assert folder.stat().st_mode & 0o777 == 0o700

    assert list(tmp_path.iterdir()) == []


def test_that_of_a_killed_process_goes_at_once_and_that_of_a_living_one_stays(
    tmp_path: Path,
) -> None:
    (killed, gone), (living, stays) = start(tmp_path), start(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()

    tidy(tmp_path)

    assert not gone.exists()
    assert {each.name for each in stays.iterdir()} >= {MARK, "file"}
    living.communicate()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_our_mark_stays(tmp_path: Path) -> None:
    folders = [
        made(tmp_path, "unpacked", README="x"),
        made(tmp_path, "locked", lock=""),
        made(tmp_path, "other", mark="another program's", README="x"),
    ]
    before = [(each, sorted(each.iterdir())) for each in folders]

    tidy(tmp_path)

    assert [(each, sorted(each.iterdir())) for each in folders] == before


def test_a_link_and_a_mark_that_is_a_link_stay(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / MARK).write_bytes(TEXT)
    (tmp_path / f"{PREFIX}link").symlink_to(theirs, target_is_directory=True)
    (made(tmp_path, "marked") / MARK).symlink_to(theirs / MARK)

    tidy(tmp_path)

    assert {each.name for each in tmp_path.iterdir()} == {
        "theirs",
        f"{PREFIX}link",
        f"{PREFIX}marked",
    }
    assert (theirs / MARK).exists()


@pytest.mark.skipif(
    getattr(os, "getuid", lambda: None)() != 0, reason="only root can give a file to another user"
)
def test_what_belongs_to_another_user_stays(tmp_path: Path) -> None:
    folder = made(tmp_path, "theirs", mark=TEXT.decode())
    os.chown(folder, 12345, -1)
    planted = made(tmp_path, "planted", mark=TEXT.decode())
    os.chown(planted / MARK, 12345, -1)

    tidy(tmp_path)

    assert sorted(tmp_path.iterdir()) == sorted([folder, planted])


@pytest.mark.parametrize("files", [{}, {"mark": ""}, {"mark": TEXT[:9].decode()}])
def test_one_whose_process_was_killed_before_it_was_marked_is_not_kept_for_ever(
    tmp_path: Path, files: dict[str, str]
) -> None:
    made(tmp_path, "young", **files)

    tidy(tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["before the mark", "before the lock"])
def test_one_that_is_taken_for_abandoned_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    from filelock import FileLock

    make, acquire, others = tempfile.mkdtemp, FileLock.acquire, iter([True, False, False])

    def mkdtemp(*args: Any, **options: Any) -> Any:
        folder = make(*args, **options)
        if moment == "before the mark" and next(others):
            Path(folder).rmdir()
        return folder

    def late(self: Any, *args: Any, **options: Any) -> Any:
        if moment == "before the lock" and next(others):
            shutil.rmtree(Path(self.lock_file).parent)
        return acquire(self, *args, **options)

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    monkeypatch.setattr(FileLock, "acquire", late)

    with temporary_folder(tmp_path, PREFIX) as folder:
        assert list(tmp_path.iterdir()) == [folder]
        assert (folder / MARK).exists()


def test_a_file_system_without_locks_has_folders_that_stay_until_their_process_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    def refuse(*args: Any, **options: Any) -> None:
        raise NotImplementedError

    monkeypatch.setattr(FileLock, "acquire", refuse)

    with temporary_folder(tmp_path, PREFIX) as folder:
        tidy(tmp_path)
        assert folder.exists()

    assert list(tmp_path.iterdir()) == []


def test_a_parent_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"), temporary_folder(tmp_path / "x", PREFIX):
        pass


def test_what_windows_keeps_while_it_is_locked_goes_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed, gone = start(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    rmtree = shutil.rmtree

    def remove(folder: Path, *, ignore_errors: bool) -> None:
        assert ignore_errors
        if is_free(folder / "lock"):
            rmtree(folder)
        else:
            (folder / "file").unlink()

    monkeypatch.setattr(shutil, "rmtree", remove)
    tidy(tmp_path)

    assert not gone.exists()
