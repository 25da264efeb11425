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

from tasks_aws.packaging import archive_index as index
from tasks_aws.packaging import compress as members
from tasks_aws.packaging.archive import write
from tasks_aws.packaging.files import Entry, everything, files_in


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
        write(tmp_path / f"{root.name}.zip", files_in(root, everything)) for root in (one, other)
    ]

    assert archives[0].path.read_bytes() == archives[1].path.read_bytes()
    assert archives[0].code_sha256 == archives[1].code_sha256


def test_the_digest_is_the_one_that_lambda_reports(tmp_path: Path) -> None:
    archive = write(tmp_path / "a.zip", files_in(tree(tmp_path / "a", NAMES), everything))

    content = archive.path.read_bytes()
    assert archive.code_sha256 == base64.b64encode(hashlib.sha256(content).digest()).decode()
    assert archive.size == len(content)


def test_the_digest_of_the_contents_does_not_depend_on_the_compressor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(__file__, tmp_path / "file")
    entries, target = [Entry(name="file", path=str(tmp_path / "file"))], tmp_path / "a.zip"
    one = write(target, entries)
    monkeypatch.setattr(members, "_LEVEL", 1)

    other = write(target, entries)

    assert one.digest == other.digest
    assert one.code_sha256 != other.code_sha256  # nor is what another level made taken over


def test_everyone_reads_the_archive(tmp_path: Path) -> None:
    root = tree(tmp_path / "a", NAMES)

    archive = write(tmp_path / "a.zip", files_in(root, everything))

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
    archive = write(tmp_path / "a.zip", files_in(tree(tmp_path / "a", NAMES), everything))
    target = tmp_path / "out"

    subprocess.run(["unzip", "-q", str(archive.path), "-d", str(target)], check=True)

    assert os.access(target / "run.sh", os.X_OK)
    assert (target / "link").readlink() == Path("run.sh")
    assert (target / "z/deep/er.bin").read_bytes() == (tmp_path / "a/z/deep/er.bin").read_bytes()


