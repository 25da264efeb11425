"""Compressing: the same bytes however many threads there are, in little memory."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.packaging.support import write_tree, zip_tree
from tests.packaging.test_archive_index import zip_again


def test_large_files_are_never_whole_in_memory(tmp_path: Path) -> None:
    root, target = tmp_path / "a", tmp_path / "a.zip"
    root.mkdir()
    for name in ("one", "other"):
        with (root / name).open("wb") as file:
            for number in range(80):
                file.write(bytes([number]) * 999_000 + os.urandom(1000))
    program = (
        "import sys; from pathlib import Path; from tracemalloc import *\n"
        "from tasks_aws.packaging.archive import write_archive\n"
        "from tasks_aws.packaging.files import ignore_nothing, find_files\n"
        "start()\n"
        "write_archive(Path(sys.argv[2]), find_files(Path(sys.argv[1]), ignore_nothing))\n"
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
    zip_tree(root, target)
    assert target.read_bytes() == before


def test_threads_give_the_same_bytes(tmp_path: Path) -> None:
    root = tmp_path / "a"
    for number in range(40):
        write_tree(root / str(number))
        (root / str(number) / "large").write_bytes(os.urandom(1 << 17) * 2)

    zip_again(root, tmp_path / "a.zip")
