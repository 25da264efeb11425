"""The index: what has not changed is copied from the previous archive, and nothing else is."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from tasks_aws.packaging import archive_index, compress, zip_format
from tests.packaging.support import write_tree, zip_tree


def zip_again(root: Path, target: Path) -> bytes:
    """Write an archive of the tree again, and compare it with a new one."""
    zip_tree(root, target)
    fresh = zip_tree(root, target.with_name("fresh.zip"))
    for path in (fresh.path, fresh.path.with_suffix(".index")):
        content = path.read_bytes()
        path.unlink()
        if path.suffix == ".zip":
            assert target.read_bytes() == content
    return target.read_bytes()


def test_what_has_not_changed_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_index, "_UNSETTLED_NS", 0)
    root, target = write_tree(tmp_path / "a"), tmp_path / "a.zip"
    (root / "link").unlink()  # where a link points to is known without reading
    first = zip_tree(root, target)
    inode = target.stat().st_ino
    monkeypatch.delattr(compress, "_read")

    second = zip_tree(root, target)

    assert second == first
    assert target.stat().st_ino == inode  # not written again


def test_what_has_only_just_changed_is_read_again(tmp_path: Path) -> None:
    root, target = write_tree(tmp_path / "a"), tmp_path / "a.zip"
    zip_tree(root, target)

    known = json.loads(target.with_suffix(".index").read_text())["members"]

    assert [signature for *_, signature in known] == [None] * 7


def test_the_same_contents_in_new_files_leave_the_archive_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_index, "_UNSETTLED_NS", 0)
    root, target = write_tree(tmp_path / "a"), tmp_path / "a.zip"
    first = zip_tree(root, target)
    inode = target.stat().st_ino
    root.rename(tmp_path / "before")  # kept, so that no inode is used again
    write_tree(root)

    second = zip_tree(root, target)
    monkeypatch.delattr(compress, "_compress")
    (root / "app.py").touch()
    third = zip_tree(root, target)

    assert first == second == third
    assert target.stat().st_ino == inode


def test_a_change_an_addition_a_removal_and_a_mode(tmp_path: Path) -> None:
    root, target = write_tree(tmp_path / "a"), tmp_path / "a.zip"
    before = zip_again(root, target)
    (root / "pkg/__init__.py").write_text("changed")
    changed = zip_again(root, target)
    (root / "added.py").write_text("added")
    added = zip_again(root, target)
    (root / "app.py").unlink()
    removed = zip_again(root, target)
    (root / "added.py").chmod(0o755)
    executable = zip_again(root, target)

    assert len({before, changed, added, removed, executable}) == 5


def test_a_change_that_keeps_size_and_time_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_index, "_UNSETTLED_NS", 0)
    root, target = write_tree(tmp_path / "a"), tmp_path / "a.zip"
    zip_tree(root, target)
    path = root / "app.py"
    status, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + b"!")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    zip_again(root, target)

    with zipfile.ZipFile(target) as found:
        assert found.read("app.py").endswith(b"!")


@pytest.mark.parametrize("broken", ["", "{", "[]", '{"writer": 1}'])
def test_a_broken_index_is_ignored(tmp_path: Path, broken: str) -> None:
    root, target = write_tree(tmp_path / "a"), tmp_path / "a.zip"
    zip_tree(root, target)
    target.with_suffix(".index").write_text(broken)

    zip_again(root, target)


def test_an_archive_that_others_changed_is_written_anew(tmp_path: Path) -> None:
    root, target = write_tree(tmp_path / "a"), tmp_path / "a.zip"
    zip_tree(root, target)
    target.write_bytes(target.read_bytes()[:-9] + b"corrupted")

    zip_again(root, target)


@pytest.mark.parametrize("upgrade", [("_DATE", 2 << 9 | 1 << 5 | 1), ("_UNIX", 19 << 8)])
def test_what_another_release_wrote_is_not_reused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upgrade: tuple[str, int]
) -> None:
    root, target = write_tree(tmp_path / "a"), tmp_path / "a.zip"
    before = zip_tree(root, target).path.read_bytes()
    monkeypatch.setattr(zip_format, *upgrade)

    assert zip_again(root, target) != before
