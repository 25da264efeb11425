"""`invoke` runs what callers would get."""

from __future__ import annotations

import json

import pytest

from tests.aws_lambda.conftest import Hello
from tests.support import Project

WHICH = "def handler(event, context):\n    return context.function_version\n"


def test_the_version_behind_the_alias_answers_unless_another_is_asked_for(hello: Hello) -> None:
    hello.create(code=WHICH, versions=2)

    assert json.loads(hello.project.run("invoke").out) == "2"
    assert json.loads(hello.project.run("invoke", "--qualifier", "1").out) == "1"
    assert json.loads(hello.project.run("invoke", "--qualifier", "$LATEST").out) == "$LATEST"


@pytest.mark.parametrize("payload", ["{", "", "@broken.json", "-"])
def test_what_is_not_json_is_told_before_any_call(project: Project, payload: str) -> None:
    project.settings(functions={"hello": {"source": "src"}})
    (project.folder / "broken.json").write_text("{'a': 1}")

    result = project.run("invoke", "--payload", payload, code=1)

    assert result.err.startswith("`--payload` is not JSON.")


def test_nothing_is_run_under_dry(hello: Hello) -> None:
    hello.create(versions=1)

    result = hello.project.run("--dry", "invoke")

    assert result.out == ""
    assert "invoke    would invoke hello, live" in result.err


def test_one_that_fails_hides_no_other(hello: Hello) -> None:
    hello.describe("forbidden")
    hello.create()

    result = hello.project.run(
        "invoke", "--function", "forbidden", "--function", "hello", "--payload", "1", code=1
    )

    assert result.out == "1\n"
    assert "the log" in result.err
    assert "1 of 2 functions failed." in result.err
