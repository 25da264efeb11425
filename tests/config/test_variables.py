"""What a variable says holds, although invoke casts it to the type that a file has.

Misspelt variables are tested with the other mistakes in `tests/config/test_load.py`.
"""

from __future__ import annotations

import json

import pytest

from tests.support import Project


@pytest.mark.parametrize(("text", "shown"), [("false", "false"), ("0", "false"), ("TRUE", "true")])
def test_a_variable_of_a_section_is_the_boolean_that_it_says(
    project: Project, text: str, shown: str
) -> None:
    written = shown == "false"  # invoke takes every other text for true
    project.settings(
        targets={"prod": {"read_only": written}},
        functions={"hello": {"source": ".", "check_imports": written}},
    )
    environ = {
        "INVOKE_AWS_TARGETS_PROD_READ_ONLY": text,
        "INVOKE_AWS_FUNCTIONS_HELLO_CHECK_IMPORTS": text,
    }

    said = project.run("settings", "--target", "prod", "--json", environ=environ).out

    values = {row["setting"].split(".")[-1]: row["value"] for row in json.loads(said)}
    assert values["read_only"] is values["check_imports"] is (shown == "true")


def test_a_variable_of_a_section_that_is_no_boolean_is_refused(project: Project) -> None:
    project.settings(targets={"prod": {"read_only": True}})
    environ = {"INVOKE_AWS_TARGETS_PROD_READ_ONLY": "no"}

    refused = project.run("settings", "--target", "prod", code=1, environ=environ)

    assert "`aws.targets.prod.read_only` must be true or false, got 'no'." in refused.err
