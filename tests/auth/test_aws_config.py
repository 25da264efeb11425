"""The AWS config files: what botocore reads in them is read, and what nobody can read is named."""

from __future__ import annotations

import os
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ConfigParseError

from tasks_aws.auth.aws_config import AwsConfig, read_config
from tasks_aws.errors import SettingsError
from tests.strict_sts import StrictSts
from tests.support import Project

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY12"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Where the config file and the credentials file are looked for."""
    config, keys = tmp_path / "config", tmp_path / "credentials"
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(keys))
    return config, keys


def refused(path: Path, content: bytes) -> SettingsError:
    """Return the error for a file, which botocore does not read either."""
    path.write_bytes(content)
    with pytest.raises(ConfigParseError):
        _ = botocore.session.Session().full_config
    with pytest.raises(SettingsError) as caught:
        read_config(os.environ)
    assert str(path) in caught.value.what
    assert caught.value.fix
    return caught.value


@pytest.mark.parametrize(
    ("content", "line", "why"),
    [
        ("[a]\nx = 1\n[b]\n[a]\n", 4, "The section [a] is there twice."),
        ("[profile a]\nx = 1\n[profile a]\n", 3, "The section [profile a] is there twice."),
        ("[a]\nregion = x\nregion = y\n", 3, "The key region is there twice in [a]."),
        (f"[a]\n{SECRET} =\n{SECRET} =\n", 3, "A key is there twice in [a]."),
        (f"[a]\n{SECRET}\n", 2, "It is not in the INI format of the AWS tools."),
        (f"x = {SECRET}\n", 1, "It is not in the INI format of the AWS tools."),
    ],
)
def test_a_mistake_is_named_with_its_line_and_without_its_text(
    files: tuple[Path, Path], content: str, line: int, why: str
) -> None:
    for path in files:
        error = refused(path, content.encode())
        path.unlink()

        assert error.what == f"Cannot read the AWS config file {path}, line {line}."
        assert error.why == why
        assert SECRET.lower() not in str(error).lower()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_named_as_such(files: tuple[Path, Path], encoding: str) -> None:
    files[0].write_bytes("[profile a]\nregion = eu-west-1\n".encode(encoding))

    with pytest.raises(SettingsError) as caught:
        read_config(os.environ)

    assert caught.value.why == "It is saved as UTF-16."
    assert caught.value.fix == "Save it as UTF-8."


def test_a_byte_order_mark_is_named(files: tuple[Path, Path]) -> None:
    error = refused(files[1], "[default]\nx = 1\n".encode("utf-8-sig"))

    assert error.why == "It begins with a byte order mark (BOM), which the AWS tools cannot read."
    assert error.fix == "Save it as UTF-8 without a BOM."


def test_a_character_in_another_encoding_is_named_with_its_line(files: tuple[Path, Path]) -> None:
    error = refused(files[0], "[default]\n# Zürich\n".encode("latin-1"))

    assert error.what.endswith("config, line 2.")
    assert error.why == "It contains a character that is not in the encoding UTF-8."
    assert error.fix == "Save it as UTF-8."


def test_a_folder_in_place_of_a_file_is_an_error(files: tuple[Path, Path]) -> None:
    files[0].mkdir()

    with pytest.raises(SettingsError) as caught:
        read_config(os.environ)

    assert str(caught.value) == (
        f"Cannot read the AWS config file {files[0]}.\n"
        "  why: It is a folder, or something else that is not a file.\n"
        "  fix: Move it away, or set AWS_CONFIG_FILE to a file."
    )


def test_a_pipe_is_not_waited_for(files: tuple[Path, Path]) -> None:
    os.mkfifo(files[1])

    with pytest.raises(SettingsError, match="not a file"):
        read_config(os.environ)


