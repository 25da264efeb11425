"""`archive`: a zip that others made."""

from __future__ import annotations

import re
import zipfile

import pytest

from tests.packaging.support import function
from tests.support import Project


class TestPrebuilt:
    """`archive`: a zip that others made."""

    def test_it_is_used_as_it_is(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")
        with zipfile.ZipFile(project.folder / "made.zip", "w") as made:
            made.writestr("app.py", "handler = 1")

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
        ],
    )
    def test_what_lambda_would_refuse_is_an_error(
        self, project: Project, names: list[str] | None, says: str
    ) -> None:
        function(project, source=None, archive="made.zip")
        if names is None:
            (project.folder / "made.zip").write_text("no zip")
        else:
            with zipfile.ZipFile(project.folder / "made.zip", "w") as made:
                for name in names:
                    made.writestr(name, "x")

        assert says in project.run("package", code=1).err

    def test_one_that_is_not_there(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")

        assert "names made.zip, which does not exist" in project.run("package", code=1).err

    def test_one_that_is_damaged(self, project: Project) -> None:
        function(project, source=None, archive="made.zip")
        path = project.folder / "made.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("app.py", "x" * 1000)
        content = path.read_bytes()
        at = content.index(b"app.py") + len("app.py")
        path.write_bytes(content[:at] + b"\xff\xff\xff" + content[at + 3 :])

        assert "is not a valid zip file" in project.run("package", code=1).err
