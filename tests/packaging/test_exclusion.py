"""What is left out by default, and which patterns bring it back."""

from __future__ import annotations

import pytest

from tasks_aws.packaging.exclusion import Exclusion


@pytest.mark.parametrize("pattern", ["!*/", "!*", "!**", "!/*/", "!**/*", "!?*"])
def test_a_pattern_without_a_name_brings_no_default_back(pattern: str) -> None:
    is_left_out = Exclusion((), ("", ["*", pattern]))

    assert is_left_out(".git/")
    assert is_left_out(".env")
    assert not is_left_out("pkg/")


@pytest.mark.parametrize("pattern", ["!.env", "!/.env", "!.e*", "!**/.env"])
def test_a_pattern_with_its_name_brings_a_default_back(pattern: str) -> None:
    assert not Exclusion((), ("", ["*", "!*/", pattern]))(".env")
    assert not Exclusion((), ("src/", ["*", "!*/", pattern.replace("/.env", "/src/.env")]))(".env")


def test_what_is_included_is_included_whatever_is_ignored() -> None:
    is_left_out = Exclusion(("ca.pem", ".tasks_aws"), ("", ["*.pem", "ca.*"]))

    assert not is_left_out("ca.pem")
    assert is_left_out("other.pem")
    assert is_left_out(".tasks_aws/")


def test_the_ignore_file_of_a_source_comes_before_that_of_the_project() -> None:
    is_left_out = Exclusion((), ("", ["!a.txt"]), ("src/", ["*.txt", "/src/data/"]))

    assert [is_left_out(name) for name in ("a.txt", "b.txt", "data/", "sub/data/")] == [
        *(False, True),
        *(True, False),
    ]
