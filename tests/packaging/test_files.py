"""Which files are packaged."""

from __future__ import annotations

import os
import re
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.config.function_parsers import Source
from tasks_aws.config.functions import Function
from tasks_aws.errors import PackageError
from tasks_aws.packaging.conflicts import merge_entries
from tasks_aws.packaging.exclusion import say_left_out
from tasks_aws.packaging.files import Entry, convert_file_errors, find_source_files


def names(project: Path, *, source: tuple[str, ...] = ("src",), **options: Any) -> list[str]:
    sources = tuple(Source(each) for each in source)
    function = Function(name="f", key="aws.functions.f", parameters={}, source=sources, **options)
    return [entry.name for entry in find_source_files(function, project).entries]


def write(project: Path, *paths: str) -> None:
    for each in paths:
        path = project / "src" / each
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(each)


def test_secrets_and_bookkeeping_stay_out_by_default(tmp_path: Path) -> None:
    write(tmp_path, "app.py", ".env", ".env.local", "key.pem", ".git/config", ".venv/x", "a.pyc")
    write(tmp_path, "pkg/__pycache__/b.pyc", "pkg/mod.py", ".npmrc", ".tasks_aws/f.zip")
    write(tmp_path, ".aws/config", ".netrc", ".pypirc", ".git-credentials", "id_rsa", "id_rsa.pub")
    write(tmp_path, "pkg/id_ed25519", "id_ecdsa", "tls.key", "tls.p12", "tls.pfx", ".nox/x")
    write(tmp_path, "terraform.tfstate.backup", "htmlcov/a.html", ".aws-sam/b", ".terraform/c")

    assert names(tmp_path) == ["app.py", "pkg/mod.py"]


def test_the_tasks_and_their_settings_stay_out_of_the_project_alone(tmp_path: Path) -> None:
    for name in ("tasks.py", "invoke.yaml", "app.py"):
        (tmp_path / name).touch()
    write(tmp_path, "tasks.py", "invoke.json")

    assert names(tmp_path, source=(".",)) == ["app.py", "src/invoke.json", "src/tasks.py"]
    assert "tasks.py" not in names(tmp_path, source=("src/..",))
    assert names(tmp_path) == ["invoke.json", "tasks.py"]
    assert "tasks.py" in names(tmp_path, source=(".",), include=("tasks.py",))


def test_what_is_left_out_for_safety_is_named_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "app.py", ".env", "a.pyc", ".git/config", *(f"k/{n}.key" for n in range(9)))

    for include in ((), (".env", "*.key")):
        source = (Source("src"),)
        f = Function(name="f", key="aws.functions.f", parameters={}, source=source, include=include)
        say_left_out(f, find_source_files(f, tmp_path).secrets)

    assert re.fullmatch(
        r"left out  f  .*, .* and 5 more \(secrets; `aws.functions.f.include` brings them back\)\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize(
    ("include", "back"),
    [
        ("ca.pem", ["ca.pem"]),
        ("*.pem", ["ca.pem", "sub/other.pem"]),
        (".env", [".env"]),
        (".env*", [".env", ".env.local"]),
        ("venv", ["venv/lib/a.py"]),
        ("/venv/", ["venv/lib/a.py"]),
        (".git", [".git/HEAD"]),
        ("__pycache__", []),  # `*.pyc` has a name of its own
    ],
)
def test_include_brings_back_by_name_what_the_defaults_leave_out(
    tmp_path: Path, include: str, back: list[str]
) -> None:
    write(tmp_path, "app.py", "ca.pem", "sub/other.pem", ".env", ".env.local", ".git/HEAD")
    write(tmp_path, "venv/lib/a.py", "venv/key.pem", "sub/__pycache__/a.pyc")

    assert set(names(tmp_path, include=(include,))) - {"app.py"} == set(back)


@pytest.mark.parametrize("include", ["*", ".tasks_aws", "!.tasks_aws/f.zip"])
def test_nothing_brings_back_what_the_archive_is_in(tmp_path: Path, include: str) -> None:
    write(tmp_path, "app.py", ".tasks_aws/f.zip", "sub/.tasks_aws/f.zip")
    (tmp_path / ".tasks_aws").mkdir()
    (tmp_path / ".tasks_aws" / "f.zip").touch()
    (tmp_path / "src" / "project").symlink_to("..")
    (tmp_path / "src" / "built").symlink_to("../.tasks_aws")

    assert names(tmp_path, include=(include,)) == ["app.py", "project/src/app.py"]


def test_a_file_that_is_named_as_a_source_is_taken_whatever_its_name(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "ca.pem").touch()

    assert names(tmp_path, source=("src", "ca.pem")) == ["app.py", "ca.pem"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("**", []),
        ("**/b", ["a/c", "a/b.c"]),
        ("a/**", []),
        ("a/**/b", ["a/c", "a/b.c"]),
        ("a/**b", ["a/c", "a/b.c"]),
        ("a/***", []),
        ("***b", ["a/c", "a/b.c"]),
        ("**b***", ["a/c"]),
        (r"\***b", ["a/b", "a/c", "a/b.c"]),
        ("*" * 60 + "c", ["a/b"]),
    ],
)
def test_asterisks_are_those_of_git(tmp_path: Path, pattern: str, left: list[str]) -> None:
    write(tmp_path, "a/b", "a/c", "a/b.c")
    (tmp_path / "src" / "kept").touch()

    found = names(tmp_path, exclude=(pattern, "!kept"))

    assert sorted(found) == sorted([*left, "kept"])


