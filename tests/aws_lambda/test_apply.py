"""`deploy` and `invoke` on the embedded AWS, which enforces permissions and runs the code."""

from __future__ import annotations

import json

import pytest

from tests.aws_lambda.describe import CODE, ROLE, describe, write_source
from tests.conftest import EmbeddedAws
from tests.support import Project


@pytest.fixture(autouse=True)
def _source(project: Project, aws: EmbeddedAws) -> None:
    write_source(project)
    describe(project)


def test_a_function_is_created_and_answers(project: Project, aws: EmbeddedAws) -> None:
    result = project.run("assume", "deploy", "invoke", "--payload", '{"a": 1}')

    assert json.loads(result.out) == {"event": {"a": 1}, "stage": "test"}
    found = aws.functions().get_function(FunctionName="hello")["Configuration"]
    assert found["Role"] == f"{ROLE}/hello"
    assert found["MemorySize"] == 256
    steps = [line.split()[0] for line in result.err.splitlines()[:4]]
    assert steps == ["assume", "zip", "account", "create"]


def test_an_unchanged_function_is_neither_uploaded_nor_changed(
    project: Project, aws: EmbeddedAws
) -> None:
    project.run("deploy")
    before = aws.functions().get_function(FunctionName="hello")["Configuration"]

    result = project.run("deploy")

    assert "deploy    hello  unchanged" in result.err
    assert aws.functions().get_function(FunctionName="hello")["Configuration"] == before


def test_only_what_changed_is_changed(project: Project, aws: EmbeddedAws) -> None:
    project.run("deploy")
    describe(project, MemorySize=512, Timeout=7)
    configured = project.run("deploy")
    (project.folder / "src" / "app.py").write_text(CODE + "# changed\n")
    uploaded = project.run("deploy")

    assert "update    hello  MemorySize, Timeout, " in configured.err
    assert "update    hello  code, " in uploaded.err
    found = aws.functions().get_function(FunctionName="hello")["Configuration"]
    assert (found["MemorySize"], found["Timeout"]) == (512, 7)
    assert "deploy    hello  unchanged" in project.run("deploy").err


def test_a_variable_that_nobody_wants_any_more_goes(project: Project, aws: EmbeddedAws) -> None:
    describe(project, Environment={"Variables": {"STAGE": "test", "OLD": "1"}})
    project.run("deploy")
    describe(project)

    assert "update    hello  Environment" in project.run("deploy").err
    found = aws.functions().get_function(FunctionName="hello")["Configuration"]
    assert found["Environment"]["Variables"] == {"STAGE": "test"}


def test_force_uploads_what_is_unchanged(project: Project) -> None:
    project.run("deploy")

    assert "update    hello  code, " in project.run("deploy", "--force").err


@pytest.mark.parametrize("words", [["deploy", "--dry-run"], ["--dry", "deploy"]])
def test_a_dry_run_changes_nothing(project: Project, aws: EmbeddedAws, words: list[str]) -> None:
    result = project.run(*words)

    assert "plan      hello  create" in result.err
    assert aws.functions().list_functions()["Functions"] == []


def test_a_dry_run_builds_what_it_plans_for(project: Project, aws: EmbeddedAws) -> None:
    describe(project, build=["echo built > built.txt"])

    project.run("--dry", "deploy")

    assert (project.folder / ".tasks_aws" / "hello" / "built.txt").read_text() == "built\n"
    assert aws.functions().list_functions()["Functions"] == []


def test_a_role_that_may_not_deploy_is_told_which_permission_is_missing(
    project: Project, aws: EmbeddedAws
) -> None:
    describe(project, FunctionName="forbidden")

    result = project.run("deploy", code=1)

    assert "Lambda could not read the function hello." in result.err
    assert "lambda:GetFunction" in result.err
    assert "Traceback" not in result.err


def test_a_new_function_needs_a_role(project: Project) -> None:
    describe(project, Role=None)

    assert "`aws.functions.hello.Role` is missing." in project.run("deploy", code=1).err


def test_a_function_error_is_an_exit_code_with_answer_and_log(
    project: Project, aws: EmbeddedAws
) -> None:
    (project.folder / "src" / "app.py").write_text(
        "def handler(event, context):\n    print('about to fail')\n    raise ValueError('no')\n"
    )
    project.run("deploy")

    result = project.run("invoke", code=1)

    assert json.loads(result.out)["errorMessage"] == "no"
    assert "about to fail" in result.err
    assert "hello failed: Unhandled." in result.err


def test_the_payload_may_be_a_file_or_standard_input(project: Project) -> None:
    project.run("deploy")
    (project.folder / "event.json").write_text('{"from": "file"}')

    assert '"from": "file"' in project.run("invoke", "--payload", "@event.json").out
    assert (
        "The file nothing.json of `--payload` does not exist."
        in project.run("invoke", "--payload", "@nothing.json", code=1).err
    )


def test_an_asynchronous_invocation_does_not_wait(project: Project) -> None:
    project.run("deploy")

    assert project.run("invoke", "--async").out == ""


def test_invoking_what_was_never_deployed(project: Project) -> None:
    result = project.run("invoke", code=1)

    assert "Lambda could not invoke hello." in result.err
    assert "Deploy it first" in result.err


def test_an_unknown_runtime_is_only_a_warning(project: Project) -> None:
    describe(project, Runtime="python3.99")

    result = project.run("package", "--dry", code=None)
    result = project.run("deploy", code=None)

    assert "the installed botocore does not know 'python3.99'" in result.err


def test_a_target_overlays_the_function(project: Project, aws: EmbeddedAws) -> None:
    text = (project.folder / "invoke.yaml").read_text()
    overlay = "  targets:\n    prod:\n      functions: {hello: {Description: production}}\n"
    (project.folder / "invoke.yaml").write_text(text + overlay)

    project.run("assume", "--target", "prod", "deploy")

    found = aws.functions().get_function(FunctionName="hello")["Configuration"]
    assert found["Description"] == "production"
    assert found["MemorySize"] == 256
