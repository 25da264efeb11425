"""`settings --check` does not pass where nothing is set: it says which file lacks which key."""

from __future__ import annotations

import pytest

from tests.support import Project


@pytest.mark.parametrize(
    ("text", "why", "fix"),
    [
        ("asw: {}", "has the key `asw`, and none", "Did you mean `aws`?"),
        ("AWS: {}", "has the key `AWS`, and none", "Did you mean `aws`?"),
        ("task_aws: {}", "has the key `task_aws`, and none", "Did you mean `tasks_aws`?"),
        ("tasks: {auto_dash_names: true}", "has no key `aws`.", "or start a project with `init`"),
        ("", "has no key `aws`.", "Write them under the key `aws`"),
        ("aws:", "The key `aws` in ", "Write them under the key `aws`"),
        ("aws: {functions: {}, targets: }", "The key `aws` in ", "Write them under the key `aws`"),
        (None, " does not exist. Settings go there", "Write them under the key `aws`"),
    ],
)
def test_the_check_does_not_pass_without_settings(
    project: Project, text: str | None, why: str, fix: str
) -> None:
    if text is not None:
        (project.folder / "invoke.yaml").write_text(text)

    err = project.run("settings", "--check", code=1).err

    assert "There are no settings to check." in err
    assert str(project.folder / "invoke.yaml") in err
    assert why in err
    assert fix in err
    assert "Traceback" not in err


def test_settings_in_a_file_that_is_not_read_belong_under_the_key(project: Project) -> None:
    (project.folder / "fabric.yaml").write_text("aws: {region: eu-west-1}")

    err = project.run("settings", "--check", code=1).err

    assert "why: fabric.yaml has settings for tasks-aws and is not read" in err
    assert "fix: Write them under the key `aws`" in err


def test_the_users_own_settings_do_not_hide_a_misspelt_key(project: Project) -> None:
    (project.home / ".invoke.yaml").write_text("aws: {profile: dev}")
    (project.folder / "invoke.yaml").write_text("asw: {region: eu-west-1}")

    assert "Did you mean `aws`?" in project.run("settings", "--check", code=1).err


@pytest.mark.parametrize("where", ["variable", "configure", "file"])
def test_settings_are_checked_wherever_they_are(project: Project, where: str) -> None:
    words, environ = [], {}
    if where == "variable":
        environ = {"INVOKE_AWS_REGION": "eu-west-1"}
    elif where == "configure":
        project.tasks(
            "from invoke import Collection\nimport tasks_aws\n"
            "ns = Collection.from_module(tasks_aws)\n"
            "ns.configure({'aws': {'region': 'eu-west-1'}})\n"
        )
    else:
        (project.folder / "ci.yaml").write_text("aws: {read_only: false}\nawx: {}")
        words = ["-f", "ci.yaml"]

    assert "no mistakes" in project.run(*words, "settings", "--check", environ=environ).err
