"""The bytes that the zip writer adds to the files: the same in each release."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from tasks_aws.packaging.zip_format import encode_end
from tests.packaging.support import zip_tree

# If this test fails, the bytes of all archives have changed: every function will be deployed again.
# If that is intended, say so in the changelog, and replace the digest.
SHA256 = "c0ec5924ea414647f391d650d886861c5b775c3d8d0fc3777a99d292d9c0af40"


def test_the_bytes_of_an_archive_are_those_of_earlier_releases(tmp_path: Path) -> None:
    root = tmp_path / "a"
    (root / "ünï").mkdir(parents=True)
    # So small that all are stored: the compressors' versions do not matter.
    (root / "app.py").write_bytes(b"app")
    (root / "run.sh").write_bytes(b"#!")
    (root / "run.sh").chmod(0o755)
    (root / "ünï" / "empty").touch()
    (root / "link").symlink_to("app.py")
    os.utime(root / "app.py", (0, 0))

    content = zip_tree(root, tmp_path / "a.zip").path.read_bytes()

    content += encode_end(70_000, 1, 2)  # Zip64
    assert hashlib.sha256(content).hexdigest() == SHA256
