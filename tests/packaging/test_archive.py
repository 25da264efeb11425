"""The archive: the same bytes for the same contents, and readable by everyone."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tasks_aws.packaging.archive import write
from tasks_aws.packaging.select import EVERYTHING, Entry, files_in


def tree(root: Path, names: list[str]) -> Path:
    """Make a folder of files in the order given, with one script, one link, one empty file."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 500)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "empty").touch()
    (root / "link").symlink_to("run.sh")
    return root


NAMES = ["app.py", "pkg/__init__.py", "pkg/ünïcode.txt", "z/deep/er.bin"]


def test_equal_contents_give_equal_bytes(tmp_path: Path) -> None:
    one = tree(tmp_path / "one", NAMES)
    before = os.umask(0o077)
    try:
        other = tree(tmp_path / "other" / "place", NAMES[::-1])
    finally:
        os.umask(before)
    for path in other.rglob("*.py"):
        os.utime(path, (0, 0))  # 1970, which the zip format cannot even write

    archives = [
        write(tmp_path / f"{root.name}.zip", files_in(root, EVERYTHING)) for root in (one, other)
    ]

    assert archives[0].path.read_bytes() == archives[1].path.read_bytes()
    assert archives[0].code_sha256 == archives[1].code_sha256


def test_the_digest_is_the_one_that_lambda_reports(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", files_in(tree(tmp_path / "a", NAMES), EVERYTHING))

    content = archive.path.read_bytes()
    assert archive.code_sha256 == base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert archive.size == len(content)


def test_everyone_reads_the_archive(tmp_path: Path) -> None:
    root = tree(tmp_path / "a", NAMES)

    archive = write(tmp_path / "a.zip", files_in(root, EVERYTHING))

    with zipfile.ZipFile(archive.path) as found:
        assert found.testzip() is None
        assert found.namelist() == sorted(found.namelist())
        assert {name: found.read(name) for name in NAMES} == {
            name: (root / name).read_bytes() for name in NAMES
        }
        infos = {info.filename: info for info in found.infolist()}
    modes = {name: info.external_attr >> 16 for name, info in infos.items()}
    assert modes["app.py"] == stat.S_IFREG | 0o644
    assert modes["run.sh"] == stat.S_IFREG | 0o755
    assert modes["link"] == stat.S_IFLNK | 0o777
    assert {info.date_time for info in infos.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert archive.files == len(infos) == 7


@pytest.mark.skipif(not shutil.which("unzip"), reason="Info-ZIP's unzip is not installed")
def test_unzip_restores_the_tree(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", files_in(tree(tmp_path / "a", NAMES), EVERYTHING))
    target = tmp_path / "out"

    subprocess.run(["unzip", "-q", str(archive.path), "-d", str(target)], check=True)

    assert os.access(target / "run.sh", os.X_OK)
    assert (target / "link").readlink() == Path("run.sh")
    assert (target / "z/deep/er.bin").read_bytes() == (tmp_path / "a/z/deep/er.bin").read_bytes()


def test_many_entries_are_no_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    entries = [Entry(name=f"{index:06}", path=tmp_path / "file") for index in range(66_000)]

    archive = write(tmp_path / "many.zip", entries)

    with zipfile.ZipFile(archive.path) as found:
        assert len(found.namelist()) == 66_000
        assert found.read("065999") == b"x"


def test_a_failed_write_leaves_the_old_archive(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    target.write_bytes(b"old")

    with pytest.raises(FileNotFoundError):
        write(target, [Entry(name="gone", path=tmp_path / "gone")])

    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_python_imports_from_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "hello.py").write_text("print('imported')\n" * 50)
    archive = write(tmp_path / "a.zip", files_in(tmp_path / "a", EVERYTHING))

    process = subprocess.run(
        [sys.executable, "-c", "import hello"],
        env={"PYTHONPATH": str(archive.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert process.stdout.startswith("imported")
