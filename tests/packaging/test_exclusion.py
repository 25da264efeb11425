"""What is left out by default, and which patterns bring it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks_aws.packaging.exclusion import Exclusion


@pytest.mark.parametrize("pattern", ["!*/", "!*", "!**", "!/*/", "!**/*", "!?*"])
def test_a_pattern_without_a_name_brings_no_default_back(pattern: str) -> None:
    is_left_out = Exclusion(Path(), (), ("", ["*", pattern]))

    assert is_left_out(".git/")
    assert is_left_out(".env")
    assert not is_left_out("pkg/")


@pytest.mark.parametrize("pattern", ["!.env", "!/.env", "!.e*", "!**/.env"])
def test_a_pattern_with_its_name_brings_a_default_back(pattern: str) -> None:
    assert not Exclusion(Path(), (), ("", ["*", "!*/", pattern]))(".env")


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://alice:hunter2@pypi.example/simple",
        "https://__token__:${TOKEN}@a/\nurl = 'https://${USER}:hunter2@pypi.example/'",
        "x @ git+https://ghp_0123456789abcdefghij@github.com/x/x",
    ],
)
@pytest.mark.parametrize("name", ["requirements.txt", "requirements/dev.txt", "sub/uv.toml"])
def test_a_file_with_the_password_of_an_index_is_left_out(
    tmp_path: Path, name: str, line: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(f"a==1\n{line}\n")
    is_left_out = Exclusion(tmp_path, ())

    assert is_left_out(name)
    assert is_left_out.secrets == [name]
    assert not Exclusion(tmp_path, (name,))(name)


@pytest.mark.parametrize(
    ("name", "text", "is_secret"),
    [
        (".yarnrc.yml", 'npmAuthToken: "npm_0123"\n', True),
        (".yarnrc.yml", "npmScopes:\n  mine:\n    npmAuthIdent: alice:hunter2\n", True),
        (".yarnrc.yml", 'npmAuthToken: "${NPM_TOKEN}"\nnpmAlwaysAuth: true\n', False),
        (".yarnrc.yml", "nodeLinker: node-modules\n", False),
        (".yarnrc", '"//npm.example/:_authToken" "npm_0123"\n', True),
        (".yarnrc", 'registry "https://alice:hunter2@npm.example/"\n', True),
        (".yarnrc", 'registry "https://npm.example/"\n', False),
        ("bunfig.toml", '[install.registry]\nurl = "https://a/"\ntoken = "npm_0123"\n', True),
        ("bunfig.toml", 'registry = { url = "https://a/", token = "$TOKEN" }\n', False),
        ("bun.lock", '{"a": ["a@https://alice:hunter2@npm.example/a.tgz"]}\n', True),
        ("setup.cfg", "[easy_install]\nindex_url = https://alice:hunter2@a/\n", True),
    ],
)
def test_so_is_one_of_yarn_bun_or_setuptools(
    tmp_path: Path, name: str, text: str, is_secret: bool
) -> None:
    (tmp_path / name).write_text(text)

    assert Exclusion(tmp_path, ())(name) is is_secret


def test_a_requirements_file_of_any_name_with_a_password_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "prod.txt").write_text("--index-url https://alice:hunter2@pypi.example/simple\n")
    (tmp_path / "notes.txt").write_text("postgres://alice:hunter2@db.example/orders\n")
    is_left_out = Exclusion(tmp_path, ())

    assert [is_left_out(name) for name in ("prod.txt", "notes.txt")] == [True, False]


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://alice:${PASSWORD}@pypi.example/simple",
        "--index-url https://oauth2accesstoken@pypi.example/simple",
        "x @ git+ssh://git@github.com/x/x",
        "x @ https://host:8080/x@1.zip",
    ],
)
def test_a_file_that_names_an_index_without_a_password_is_packaged(
    tmp_path: Path, line: str
) -> None:
    (tmp_path / "requirements.txt").write_text(line)

    assert not Exclusion(tmp_path, ())("requirements.txt")


def test_what_is_included_is_included_whatever_is_ignored() -> None:
    is_left_out = Exclusion(Path(), ("ca.pem", ".tasks_aws"), ("", ["*.pem", "ca.*"]))

    assert not is_left_out("ca.pem")
    assert is_left_out("other.pem")
    assert is_left_out(".tasks_aws/")


def test_the_ignore_file_of_a_source_comes_before_that_of_the_project() -> None:
    is_left_out = Exclusion(Path(), (), ("", ["!a.txt"]), ("src/", ["*.txt", "/src/data/"]))

    assert [is_left_out(name) for name in ("a.txt", "b.txt", "data/", "sub/data/")] == [
        *(False, True),
        *(True, False),
    ]