def test_ignore_patterns_are_those_of_git(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "tests/t.py", "docs/a.md", "docs/keep.md", "sub/docs/b.md")
    (tmp_path / "src" / ".lambdaignore").write_text("# comment\n/docs/*\n!/docs/keep.md\n")

    assert names(tmp_path, exclude=("tests/",)) == ["app.py", "docs/keep.md", "sub/docs/b.md"]


def test_a_list_of_what_is_packaged_reaches_into_folders(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "notes.txt", "pkg/mod.py", "pkg/data.bin", "pkg/sub/deep.py")
    write(tmp_path, ".venv/lib/x.py", ".git/hook.py", "venv/y.py")
    (tmp_path / "src" / ".lambdaignore").write_text("\ufeff*\n!*/\n!*.py\n!/.env\n")
    write(tmp_path, ".env", "pkg/.env")

    assert names(tmp_path) == [".env", "app.py", "pkg/mod.py", "pkg/sub/deep.py"]


def test_the_projects_ignore_file_has_paths_from_the_project(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "data/big", "lib/data/small")
    (tmp_path / ".lambdaignore").write_text("/src/data/\n")

    assert names(tmp_path) == ["app.py", "lib/data/small"]


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
    (tmp_path / "src/shared").symlink_to("../outside")
    (tmp_path / "src/one.py").symlink_to("../outside/shared.py")
    (tmp_path / "outside/again").symlink_to("../outside")  # a circle

    function = Function(name="f", key="aws.functions.f", source=(Source("src"),), parameters={})
    found = {entry.name: entry for entry in find_source_files(function, tmp_path).entries}

    assert found["lib/libx.so"].link == "libx.so.1.2"
    assert found["absolute"].link == "lib/libx.so.1.2"
    assert found["shared/shared.py"].link is None
    assert found["one.py"] == Entry("one.py", str(tmp_path / "outside/shared.py"))
    assert not any(name.startswith("shared/again") for name in found)
    assert len(merge_entries(found.values())) == len(found)


@pytest.mark.parametrize("target", ["/opt/lib/libx.so", "/var/task/app.py", "/tmp/cache", "/opt"])
def test_links_to_places_on_lambda_stay_as_they_are(tmp_path: Path, target: str) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "src/link").symlink_to(target)

    found = find_source_files(
        Function(name="f", key="aws.functions.f", source=(Source("src"),), parameters={}), tmp_path
    )

    assert [entry.link for entry in merge_entries(found.entries)] == [None, target]


def test_a_broken_link_is_an_error_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "src/broken").symlink_to("nowhere")

    with pytest.raises(PackageError, match="broken is a link to nowhere"):
        names(tmp_path)


@pytest.mark.parametrize("how", ["directly", "by a link", "as a source"])
@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
def test_what_is_neither_file_nor_folder_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, how: str
) -> None:
    write(tmp_path, "app.py")
    monkeypatch.chdir(tmp_path)  # the path of a socket has to be short
    place = Path("src/it") if how == "directly" else Path("it")
    if kind == "fifo":
        os.mkfifo(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(place))
    elif how == "by a link":
        place = Path("/dev/zero")  # which has no end
    else:
        try:
            os.mknod(place, stat.S_IFCHR | 0o600, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    if how == "by a link":
        Path("src/it").symlink_to(place if place.is_absolute() else f"../{place}")

    with pytest.raises(PackageError, match="it is neither a file nor a folder"):
        names(tmp_path, source=("src", "it") if how == "as a source" else ("src",))


def test_several_sources_are_put_together(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "common").mkdir()
    (tmp_path / "common/util.py").touch()
    (tmp_path / "VERSION").touch()

    found = names(tmp_path, source=("src", "common", "VERSION"))

    assert found == ["app.py", "util.py", "VERSION"]


def test_decomposed_names_are_composed(tmp_path: Path) -> None:
    write(tmp_path, "u\u0308.txt", "o\u0308.txt")
    (tmp_path / "src/link").symlink_to("u\u0308.txt")
    function = Function(
        name="f", key="aws.functions.f", source=(Source("src"),), parameters={}, exclude=("ö*",)
    )

    found = {
        entry.name: entry.link
        for entry in merge_entries(find_source_files(function, tmp_path).entries)
    }

    assert found == {"link": "ü.txt", "ü.txt": None}


def test_a_link_that_windows_does_not_allow_is_explained() -> None:
    error: Any = OSError(22, "A required privilege is not held by the client", "link")
    error.winerror = 1314

    with pytest.raises(PackageError) as caught, convert_file_errors():
        raise error

    assert caught.value.fix == "Switch on Windows's developer mode: a symbolic link needs it."
