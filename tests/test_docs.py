"""The generated pages of the documentation."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generate import (
    DOCS,
    REFERENCES,
    TASKS,
    project_page,
    sessions_table,
    tasks_page,
    with_part,
)


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


def test_the_table_of_sessions_is_that_of_the_code() -> None:
    assert sessions_table() in (DOCS / "reference" / "sessions.md").read_text()


def test_links_of_the_project_pages_lead_from_their_folder() -> None:
    page = project_page("README.md")

    assert "](security.md)" in page
    assert "](../how-to/credentials.md#use-mfa)" in page
    assert "](../../tests/benchmarks/figures.svg)" in page


def test_each_screen_is_shown_dark_and_light() -> None:
    pages = "".join(page.read_text() for page in DOCS.rglob("*.md"))
    shown = re.findall(r"screens/([\w-]+)-(dark|light)\.svg\n:alt: .+\n:class: only-\2\n", pages)
    recorded = [each.stem.rpartition("-")[::2] for each in (DOCS / "screens").iterdir()]

    assert sorted(shown) == sorted(recorded)


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
