"""What the README and the reference pages say is true."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
import yaml

import tasks_aws
from docs.generate import settings_page
from tasks_aws.auth.formats import FORMATS
from tasks_aws.config.functions import FUNCTION_KEYS
from tasks_aws.config.load import load
from tasks_aws.config.settings import SETTINGS
from tests.documents import PAGES, README, ROOT, blocks, section, text
from tests.strict_sts import Key, StrictSts
from tests.support import Project

TASKS_PAGE = ROOT / "docs" / "reference" / "tasks.md"
LINKING = sorted({*PAGES, *ROOT.glob("*.md")})


def test_the_quick_start_has_two_commands() -> None:
    commands = blocks("sh", text(README))

    assert commands == blocks("sh", section("Quick start", README))
    assert [block.count("\n") for block in commands] == [1, 1]


def test_the_settings_of_all_examples_are_accepted(tmp_path: Path) -> None:
    for words in ("init --quiet", "commit --quiet --allow-empty --message x"):
        identity = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *identity, *words.split()], cwd=tmp_path, check=True)
    documents = [yaml.safe_load(block) for page in PAGES for block in blocks("yaml", text(page))]
    ours = [each["aws"] for each in documents if "aws" in each]
    assert len(ours) > 5
    for aws in ours:
        assert load(aws, project=tmp_path, environ={}).profile == "dev"


def test_every_example_of_settings_names_the_schema() -> None:
    examples = [block for page in PAGES for block in blocks("yaml", text(page))]
    ours = [block for block in examples if "aws" in yaml.safe_load(block)]

    assert len(ours) > 5
    for block in ours:
        assert block.startswith("# yaml-language-server: $schema=.aws-schema.json\naws:\n")


def test_the_tasks_to_add_to_a_project_run(project: Project, sts: StrictSts, user: Key) -> None:
    sts.role("Deployer")
    added = section("Add it to your project", README)
    (project.folder / "tasks.py").write_text(blocks("python", added)[0].replace("alembic", "echo"))
    (project.folder / "invoke.yaml").write_text(blocks("yaml", added)[0])

    result = project.run("migrate", "whoami")

    assert "upgrade head" in result.out
    assert "assumed-role/Deployer" in result.out


def test_the_tables_name_every_task_every_format_and_every_setting() -> None:
    tasks, formats, settings = section("Tasks", README), text(TASKS_PAGE), settings_page()

    assert [name for name in tasks_aws.ns.task_names if f"`{name}`" not in tasks] == []
    assert [name for name in FORMATS if f"`{name}`" not in formats] == []
    assert [name for name in (*SETTINGS, *FUNCTION_KEYS) if f"`{name}`" not in settings] == []


def test_every_message_of_the_table_of_errors_is_one_of_ours() -> None:
    strings = "\n".join(
        node.value
        for path in Path(tasks_aws.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    rows = re.findall(r"^\| (.*?) \| ", section("Common errors"), re.MULTILINE)[1:]
    assert len(rows) > 10
    for row in rows:
        for part in re.split("…|`", row):
            assert part.strip(" .,") in strings


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text(page)):
        target = page.parent / path if path else page
        if target.parent.name == "project":  # a copy of a page of the root
            target = next(each for each in ROOT.glob("*.md") if each.name.lower() == target.name)
        assert target.exists(), path
        if anchor:
            headings = re.findall(r"^#+ (.*)$", text(target), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
