"""What lies over what, and where a value was written."""

from __future__ import annotations

import pytest

from tasks_aws.config.overlays import Overlays, Part

LOWER = {"Environment": {"Variables": {"A": "1", "B": "1"}}, "Timeout": 3, "Tags": {"a": "b"}}
UPPER = {"Environment": {"Variables": {"B": "2"}}, "Tags": "wrong"}
HELLO = Overlays("aws.functions.hello", [Part("lower", LOWER), Part("upper", UPPER)])


def test_mappings_are_merged_at_every_depth_and_all_else_is_replaced() -> None:
    assert HELLO.merge() == {
        "Environment": {"Variables": {"A": "1", "B": "2"}},
        "Timeout": 3,
        "Tags": "wrong",
    }
    assert LOWER["Timeout"] == 3


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("aws.functions.hello.Environment.Variables.A", "lower.Environment.Variables.A"),
        ("aws.functions.hello.Environment.Variables.B", "upper.Environment.Variables.B"),
        ("aws.functions.hello.Environment.Variables.C", "upper.Environment.Variables.C"),
        ("aws.functions.hello.Timeout[0].x", "lower.Timeout[0].x"),
        ("aws.functions.hello.Tags", "upper.Tags"),
        ("aws.functions.hello.Handler", "aws.functions.hello.Handler"),
        ("aws.functions.hello", "aws.functions.hello"),
        ("aws.functions.hello2.Timeout", "aws.functions.hello2.Timeout"),
    ],
)
def test_a_key_is_found_in_the_part_that_counts(key: str, written: str) -> None:
    assert HELLO.as_written(f"`{key}` is wrong") == f"`{written}` is wrong"
