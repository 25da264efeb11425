"""`init --download` fetches the code of a function into a new folder, and nowhere else."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.aws_lambda.download import unpack_archive
from tasks_aws.errors import PackageError
from tests.aws_lambda.conftest import Hello


def test_the_code_is_fetched_so_that_a_plan_finds_nothing(hello: Hello) -> None:
    (hello.project.folder / "src" / "run.sh").write_text("#!/bin/sh\n")
    (hello.project.folder / "src" / "run.sh").chmod(0o755)
    (hello.project.folder / "src" / "link").symlink_to("app.py")
    hello.project.run("deploy")

    result = hello.project.run("init", "--download")

    functions = hello.paste(result.out)
    assert functions["hello"]["source"] == "hello"
    assert functions["hello"]["requirements"] == "none"
    folder = hello.project.folder / "hello"
    assert {path.name for path in folder.iterdir()} == {"app.py", "run.sh", "link"}
    assert (folder / "run.sh").stat().st_mode & 0o111
    assert (folder / "link").is_symlink()
    assert "unchanged" in hello.project.run("plan", "--exit-code").err


def test_the_source_of_the_settings_is_made_if_it_is_missing(hello: Hello) -> None:
    hello.create()
    hello.describe(source="lambdas/hello")

    hello.project.run("init", "--download")

    assert (hello.project.folder / "lambdas" / "hello" / "app.py").exists()


def test_nothing_is_overwritten_and_nothing_fetched_under_dry(hello: Hello) -> None:
    hello.create()
    assert "would download hello into hello" in hello.project.run("--dry", "init", "--download").err
    assert not (hello.project.folder / "hello").exists()
    (hello.project.folder / "hello").mkdir()

    result = hello.project.run("init", "--download", code=1)

    assert "already exists" in result.err
    assert "assume" not in result.err
    assert list((hello.project.folder / "hello").iterdir()) == []


def test_a_folder_of_the_users_is_never_removed(tmp_path: Path) -> None:
    theirs = [tmp_path / ".hello.unfinished", tmp_path / ".hello.unfinished-notes"]
    for folder in theirs:
        folder.mkdir()
        (folder / "notes").write_text("mine")

    unpack_archive(archive(("app.py", "x", FILE)), tmp_path / "hello")

    assert [(folder / "notes").read_text() for folder in theirs] == ["mine", "mine"]
    assert sorted(tmp_path.iterdir()) == sorted([*theirs, tmp_path / "hello"])


def archive(*members: tuple[str, str, int]) -> bytes:
    """Return a zip with members of these names, contents and modes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            file.writestr(info, content)
    return data.getvalue()


LINK, FILE = stat.S_IFLNK | 0o777, stat.S_IFREG | 0o644


@pytest.mark.parametrize(
    "members",
    [
        [("../outside.py", "x", FILE)],
        [("/outside.py", "x", FILE)],
        [("a\\..\\..\\outside.py", "x", FILE)],
        [("C:outside.py", "x", FILE)],
        [("link", "../outside.py", LINK)],
        [("link", "/etc", LINK)],
        [("a", ".", LINK), ("a/b", "../outside.py", LINK)],
        [("a", "..", LINK), ("a/outside.py", "x", FILE)],
        [("a", "x", FILE), ("a/b", "x", FILE)],
    ],
    ids=str,
)
def test_an_archive_that_leads_outside_leaves_nothing(tmp_path: Path, members: Any) -> None:
    with pytest.raises(PackageError):
        unpack_archive(archive(("good.py", "x", FILE), *members), tmp_path / "deep" / "hello")

    assert [path.name for path in tmp_path.rglob("*")] == ["deep"]


def test_what_is_no_archive_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PackageError):
        unpack_archive(b"no zip", tmp_path / "hello")

    assert list(tmp_path.iterdir()) == []
