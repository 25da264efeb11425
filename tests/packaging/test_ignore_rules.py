"""Rules of gitignore. `properties/test_against_git.py` compares them with git's own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tasks_aws.packaging.ignore_rules import IgnoreRules, read_patterns


def test_folders_are_asked_for_before_what_is_in_them() -> None:
    rules = IgnoreRules(["*", "!*/", "!*.py"])

    assert [rules.decide(name) for name in ("a/", "a/b.py", "a/b.txt", "b.py", "b")] == [
        *(False, False, True),
        *(False, True),
    ]


def test_asterisks_beside_other_characters_stay_in_one_folder() -> None:
    """As git's documentation has it, and git did not until it was mended."""
    rules = IgnoreRules(["a**/b"])

    assert [rules.decide(name) for name in ("a/b", "axy/b", "ab", "a/x/b")] == [
        *(True, True, None, None),
    ]


@pytest.mark.parametrize("pattern", ["[a", "a\\", "[[:foo:]]", "!", "/", "", "# all", "a//"])
def test_a_pattern_that_matches_nothing_is_allowed(pattern: str) -> None:
    assert IgnoreRules([pattern]).decide("a") is None


def test_an_ignore_file_may_come_from_windows(tmp_path: Path) -> None:
    (tmp_path / "ignored").write_bytes(b"\xef\xbb\xbf*.txt\r\n\x0c.py\r\n")

    assert read_patterns(tmp_path / "ignored") == ["*.txt", "\x0c.py", ""]


@pytest.mark.parametrize("pattern", ["**/" * 50 + "b", "*" * 200 + "b", "a/" + "**/" * 50 + "b"])
def test_repeated_asterisks_take_no_longer(pattern: str) -> None:
    rules = IgnoreRules([pattern])
    start = time.perf_counter()

    rules.decide("a/" * 60 + "a" * 250)

    assert time.perf_counter() - start < 1
