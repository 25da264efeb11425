"""A difference is one that AWS would see; how it is shown is tested in `test_plan.py`, too."""

from __future__ import annotations

from typing import Any

import pytest

from tasks_aws.aws_lambda.diff import Change, diff_mappings, diff_values
from tasks_aws.text.masking import keep_secret


def lines(key: str, wanted: Any, actual: Any) -> list[str]:
    return [change.format_line() for change in diff_values(key, wanted, actual)]


@pytest.mark.parametrize(
    ("wanted", "actual"),
    [
        ("", None),
        (False, None),
        ([], None),
        ({}, None),
        ({"Mode": "Active"}, {"Mode": "Active", "Added": "by AWS"}),
        (["subnet-1", "subnet-2"], ["subnet-2", "subnet-1"]),
    ],
)
def test_what_aws_leaves_out_adds_or_reorders_is_the_same(wanted: Any, actual: Any) -> None:
    assert lines("Key", wanted, actual) == []


@pytest.mark.parametrize(
    ("wanted", "actual", "line"),
    [
        (0, None, "+ Key  0"),
        (["b", "a"], ["a", "b"], '~ Key  ["a", "b"] -> ["b", "a"]'),
        ({"Mode": "Active"}, {"Mode": "Off", "Other": 1}, "~ Key.Mode  Off -> Active"),
    ],
)
def test_what_differs_is_one_line(wanted: Any, actual: Any, line: str) -> None:
    assert lines("Key", wanted, actual) == [line]


def test_variables_that_the_settings_lack_are_removed_since_aws_replaces_all_of_them() -> None:
    key, actual = "Environment.Variables", {"OLD": "1"}

    assert lines(key, {"NEW": "1"}, actual) == [f"+ {key}.NEW  ***", f"- {key}.OLD  ***"]
    assert lines("Other", {"New": "1"}, actual) == ["+ Other.New  1"]


def test_an_update_has_only_what_differs_whatever_the_order() -> None:
    wanted = {"AllowMethods": ["POST", "GET"], "MaxAge": 5}

    changes, different = diff_mappings(
        "Cors", wanted, {"AllowMethods": ["GET", "POST"], "MaxAge": 1}
    )

    assert [change.format_line() for change in changes] == ["~ Cors.MaxAge  1 -> 5"]
    assert different == {"MaxAge": 5}


def test_a_long_value_is_cut() -> None:
    assert Change(key="Key", after="x" * 500).format_line() == f"+ Key  {'x' * 120}…"


def test_json_has_values_but_no_secret() -> None:
    secret = keep_secret("hunter2-and-more")
    for before, after, shown in (
        (128, {"Mode": ["a", True, 0.5]}, (128, {"Mode": ["a", True, 0.5]})),
        (None, secret, (None, "***")),
        ("x", {"Password": secret}, ("***", "***")),
        (None, f"as AWS repeats it: {secret!s}", (None, "as AWS repeats it: ***")),
        (None, {f"{secret!s}": [f"{secret!s}"]}, (None, {"***": ["***"]})),
    ):
        masked = Change(key="Key", before=before, after=after).masked(show_values=True)

        assert (masked.before, masked.after) == shown


def test_variables_are_shown_only_on_request() -> None:
    change = Change(key="Environment.Variables.STAGE", after="x")

    assert change.masked().after == "***"
    assert change.masked(show_values=True).after == "x"
