"""The pytest plugin, in the tests of a project that uses it."""

from __future__ import annotations

import subprocess
import sys

from tests.local.conftest import FUNCTION, SETTINGS
from tests.support import Project

TESTS = """
import os
from pathlib import Path

from tasks_aws import credentials, deploy, session
from tasks_aws.testing import LocalAws


def test_a_deploy(aws_local: LocalAws, aws_context):
    deploy(aws_context)
    functions = aws_local.client("lambda", "eu-central-1", "123456789012").list_functions()
    assert [each["FunctionName"] for each in functions["Functions"]] == ["hello"]


def test_nothing_is_left_of_another_test(aws_local, aws_context):
    functions = aws_local.client("lambda", "eu-central-1", "123456789012").list_functions()
    assert functions["Functions"] == []
    sts = session(aws_context).client("sts")
    assert ":assumed-role/Deployer/" in sts.get_caller_identity()["Arn"]


def test_a_stub(aws_context):
    assert credentials(aws_context).access_key_id == "testing"
    assert os.environ["AWS_ACCESS_KEY_ID"] == "testing"
    assert os.environ["HOME"] != os.environ["OF_THE_USER"]
    assert aws_context.config.aws.profile == "dev"


def test_the_environment_is_put_back():
    assert os.environ["AWS_ACCESS_KEY_ID"] == "of-the-user"
    assert os.environ["HOME"] == os.environ["OF_THE_USER"]
"""


def test_the_tests_of_a_project_run_on_an_aws_of_their_own(project: Project) -> None:
    project.settings(**SETTINGS, functions={"hello": FUNCTION})
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text("def handler(event, context):\n    return 1\n")
    (project.folder / "test_tasks.py").write_text(TESTS)
    (project.folder / "pytest.ini").write_text("[pytest]\n")
    of_the_user = {"AWS_ACCESS_KEY_ID": "of-the-user", "OF_THE_USER": str(project.home)}

    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tasks_aws.testing", "-p", "no:xdist"],
        cwd=project.folder,
        env={**project.environ, **of_the_user},
        capture_output=True,
        text=True,
        timeout=120,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "4 passed" in ran.stdout
    assert not (project.home / ".aws").exists()
