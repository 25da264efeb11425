"""What the README says is true."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

import tasks_aws
from tasks_aws.auth.formats import FORMATS
from tasks_aws.config.functions import FUNCTION_KEYS
from tasks_aws.config.load import SETTINGS, load
from tests.strict_sts import Key, StrictSts
from tests.support import Project

README = (Path(__file__).parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def section(title: str) -> str:
    return README.split(f"## {title}\n")[1].split("\n## ")[0]


def test_the_quick_start_has_two_commands() -> None:
    assert blocks("sh") == re.findall(r"^```sh\n(.*?)^```", section("Quick start"), re.M | re.S)
    assert [block.count("\n") for block in blocks("sh")] == [1, 1]


def test_its_settings_are_accepted() -> None:
    documents = [yaml.safe_load(text) for text in blocks("yaml")]
    ours = [each["aws"] for each in documents if "aws" in each]
    assert len(ours) > 5
    for aws in ours:
        assert load(aws, project=Path(), environ={}).profile == "dev"


def test_its_first_tasks_run(project: Project, sts: StrictSts, user: Key) -> None:
    sts.role("Deployer")
    (project.folder / "tasks.py").write_text(blocks("python")[0].replace("alembic", "echo"))
    (project.folder / "invoke.yaml").write_text(blocks("yaml")[0])

    result = project.run("migrate", "whoami")

    assert "upgrade head" in result.out
    assert "assumed-role/Deployer" in result.out


def test_its_tables_name_every_task_and_every_setting() -> None:
    tasks, settings = section("Tasks"), section("Settings")

    assert [name for name in tasks_aws.ns.task_names if f"`{name}`" not in tasks] == []
    assert [name for name in (*SETTINGS, *FUNCTION_KEYS) if f"`{name}`" not in settings] == []
    assert [name for name in FORMATS if f"`{name}`" not in tasks] == []


def test_every_message_of_its_table_is_one_of_ours() -> None:
    source = "".join(path.read_text() for path in Path(tasks_aws.__file__).parent.rglob("*.py"))
    for row in re.findall(r"^\| (.*?) \| ", section("Errors"), re.MULTILINE)[1:]:
        for part in re.split("…|`", row):
            assert part.strip(" .") in source