@pytest.mark.parametrize("closed", ["file", "folder"])
def test_a_file_that_may_not_be_read_is_an_error(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    path = files[1]
    path.write_text("[default]\n")
    (path if closed == "file" else path.parent).chmod(0)
    with monkeypatch.context() as patch:
        if os.geteuid() == 0:  # modes do not hold for root
            patch.setattr(Path, "read_bytes" if closed == "file" else "exists", refuse)
        with pytest.raises(SettingsError) as caught:
            read_config(os.environ)
    path.parent.chmod(0o700)

    assert caught.value.why == "Permission denied."
    assert caught.value.fix.startswith("Change its permissions, or set AWS_")


@pytest.mark.parametrize("path", ["/dev/null", "/no/such/file", ""])
def test_no_file_is_an_empty_one(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", path)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", path)

    assert read_config(os.environ).profiles == {}


HEADERS = [
    *("k", "profile k", " profile k ", "profile  k", "profile k ", "Profile k", "PROFILE k", " k "),
    *("profile\tk", 'profile "k"', "profile 'k'", "profile my team", 'profile "my team"'),
    *("profiles k", "profile-x k", "profile", "profile k's", "profilek", "default", " default "),
    *("profile default", "Default", "sso-session k", "services k", "preview", "profile k x"),
]


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_is_a_profile_where_it_is_one_for_botocore(
    files: tuple[Path, Path], header: str
) -> None:
    for path in files:
        path.write_text(f"[{header}]\nregion = eu-west-1\n")
        theirs = botocore.session.Session().full_config
        ours = read_config(os.environ)
        path.unlink()

        assert ours.profiles == theirs["profiles"]
        assert ours.sso_sessions == theirs.get("sso_sessions", {})
        assert ours.services == theirs.get("services", {})


@pytest.mark.parametrize(
    ("name", "file", "header", "right"),
    [
        ("k", 0, "k", "[profile k]"),
        ("k", 0, " profile k ", "[profile k]"),
        ("k", 0, "Profile k", "[profile k]"),
        ("my team", 0, "profile my team", '[profile "my team"]'),
        ("k's", 0, "profile k's", '[profile "k\'s"]'),
        ("default", 0, "Default", "[default]"),
        ("k", 1, "profile k", "[k]"),
        ("k", 1, " k ", "[k]"),
    ],
)
def test_the_header_that_a_profile_must_have_is_named(
    files: tuple[Path, Path], name: str, file: int, header: str, right: str
) -> None:
    def read(header: str) -> AwsConfig:
        files[file].write_text(f"[{header}]\nregion = eu-west-1\n")
        return read_config(os.environ)

    with pytest.raises(SettingsError) as caught:
        read(header).profile(name, named_by="AWS_PROFILE")

    assert caught.value.what == f"There is no AWS profile `{name}`."
    assert (
        caught.value.why == f"AWS_PROFILE names it, but its header in {files[file]} is [{header}]."
    )
    assert caught.value.fix == f"Write the header as {right}."
    assert read(right[1:-1]).profile(name, named_by="AWS_PROFILE") == {"region": "eu-west-1"}


def test_a_profile_in_other_letter_case_is_suggested(files: tuple[Path, Path]) -> None:
    files[0].write_text("[profile DEV]\n")

    with pytest.raises(SettingsError, match=r"Did you mean `DEV`\?"):
        read_config(os.environ).profile("dev", named_by="AWS_PROFILE")


def test_a_section_that_is_ignored_beside_its_profile_is_a_warning(
    project: Project, sts: StrictSts
) -> None:
    key = sts.user_key()
    project.profile("ops", aws_access_key_id=key.id, aws_secret_access_key=key.secret)
    with (project.home / ".aws" / "config").open("a") as file:
        file.write(f"[ops]\nrole_arn = {sts.role('R').arn}\nsource_profile = ops\n")

    environ = {"AWS_REGION": "eu-west-1"}
    result = project.run("assume", "--profile", "ops", "noop", environ=environ)

    assert result.err.count("warning") == 1
    assert (
        "warning   [ops] in ~/.aws/config does not belong to the AWS profile `ops`: write the "
        "header as [profile ops], or remove it.\n"
    ) in result.err


def test_a_profile_that_is_nowhere_is_told_with_the_files(files: tuple[Path, Path]) -> None:
    with pytest.raises(SettingsError) as caught:
        read_config(os.environ).profile("k", named_by="AWS_PROFILE")

    assert caught.value.why == (
        f"AWS_PROFILE names it, but it is neither in {files[0]} nor in {files[1]}."
    )
    assert caught.value.fix.startswith("Run `aws configure --profile k`")


def test_a_source_profile_under_the_wrong_header_is_named(project: Project, sts: StrictSts) -> None:
    project.profile("deploy", role_arn=sts.role("R").arn, source_profile="base", region="eu-west-1")
    with (project.home / ".aws" / "config").open("a") as file:
        file.write("[base]\naws_access_key_id = x\n")

    message = project.run("assume", "--profile", "deploy", code=1).err

    assert (
        "source_profile of profile `deploy` names it, but its header in ~/.aws/config is [base]."
        in message
    )
    assert "Write the header as [profile base]." in message
