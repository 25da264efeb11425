"""Entries that cannot be in one archive, or on one file system, are an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks_aws.config.function_parsers import Source
from tasks_aws.config.functions import Function
from tasks_aws.errors import PackageError
from tasks_aws.packaging.conflicts import merge_entries
from tasks_aws.packaging.files import Entry, find_source_files


def write(folder: Path, *names: str) -> None:
    folder.mkdir()
    for number, name in enumerate(names):
        (folder / name).write_text(f"{number}")


def test_a_link_to_what_is_left_out_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "src", "app.py", "key.pem")
    (tmp_path / "src/link").symlink_to("key.pem")
    function = Function(name="f", key="aws.functions.f", source=(Source("src"),), parameters={})

    with pytest.raises(PackageError, match=r"link is a link to key.pem, which is not in the arch"):
        merge_entries(find_source_files(function, tmp_path).entries)


@pytest.mark.parametrize(
    ("other", "says"),
    [("app.py", "have the same name in the archive: app.py"), ("App.py", "differ only in case")],
)
def test_two_files_of_one_name_are_an_error(tmp_path: Path, other: str, says: str) -> None:
    write(tmp_path / "src", "a", "b")
    entries = [
        Entry(name="app.py", path=str(tmp_path / "src" / "a")),
        Entry(name=other, path=str(tmp_path / "src" / "b")),
    ]

    with pytest.raises(PackageError, match=says):
        merge_entries(entries)


@pytest.mark.parametrize(
    ("name", "contents"), [("app.py", ("same", "same")), ("requirements.txt", ("a", "b"))]
)
def test_two_equal_files_are_one_and_the_first_manifest_counts(
    tmp_path: Path, name: str, contents: tuple[str, str]
) -> None:
    entries = []
    for number, content in enumerate(contents):
        path = tmp_path / str(number)
        path.write_text(content)
        entries.append(Entry(name=name, path=str(path)))

    assert merge_entries(entries) == entries[:1]


def test_a_file_and_a_folder_of_one_name_are_an_error() -> None:
    entries = [Entry(name="lib", path="a"), Entry(name="lib/deep/app.py", path="b")]

    with pytest.raises(
        PackageError, match="file and a folder have the same name in the archive: lib"
    ):
        merge_entries(entries)


def test_two_unicode_forms_of_one_name_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "src", "u\u0308.txt", "ü.txt")
    function = Function(name="f", key="aws.functions.f", source=(Source("src"),), parameters={})

    with pytest.raises(PackageError, match="Two files have the same name"):
        merge_entries(find_source_files(function, tmp_path).entries)