def test_many_entries_are_no_limit(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    entries = [Entry(name=f"{number:06}", path=str(tmp_path / "file")) for number in range(66_000)]

    archive = write(tmp_path / "many.zip", entries)

    with zipfile.ZipFile(archive.path) as found:
        assert len(found.namelist()) == 66_000
        assert found.read("065999") == b"x"


class TestAgain:
    """Writing an archive again: what has not changed is taken from the one before."""

    def again(self, root: Path, target: Path) -> bytes:
        """Write an archive of the tree again, and check it against a fresh one."""
        write(target, files_in(root, everything))
        fresh = write(target.with_name("fresh.zip"), files_in(root, everything))
        for path in (fresh.path, fresh.path.with_suffix(".index")):
            content = path.read_bytes()
            path.unlink()
            if path.suffix == ".zip":
                assert target.read_bytes() == content
        return target.read_bytes()

    def test_what_has_not_changed_is_not_even_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index, "_UNSETTLED_NS", 0)
        root, target = tree(tmp_path / "a", NAMES), tmp_path / "a.zip"
        (root / "link").unlink()  # where a link points to is known without reading
        first = write(target, files_in(root, everything))
        inode = target.stat().st_ino
        monkeypatch.delattr(members, "_content")

        second = write(target, files_in(root, everything))

        assert second == first
        assert target.stat().st_ino == inode  # not written again

    def test_what_has_only_just_changed_is_read_again(self, tmp_path: Path) -> None:
        root, target = tree(tmp_path / "a", NAMES), tmp_path / "a.zip"
        write(target, files_in(root, everything))

        known = json.loads(target.with_suffix(".index").read_text())["members"]

        assert [signature for *_, signature in known] == [None] * 7

    def test_the_same_contents_in_new_files_leave_the_archive_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index, "_UNSETTLED_NS", 0)
        root, target = tree(tmp_path / "a", NAMES), tmp_path / "a.zip"
        first = write(target, files_in(root, everything))
        inode = target.stat().st_ino
        root.rename(tmp_path / "before")  # kept, so that no inode is used again
        tree(root, NAMES)

        second = write(target, files_in(root, everything))
        monkeypatch.delattr(members, "_pack")
        (root / "app.py").touch()
        third = write(target, files_in(root, everything))

        assert first == second == third
        assert target.stat().st_ino == inode

    def test_a_change_an_addition_a_removal_and_a_mode(self, tmp_path: Path) -> None:
        root, target = tree(tmp_path / "a", NAMES), tmp_path / "a.zip"
        before = self.again(root, target)
        (root / "pkg/__init__.py").write_text("changed")
        changed = self.again(root, target)
        (root / "added.py").write_text("added")
        added = self.again(root, target)
        (root / "app.py").unlink()
        removed = self.again(root, target)
        (root / "added.py").chmod(0o755)
        executable = self.again(root, target)

        assert len({before, changed, added, removed, executable}) == 5

    def test_a_change_that_keeps_size_and_time_is_seen(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(index, "_UNSETTLED_NS", 0)
        root, target = tree(tmp_path / "a", NAMES), tmp_path / "a.zip"
        write(target, files_in(root, everything))
        path = root / "app.py"
        status, content = path.stat(), path.read_bytes()
        path.write_bytes(content[:-1] + b"!")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

        self.again(root, target)

        with zipfile.ZipFile(target) as found:
            assert found.read("app.py").endswith(b"!")

    @pytest.mark.parametrize("broken", ["", "{", "[]", '{"codec": 1}'])
    def test_a_broken_index_is_no_index(self, tmp_path: Path, broken: str) -> None:
        root, target = tree(tmp_path / "a", NAMES), tmp_path / "a.zip"
        write(target, files_in(root, everything))
        target.with_suffix(".index").write_text(broken)

        self.again(root, target)

    def test_an_archive_that_others_changed_is_written_anew(self, tmp_path: Path) -> None:
        root, target = tree(tmp_path / "a", NAMES), tmp_path / "a.zip"
        write(target, files_in(root, everything))
        target.write_bytes(target.read_bytes()[:-9] + b"corrupted")

        self.again(root, target)

    def test_threads_give_the_same_bytes(self, tmp_path: Path) -> None:
        root = tmp_path / "a"
        for number in range(40):
            tree(root / str(number), NAMES)
            (root / str(number) / "large").write_bytes(os.urandom(1 << 17) * 2)

        self.again(root, tmp_path / "a.zip")


def test_large_files_are_never_whole_in_memory(tmp_path: Path) -> None:
    root, target = tmp_path / "a", tmp_path / "a.zip"
    root.mkdir()
    for name in ("one", "other"):
        with (root / name).open("wb") as file:
            for number in range(80):
                file.write(bytes([number]) * 999_000 + os.urandom(1000))
    program = (
        "import sys; from pathlib import Path; from tracemalloc import *\n"
        "from tasks_aws.packaging.archive import write\n"
        "from tasks_aws.packaging.files import everything, files_in\n"
        "start()\n"
        "write(Path(sys.argv[2]), files_in(Path(sys.argv[1]), everything))\n"
        "print(get_traced_memory()[1])"
    )

    words = [sys.executable, "-c", program, str(root), str(target)]
    peak = int(subprocess.run(words, check=True, capture_output=True).stdout)

    assert peak < 20_000_000
    with zipfile.ZipFile(target) as found:
        for name in ("one", "other"):
            assert found.read(name) == (root / name).read_bytes()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a", "a.index", "a.zip"]
    before = target.read_bytes()
    target.unlink()
    write(target, files_in(root, everything))
    assert target.read_bytes() == before


def test_a_failed_write_leaves_the_old_archive(tmp_path: Path) -> None:
    target = tmp_path / "a.zip"
    target.write_bytes(b"old")

    with pytest.raises(FileNotFoundError):
        write(target, [Entry(name="gone", path=str(tmp_path / "gone"))])

    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_python_imports_from_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "hello.py").write_text("print('imported')\n" * 50)
    archive = write(tmp_path / "a.zip", files_in(tmp_path / "a", everything))

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
    archive = write(tmp_path / "a.zip", files_in(tree(tmp_path / "a", NAMES), everything))
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
