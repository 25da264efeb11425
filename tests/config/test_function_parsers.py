"""What the parsers of a function's own keys return; what they refuse is in test_parsers."""

from __future__ import annotations

from typing import Any

import pytest

from tasks_aws.config.function_parsers import parse_canary, parse_smoke, parse_sources
from tasks_aws.errors import SettingsError


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("src", [("src", "")]),
        (["a", "b"], [("a", ""), ("b", "")]),
        ({"common": "./lib//inner/"}, [("common", "lib/inner")]),
        (["a", {"b": "lib", "c": "."}], None),
        ([{"b": "lib"}, "a"], [("b", "lib"), ("a", "")]),
        ([], []),
    ],
)
def test_sources_are_paths_each_with_its_folder_in_the_archive(
    written: Any, found: list[tuple[str, str]] | None
) -> None:
    if found is None:
        with pytest.raises(
            SettingsError, match=r"must be a folder inside the archive, got '\.'"
        ) as raised:
            parse_sources(written, "k")
        assert raised.value.fix.endswith("at the top of the archive, as in `source: c`.")
    else:
        assert [(each.path, each.inside) for each in parse_sources(written, "k")] == found


def test_a_canary_has_a_share_and_a_duration() -> None:
    found = parse_canary(" 10% for 5m", "k")

    assert (found.percent, found.seconds) == (10, 300)
    with pytest.raises(SettingsError, match="must be a duration from 1s to 1d, got '25h'"):
        parse_canary("10% for 25h", "k")


def test_a_smoke_test_need_not_expect_anything() -> None:
    found = parse_smoke({"payload": [1]}, "k")

    assert (found.payload, found.expect) == ([1], None)
