"""`init` prints settings with which a plan finds nothing to do, and fetches the code."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks_aws.aws_lambda.download import unpack
from tasks_aws.errors import PackageError
from tests.aws_lambda.conftest import ROLE, SETTINGS, Hello
from tests.support import Project

EVERYTHING: dict[str, Any] = {
    **SETTINGS,
    "alias": "live",
    "Description": "Says hello",
    "MemorySize": 512,
    "Environment": {"Variables": {"STAGE": "test", "EMPTY": "", "NUMBER": "0123"}},
    "EphemeralStorage": {"Size": 1024},
    "LoggingConfig": {"LogFormat": "JSON", "LogGroup": "/elsewhere"},
    "Tags": {"Team": "web"},
    "ReservedConcurrentExecutions": 5,
    "MaximumRetryAttempts": 0,
    "log_retention_days": 7,
    "url": {"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"]}},
    "permissions": [
        {
            "StatementId": "bucket",
            "Action": "lambda:InvokeFunction",
            "Principal": "s3.amazonaws.com",
            "SourceArn": "arn:aws:s3:::uploads",
            "SourceAccount": "000000000000",
        }
    ],
    "events": [
        {"EventSourceArn": "arn:aws:sqs:us-east-1:000000000000:jobs", "BatchSize": 5},
    ],
}


def paste(hello: Hello, text: str) -> dict[str, Any]:
    """Replace the functions of invoke.yaml by what `init` printed, and return them."""
    path = hello.project.folder / "invoke.yaml"
    settings = yaml.safe_load(path.read_text())
    functions: dict[str, Any] = yaml.safe_load(text)["aws"]["functions"]
    settings["aws"]["functions"] = functions
    path.write_text(yaml.safe_dump(settings))
    return functions


def test_a_plan_with_the_printed_settings_finds_nothing(hello: Hello) -> None:
    hello.aws.client("sqs").create_queue(QueueName="jobs")
    hello.describe(admin=True, **EVERYTHING)
    hello.project.run("deploy")

    result = hello.project.run("init")

    assert paste(hello, result.out) == {"hello": EVERYTHING}
    assert "unchanged" in hello.project.run("plan", "--exit-code").err
    assert "The values of the environment of hello are printed" in result.err


def test_defaults_are_left_out_and_the_function_need_not_be_configured(hello: Hello) -> None:
    hello.create(versions=1)
    hello.project.settings(profile="developer", role_arn=f"{ROLE}/deployer")

    result = hello.project.run("init", "--function", "hello")

    expected = {**SETTINGS, "source": "hello", "Description": "0", "alias": "live"}
    assert yaml.safe_load(result.out) == {"aws": {"functions": {"hello": expected}}}
    assert "let `source` name the folder of its code" in result.err
    assert "environment" not in result.err


def test_of_several_aliases_none_is_guessed(hello: Hello) -> None:
    hello.describe()
    hello.create(versions=1)
    hello.aws.functions().create_alias(FunctionName="hello", Name="beta", FunctionVersion="1")

    result = hello.project.run("init")

    assert "alias" not in yaml.safe_load(result.out)["aws"]["functions"]["hello"]
    assert "has the aliases live, beta" in result.err


def test_what_may_not_be_read_is_left_out_with_a_warning(hello: Hello) -> None:
    hello.create()
    hello.aws.client("iam").put_role_policy(
        RoleName="deployer",
        PolicyName="not-all",
        PolicyDocument='{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", '
        '"Action": "lambda:GetPolicy", "Resource": "*"}]}',
    )

    result = hello.project.run("init")

    assert "permissions is left out, for it may not be read" in result.err
    assert "lambda:GetPolicy" in result.err


def test_one_that_is_missing_hides_no_other(hello: Hello) -> None:
    hello.describe("forbidden")
    hello.create()

    result = hello.project.run("init", code=1)

    assert list(yaml.safe_load(result.out)["aws"]["functions"]) == ["hello"]
    assert "forbidden: Lambda could not describe forbidden." in result.err


@pytest.mark.parametrize("name", ["../hello", "arn:aws:lambda:us-east-1:0:function:hello", ".", ""])
def test_a_name_that_leads_elsewhere_is_told_before_any_call(project: Project, name: str) -> None:
    result = project.run("init", "--download", f"--function={name}", code=1)

    assert "`--function` is not a valid name." in result.err


def test_without_any_name_it_asks_for_one(project: Project) -> None:
    assert "Name one with --function." in project.run("init", code=1).err


def test_the_code_is_fetched_so_that_a_plan_finds_nothing(hello: Hello) -> None:
    (hello.project.folder / "src" / "run.sh").write_text("#!/bin/sh\n")
    (hello.project.folder / "src" / "run.sh").chmod(0o755)
    (hello.project.folder / "src" / "link").symlink_to("app.py")
    hello.project.run("deploy")

    result = hello.project.run("init", "--download")

    functions = paste(hello, result.out)
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

    assert "exists already" in result.err
    assert "assume" not in result.err
    assert list((hello.project.folder / "hello").iterdir()) == []


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
        unpack(archive(("good.py", "x", FILE), *members), tmp_path / "deep" / "hello")

    assert [path.name for path in tmp_path.rglob("*")] == ["deep"]


def test_what_is_no_archive_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(PackageError):
        unpack(b"no zip", tmp_path / "hello")

    assert list(tmp_path.iterdir()) == []
