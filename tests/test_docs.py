"""The generated pages of the documentation."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml

import tasks_aws
from docs.generate import (
    DOCS,
    REFERENCES,
    ROOT,
    TASKS,
    exit_codes_table,
    project_page,
    settings_page,
    supported_page,
    tasks_page,
    with_part,
    with_project_links,
)
from docs.variables import unexplained
from tasks_aws.auth import child_process
from tasks_aws.auth.environment import CONFLICTING, OTHER_NAMES
from tasks_aws.commands import deployment
from tasks_aws.ui import output, program
from tests.strict_sts import Role, StrictSts
from tests.support import Project


def test_the_reference_has_every_task_with_every_option() -> None:
    sections = dict(part.split("\n", 1) for part in f"\n{tasks_page()}".split("\n## ")[1:])

    assert sorted(sections) == sorted(TASKS)
    assert "| `--for FOR` |" in sections["assume"]
    assert "| `--async` |" in sections["invoke"]
    for name, page in sections.items():
        options = TASKS[name].get_arguments()
        assert page.count("\n| `--") == len(options)


@pytest.mark.parametrize("name", REFERENCES)
def test_the_references_are_those_of_the_code(name: str) -> None:
    page = (DOCS / "reference" / name).read_text()
    # In a process of its own: invoke forgets the help of an option that it has been asked for.
    program = f"from docs.generate import REFERENCES; print(REFERENCES[{name!r}](), end='')"
    words = [sys.executable, "-c", program]
    part = subprocess.run(words, cwd=DOCS.parent, capture_output=True, text=True, check=True).stdout

    assert page == with_part(page, part), "run `python docs/generate.py`"


def test_defaults_are_written_as_in_a_file() -> None:
    page = settings_page()

    assert "| true or false | `true` |" in page
    assert "| true or false | `false` |" in page
    assert "| `{get: 100, policy: 15, other: 15}` |" in page


def test_every_extra_is_explained() -> None:
    rows = re.findall(r"^\| `\w+` \| .* \| (.*) \|$", supported_page(), re.MULTILINE)

    assert len(rows) > 3
    assert all(rows)


def test_every_exit_code_stands_in_the_table() -> None:
    codes = re.findall(r"^\| (\d+) ", exit_codes_table(), re.MULTILINE)
    named = {
        name: value
        for module in (child_process, deployment, output, program)
        for name, value in vars(module).items()
        if type(value) is int
    }
    given = [
        keyword.value
        for path in Path(tasks_aws.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Exit"
        for keyword in node.keywords
        if keyword.arg == "code"
    ]
    literal = {each.value for each in given if isinstance(each, ast.Constant)}
    constants = {each.id for each in given if isinstance(each, ast.Name)} - {"code"}

    assert {*map(str, literal), *(str(named[each]) for each in constants)} <= {*codes}


def test_every_variable_that_is_set_or_removed_stands_in_the_tables(
    project: Project, sts: StrictSts, role: Role
) -> None:
    page = (DOCS / "reference" / "variables.md").read_text()
    documented = [*re.findall(r"`([A-Z][A-Z0-9_]+\*?)`", page), "TASKS_*"]
    before = {
        each: "/dev/null" if each.endswith("_FILE") else "of-the-user"
        for each in (*CONFLICTING, *OTHER_NAMES, "AWS_ACCOUNT_ID", "AWS_BEARER_TOKEN_BEDROCK")
    }
    del before["AWS_PROFILE"], before["AWS_DEFAULT_PROFILE"]
    project.settings(profile="dev", role_arn=role.arn)

    for words in (["assume"], ["assume", "--keep-fresh"]):
        child = project.exported(project.run(*words, "child", environ=before))

        given = {**project.environ, **before}
        changed = [name for name in {**given, **child} if given.get(name) != child.get(name)]
        changed = [name for name in changed if name not in ("PWD", "SHLVL", "_")]  # of the shell
        assert len(changed) > len(before)

        assert [each for each in changed if not any(fnmatch(each, one) for one in documented)] == []
    assert unexplained() == set()


def test_read_the_docs_builds_as_we_do() -> None:
    settings = yaml.safe_load((DOCS.parent / ".readthedocs.yaml").read_text())

    assert settings["sphinx"] == {"configuration": "docs/conf.py", "fail_on_warning": True}
    named = [each.get("requirements") or each["path"] for each in settings["python"]["install"]]
    assert [path for path in named if not (DOCS.parent / path).exists()] == []


def test_every_link_between_our_pages_leads_to_a_file_in_git() -> None:
    words = ["git", "ls-files", "-z"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = {ROOT / name for name in listed.split("\0") if name}
    links = [
        (page, link)
        for page in files
        if page.suffix == ".md"
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
        if ":" not in link
    ]

    led = {(page, link): Path(os.path.normpath(page.parent / link)) for page, link in links}

    assert len(led) > 100
    assert {at: path for at, path in led.items() if path not in files} == {}


def test_links_of_the_project_pages_lead_from_their_folder() -> None:
    page = project_page("README.md")

    assert "](security.md)" in page
    assert "](../how-to/sso.md#sign-in-with-aws-login)" in page
    assert "](../screens/first-deploy-dark.svg)" in page
    assert "](../../tests/benchmarks/figures.svg)" in page


def test_links_to_files_of_the_project_lead_to_their_pages() -> None:
    source = (
        "[a](../README.md#install) [b](../../SECURITY.md) [c](../how-to/README.md) (../README.md)"
    )

    built = "[a](project/readme.md#install) [b](../project/security.md)"
    assert with_project_links(source) == f"{built} [c](../how-to/README.md) (../README.md)"


def test_each_screen_is_shown_dark_and_light() -> None:
    pages = "".join(page.read_text() for page in DOCS.rglob("*.md"))
    shown = re.findall(r"screens/([\w-]+)-(dark|light)\.svg\n:alt: .+\n:class: only-\2\n", pages)
    recorded = [each.stem.rpartition("-")[::2] for each in (DOCS / "screens").iterdir()]

    assert {*shown} == {*recorded}


@pytest.mark.long
def test_the_screens_are_recorded_by_one_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docs.screens", str(tmp_path)]

    subprocess.run(command, cwd=DOCS.parent, check=True, timeout=300)

    made, kept = (
        sorted(each.name for each in path.iterdir()) for path in (tmp_path, DOCS / "screens")
    )
    assert made == kept
    for each in tmp_path.iterdir():
        assert str(DOCS.parent) not in each.read_text()
        assert "127.0.0.1" not in each.read_text()
