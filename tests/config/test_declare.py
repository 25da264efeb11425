"""A setting is declared once, and all that lists settings comes from there."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass, fields
from pathlib import Path
from types import ModuleType

import pytest

from tasks_aws.config.declare import Setting, declared, setting
from tasks_aws.config.functions import FUNCTION_KEYS, LAYER_KEYS, Function
from tasks_aws.config.parsers import parse_session_tags, parse_string
from tasks_aws.config.settings import SECTIONS, SETTINGS, Settings

GENERATOR = Path(__file__).parents[2] / "docs" / "generate.py"
ALL = [*SETTINGS.items(), *FUNCTION_KEYS.items()]


@dataclass(frozen=True, kw_only=True)
class Example:
    """Two settings, and a field that is none."""

    key: str
    name: str | None = setting(parse_string, "A name.", unset="yours", aws_references=True)
    tags: object = setting(parse_session_tags, "Tags.", default={})


def test_the_settings_of_a_class_are_those_of_its_fields_that_are_declared_as_such() -> None:
    found = declared(Example)

    assert [*found] == ["name", "tags"]
    assert found["name"] == Setting(parse_string, "A name.", None, "yours", True, "")


def test_a_setting_has_its_default_and_shares_it_with_no_other() -> None:
    first, second = Example(key="1"), Example(key="2")

    assert first.name is None
    assert first.tags == {}
    assert first.tags is not second.tags


@pytest.mark.parametrize(("name", "each"), ALL, ids=[name for name, _ in ALL])
def test_the_reference_says_in_sentences_what_a_setting_means(name: str, each: Setting) -> None:
    assert re.fullmatch(r"[A-Z].*\.", each.doc)
    assert not each.unset.endswith(".")
    assert each.parse.takes
    assert not (each.unset and each.default)


def test_a_layer_has_the_keys_of_a_function_that_say_how_to_package_it() -> None:
    assert FUNCTION_KEYS.items() >= LAYER_KEYS.items()
    assert {*FUNCTION_KEYS} == {each.name for each in fields(Function)} - {
        *("name", "key", "parameters", "overlays", "variant", "removed", "aliases_of_others")
    }
    assert {*SETTINGS} == {each.name for each in fields(Settings)} - {
        *("project", "target", "labels", "options", "functions", "layers")
    }


@pytest.fixture
def generator() -> ModuleType:
    """Return docs/generate.py, which belongs to no package."""
    spec = importlib.util.spec_from_file_location("generate", GENERATOR)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documentation_has_a_row_for_every_setting(generator: ModuleType) -> None:
    page = generator.settings_page()

    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert rows == [*SETTINGS, *SECTIONS, *FUNCTION_KEYS]
    for row in re.findall(r"^\| `\w+` \|.*$", page, re.MULTILINE):
        assert len(re.split(r"(?<!\\)\|", row)) in (4, 6)
    assert "| `cache` | one of cli, keyring, none | `cli` |" in page
