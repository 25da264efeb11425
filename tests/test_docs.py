"""The generated pages of the documentation."""

from __future__ import annotations

import subprocess
import sys

import pytest

import tasks_aws
from docs.generate import DOCS, REFERENCES, project_page, sessions_table, tasks_page, with_part


def test_the_reference_has_every_task_with_every_option() -> None:
    sections = dict(part.split("\n", 1) for part in f"\n{tasks_page()}".split("\n## ")[1:])

    assert sorted(sections) == sorted(tasks_aws.ns.task_names)
    assert "| `--for FOR` |" in sections["assume"]
    assert "| `--async` |" in sections["invoke"]
    for name, page in sections.items():
        options = tasks_aws.ns[name].get_arguments()
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
