"""`archive`: a zip that others made."""

from __future__ import annotations

import re
import stat
import zipfile

import pytest

from tests.packaging.support import function, make_zip
from tests.support import Project


class TestPrebuilt:
    """`archive`: a zip that others made."""

    def test_it_is_used_as_it_is(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")
        make_zip(project.folder / "made.zip", {"app.py": "handler = 1"})
        before = (project.folder / "made.zip").read_bytes()

        result = project.run("package")

        assert re.search(r"^read      hello  \d+ B, 1 file, 11 B unzipped, ", result.err, re.M)
        assert (project.folder / "made.zip").read_bytes() == before
        assert not (project.folder / ".tasks_aws" / "hello.zip").exists()

    @pytest.mark.parametrize(
        ("names", "says"),
        [
            (None, "is not a valid zip file"),
            ([], "contains no files"),
            (["../x"], "contains '../x', which would be unpacked outside"),
            (["/x"], "contains '/x', which would be unpacked outside"),
            (["app.py", "pkg\\a.py"], "which has backslashes in its name"),
        ],
    )
    def test_what_lambda_would_refuse_is_an_error(
        self, project: Project, names: list[str] | None, says: str
    ) -> None:
        function(project, source=None, archive="made.zip")
        if names is None:
            (project.folder / "made.zip").write_text("no zip")
        else:
            make_zip(project.folder / "made.zip", dict.fromkeys(names, "x"))

        assert says in project.run("package", code=1).err

    def test_one_that_is_not_there(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")

        assert "names made.zip, which does not exist" in project.run("package", code=1).err

    def test_one_that_is_damaged(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")
        path = project.folder / "made.zip"
        make_zip(path, {"app.py": "x" * 1000}, method=zipfile.ZIP_DEFLATED)
        content = path.read_bytes()
        at = content.index(b"app.py") + len("app.py")
        path.write_bytes(content[:at] + b"\xff\xff\xff" + content[at + 3 :])

        assert "is not a valid zip file" in project.run("package", code=1).err

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o700])
    def test_files_that_only_their_owner_can_read(self, project: Project, mode: int) -> None:
        function(project, source=None, archive="made.zip")
        files = dict.fromkeys(("app.py", "a", "b", "c"), "x")
        make_zip(project.folder / "made.zip", files, mode)

        result = project.run("package", code=1)

        assert (
            "contains 'a', 'app.py', 'b' and 1 more, which cannot be read on Lambda" in result.err
        )
        assert "fix: Run `chmod -R a+rX` on the files, then zip them again." in result.err

    def test_a_folder_that_only_its_owner_can_enter(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")
        make_zip(project.folder / "made.zip", {"app.py": "x"})
        with zipfile.ZipFile(project.folder / "made.zip", "a") as made:
            info = zipfile.ZipInfo("pkg/")
            info.external_attr = (stat.S_IFDIR | 0o744) << 16
            made.writestr(info, "")

        assert "contains 'pkg/', which cannot be read" in project.run("package", code=1).err

    def test_modes_of_systems_that_have_none_do_not_count(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")
        make_zip(project.folder / "made.zip", {"app.py": "handler = 1"}, 0o600, system=0)

        assert project.run("package").code == 0

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 93])
    def test_a_compression_that_lambda_does_not_know(self, project: Project, method: int) -> None:
        function(project, source=None, archive="made.zip")
        path = project.folder / "made.zip"
        make_zip(path, {"app.py": "x" * 99}, method=zipfile.ZIP_LZMA)
        content = path.read_bytes()
        central = content.index(b"PK\1\2") + 10
        code = method.to_bytes(2, "little")
        path.write_bytes(content[:8] + code + content[10:central] + code + content[central + 2 :])

        assert "which is compressed in a way" in project.run("package", code=1).err

    def test_encrypted_files(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")
        path = project.folder / "made.zip"
        make_zip(path, {"app.py": "x"})
        content = bytearray(path.read_bytes())
        content[6] |= 1
        content[content.index(b"PK\1\2") + 8] |= 1
        path.write_bytes(content)

        assert "contains 'app.py', which is encrypted." in project.run("package", code=1).err
