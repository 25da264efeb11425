"""Which files are packaged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.errors import PackageError
from tasks_aws.function_parsers import Source
from tasks_aws.function_settings import Function
from tasks_aws.packaging.select import Entry, source_files, without_collisions


def names(project: Path, *, source: tuple[str, ...] = ("src",), **options: Any) -> list[str]:
    sources = tuple(Source(each) for each in source)
    function = Function(name="f", parameters={}, source=sources, **options)
    return [entry.name for entry in source_files(function, project)]


def write(project: Path, *paths: str) -> None:
    for each in paths:
        path = project / "src" / each
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each)


def test_secrets_and_bookkeeping_stay_out_by_default(tmp_path: Path) -> None:
    write(tmp_path, "app.py", ".env", ".env.local", "key.pem", ".git/config", ".venv/x", "a.pyc")
    write(tmp_path, "pkg/__pycache__/b.pyc", "pkg/mod.py", ".npmrc", ".tasks_aws/f.zip")

    assert names(tmp_path) == ["app.py", "pkg/mod.py"]


def test_include_brings_back_what_the_defaults_leave_out(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "ca.pem", "other.pem")

    assert names(tmp_path, include=("ca.pem",)) == ["app.py", "ca.pem"]


def test_ignore_patterns_are_those_of_git(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "tests/t.py", "docs/a.md", "docs/keep.md", "sub/docs/b.md")
    (tmp_path / "src" / ".lambdaignore").write_text("# comment\n/docs/*\n!/docs/keep.md\n")

    assert names(tmp_path, exclude=("tests/",)) == ["app.py", "docs/keep.md", "sub/docs/b.md"]


def test_the_projects_ignore_file_has_paths_from_the_project(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "data/big", "lib/data/small")
    (tmp_path / ".lambdaignore").write_text("/src/data/\n")

    assert names(tmp_path) == ["app.py", "lib/data/small"]


def test_a_pattern_that_is_none_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "app.py")

    with pytest.raises(PackageError, match="none that git knows"):
        names(tmp_path, exclude=("!",))


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "src/self").symlink_to("self")

    with pytest.raises(PackageError, match="self is a link to self"):
        names(tmp_path)


def test_links_inside_stay_and_links_outside_are_followed(tmp_path: Path) -> None:
    write(tmp_path, "lib/libx.so.1.2", "app.py")
    (tmp_path / "src/lib/libx.so").symlink_to("libx.so.1.2")
    (tmp_path / "src/absolute").symlink_to(tmp_path / "src/lib/libx.so.1.2")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/shared.py").write_text("shared")
    (tmp_path / "src/shared").symlink_to(tmp_path / "outside")
    (tmp_path / "outside/again").symlink_to(tmp_path / "outside")  # a circle

    function = Function(name="f", key="aws.functions.f", source=(Source("src"),), parameters={})
    found = {entry.name: entry for entry in source_files(function, tmp_path)}

    assert found["lib/libx.so"].link == "libx.so.1.2"
    assert found["absolute"].link == "lib/libx.so.1.2"
    assert found["shared/shared.py"].link is None
    assert not any(name.startswith("shared/again/again") for name in found)


def test_a_broken_link_is_an_error_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "src/broken").symlink_to("nowhere")

    with pytest.raises(PackageError, match="broken is a link to nowhere"):
        names(tmp_path)


def test_a_fifo_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    os.mkfifo(tmp_path / "src/pipe")

    with pytest.raises(PackageError, match="pipe is neither a file, nor a folder, nor a link"):
        names(tmp_path)


def test_several_sources_are_put_together(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "common").mkdir()
    (tmp_path / "common/util.py").touch()
    (tmp_path / "VERSION").touch()

    found = names(tmp_path, source=("src", "common", "VERSION"))

    assert found == ["app.py", "util.py", "VERSION"]


@pytest.mark.parametrize("other", ["app.py", "App.py"])
def test_two_files_of_one_name_are_an_error(other: str) -> None:
    entries = [Entry(name="app.py", path="a"), Entry(name=other, path="b")]

    with pytest.raises(PackageError, match="Two files would have one name"):
        without_collisions(entries)


def test_decomposed_names_are_composed(tmp_path: Path) -> None:
    write(tmp_path, "u\u0308.txt")

    assert names(tmp_path) == ["ü.txt"]
