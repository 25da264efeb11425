"""A file appears only when it is complete, and its digest is that of its content."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import pytest

from tasks_aws.packaging.archive import write_archive
from tasks_aws.packaging.atomic_file import HashingWriter, replace_atomically
from tasks_aws.packaging.files import Entry


def test_a_failed_write_leaves_the_old_archive(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    target.write_bytes(b"old")

    with pytest.raises(FileNotFoundError):
        write_archive(target, [Entry(name="gone", path=str(tmp_path / "gone"))])

    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_the_file_appears_only_when_the_block_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"

    with replace_atomically(target) as file:
        file.write(b"content")
        assert not target.exists()

    assert target.read_bytes() == b"content"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_the_file_has_the_mode_of_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with replace_atomically(tmp_path / "file") as file:
            file.write(b"content")
    finally:
        os.umask(before)

    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_what_is_copied_and_what_is_written_are_hashed_in_order() -> None:
    output, previous = io.BytesIO(), io.BytesIO(b"0123456789")
    other = io.BytesIO(b"abcdefghij")
    writer = HashingWriter(output)

    writer.copy(previous, 2, 2)
    writer.copy(previous, 4, 1)  # one run with the range before
    writer.copy(other, 5, 1)
    writer.copy(previous, 0, 1)
    writer.write(b"new")
    writer.copy(previous, 9, 1)

    assert writer.written == 9
    assert writer.digest() == hashlib.sha256(b"234f0new9").digest()
    assert output.getvalue() == b"234f0new9"


def test_what_is_removed_is_closed_before_as_windows_demands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink
    removed: list[Path] = []

    def remove(path: Path, **options: bool) -> None:
        assert file.closed
        removed.append(path)
        unlink(path, **options)

    monkeypatch.setattr(Path, "unlink", remove)
    with pytest.raises(ZeroDivisionError), replace_atomically(tmp_path / "file") as file:
        raise ZeroDivisionError

    assert len(removed) == 1
    assert list(tmp_path.iterdir()) == []
