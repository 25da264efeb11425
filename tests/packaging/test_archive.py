"""The archive: the same bytes for the same contents, and readable by everyone."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tasks_aws.packaging import compress
from tasks_aws.packaging.archive import write_archive
from tasks_aws.packaging.files import Entry
from tests.packaging.support import NAMES, write_tree, zip_tree


def test_equal_contents_give_equal_bytes(tmp_path: Path) -> None:
    one = write_tree(tmp_path / "one")
    before = os.umask(0o077)
    try:
        other = write_tree(tmp_path / "other" / "place", NAMES[::-1])
    finally:
        os.umask(before)
    for path in other.rglob("*.py"):
        os.utime(path, (0, 0))  # 1970, which the zip format cannot even write

    archives = [zip_tree(root, tmp_path / f"{root.name}.zip") for root in (one, other)]

    assert archives[0].path.read_bytes() == archives[1].path.read_bytes()
    assert archives[0].code_sha256 == archives[1].code_sha256


def test_the_digest_is_the_one_that_lambda_reports(tmp_path: Path) -> None:
    archive = zip_tree(write_tree(tmp_path / "a"), tmp_path / "a.zip")

    content = archive.path.read_bytes()
    assert archive.code_sha256 == base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert archive.size == len(content)


def test_the_digest_of_the_contents_does_not_depend_on_the_compressor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(__file__, tmp_path / "file")
    entries, target = [Entry(name="file", path=str(tmp_path / "file"))], tmp_path / "a.zip"
    one = write_archive(target, entries)
    monkeypatch.setattr(compress, "_LEVEL", 1)

    other = write_archive(target, entries)

    assert one.digest == other.digest
    assert one.code_sha256 != other.code_sha256  # nor is what another level made taken over


def test_everyone_reads_the_archive(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "a")

    archive = zip_tree(root, tmp_path / "a.zip")

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
    archive = zip_tree(write_tree(tmp_path / "a"), tmp_path / "a.zip")
    target = tmp_path / "out"

    subprocess.run(["unzip", "-q", str(archive.path), "-d", str(target)], check=True)

    assert os.access(target / "run.sh", os.X_OK)
    assert (target / "link").readlink() == Path("run.sh")
    assert (target / "z/deep/er.bin").read_bytes() == (tmp_path / "a/z/deep/er.bin").read_bytes()


def test_many_entries_are_no_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    entries = [Entry(name=f"{number:06}", path=str(tmp_path / "file")) for number in range(66_000)]

    archive = write_archive(tmp_path / "many.zip", entries)

    with zipfile.ZipFile(archive.path) as found:
        assert len(found.namelist()) == 66_000
        assert found.read("065999") == b"x"


def test_python_imports_from_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "hello.py").write_text("print('imported')\n" * 50)
    archive = zip_tree(tmp_path / "a", tmp_path / "a.zip")

    process = subprocess.run(
        [sys.executable, "-c", "import hello"],
        env={"PYTHONPATH": str(archive.path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert process.stdout.startswith("imported")


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_node_reads_the_archive(tmp_path: Path) -> None:
    archive = zip_tree(write_tree(tmp_path / "a"), tmp_path / "a.zip")
    program = """
        const [bytes, zlib] = [require('fs').readFileSync(process.argv[1]), require('zlib')];
        const found = {}, end = bytes.length - 22;
        let at = bytes.readUInt32LE(end + 16);
        for (let left = bytes.readUInt16LE(end + 10); left; left--) {
          const [method, size] = [bytes.readUInt16LE(at + 10), bytes.readUInt32LE(at + 20)];
          const [length, local] = [bytes.readUInt16LE(at + 28), bytes.readUInt32LE(at + 42)];
          const name = bytes.toString('utf8', at + 46, at + 46 + length);
          const data = bytes.subarray(local + 30 + length, local + 30 + length + size);
          found[name] = (method ? zlib.inflateRawSync(data) : data).toString('utf8');
          at += 46 + length;
        }
        console.log(JSON.stringify(found));
    """

    process = subprocess.run(
        ["node", "-e", program, str(archive.path)], capture_output=True, text=True, check=True
    )

    found = json.loads(process.stdout)
    assert {name: found[name] for name in NAMES} == {name: name * 500 for name in NAMES}
