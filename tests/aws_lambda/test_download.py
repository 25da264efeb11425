"""`init --download` fetches the code of a function into a new folder, and nowhere else."""

from __future__ import annotations

import io
import stat
import zipfile
from math import inf
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.aws_lambda.download import unpack_archive
from tasks_aws.errors import PackageError
from tests.auth.test_sources import serving
from tests.aws_lambda.conftest import Hello
from tests.conftest import Company
from tests.proxy import Proxy


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


def move_code(proxy: Proxy, url: str) -> None:
    """Let Lambda say that the code of functions is somewhere else."""
    proxy.edit(
        "GET .*/functions/hello$", lambda found: found["Code"].update(Location=url), times=inf
    )


def test_the_code_is_fetched_with_the_ca_bundle_of_the_profile(
    hello: Hello, proxy: Proxy, company: Company
) -> None:
    hello.create()
    config = hello.project.home / ".aws" / "config"
    certificate = company.authority.issue_cert("127.0.0.1")
    with serving(lambda *_: archive(("app.py", "moved", FILE)), certificate) as url:
        move_code(proxy, f"{url}/code.zip")
        refused = hello.project.run("init", "--download", code=1)
        with config.open("a") as file:  # the profile `developer` is the only one in it
            file.write(f"ca_bundle = {company.bundle}\n")
        hello.project.run("init", "--download")

    assert "S3 cannot be reached (SSLError)." in refused.err
    assert (hello.project.folder / "hello" / "app.py").read_text() == "moved"


def test_the_code_is_fetched_through_the_proxy(hello: Hello, proxy: Proxy) -> None:
    hello.create()
    move_code(proxy, "http://code.invalid/code.zip")
    with Proxy("") as outward:
        outward.replace("", lambda _: (200, {}, archive(("app.py", "moved", FILE))))
        environ = {"HTTP_PROXY": outward.url, "NO_PROXY": "127.0.0.1"}
        hello.project.run("init", "--download", environ=environ)

    assert outward.requests == ["GET http://code.invalid/code.zip"]


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
