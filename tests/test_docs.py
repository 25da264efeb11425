"""The generated pages of the documentation."""

from __future__ import annotations

import tasks_aws
from docs.generate import DOCS, project_page, sessions_table, tasks_page


def test_the_reference_has_every_task_with_every_option() -> None:
    sections = dict(part.split("\n", 1) for part in f"\n{tasks_page()}".split("\n## ")[1:])

    assert sorted(sections) == sorted(tasks_aws.ns.task_names)
    assert "| `--for FOR` |" in sections["assume"]
    assert "| `--async` |" in sections["invoke"]
    for name, page in sections.items():
        options = tasks_aws.ns[name].get_arguments()
        assert page.count("\n| `--") == len(options)


def test_the_table_of_sessions_is_that_of_the_code() -> None:
    assert sessions_table() in (DOCS / "reference" / "sessions.md").read_text()


def test_links_of_the_project_pages_lead_from_their_folder() -> None:
    page = project_page("README.md")

    assert "](security.md)" in page
    assert "](../how-to/credentials.md#use-mfa)" in page
