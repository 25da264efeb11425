"""YAML that is read again as what it was, and that a terminal may show."""

from __future__ import annotations

import yaml

from tasks_aws.ui.yaml_format import format_with_comments, format_yaml


def test_a_comment_stands_above_its_line_and_changes_nothing() -> None:
    shared = ["a", "b"]
    value = {"One": {"Sid": "x", "Files": shared}, "Two": [{"Sid": "y", "Files": shared}]}
    comments = {"- Sid: y": f"All of them, {'and more ' * 20}", "Two:": "Others."}

    text = format_with_comments(value, comments)

    assert yaml.safe_load(text) == value
    assert "&id" not in text  # CloudFormation takes no aliases
    lines = text.splitlines()
    assert lines[lines.index("Two:") - 1] == "# Others."
    assert lines[lines.index("- Sid: y") - 1].startswith("# more and")
    assert max(map(len, lines)) < 100


def test_what_a_terminal_would_obey_is_escaped() -> None:
    assert "\x1b" not in format_yaml({"Description": "\x9b31m\x1b[2J"})
    assert "ü" in format_yaml({"Description": "ü"})
