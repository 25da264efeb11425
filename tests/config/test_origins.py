"""A setting's origin is found on every level of invoke's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config

from tasks_aws.config.origins import Origin, Origins
from tasks_aws.config.overlays import Overlays, Part


def origins(tmp_path: Path, target: str | None = None, **levels: Any) -> Origins:
    config = Config(project_location=tmp_path)
    for level, aws in levels.items():
        config._set(f"_{level}", {"aws": aws})
    config._set("_project_path", str(tmp_path / "invoke.yaml"))
    config._set("_user_path", "/home/alice/.invoke.yaml")
    config._set("_runtime_path", "ci.yaml")
    return Origins(config, project=tmp_path, target=target)


@pytest.mark.parametrize(
    ("level", "kind", "shown"),
    [
        ("collection", "configure", "ns.configure"),
        ("user", "file", "/home/alice/.invoke.yaml"),
        ("project", "file", "invoke.yaml"),
        ("env", "variable", "INVOKE_AWS_REGION"),
        ("runtime", "file", "ci.yaml"),
        ("modifications", "task", "a task"),
    ],
)
def test_each_level_is_named(tmp_path: Path, level: str, kind: str, shown: str) -> None:
    levels: dict[str, Any] = {level: {"region": "x"}}
    found = origins(tmp_path, **levels).of_label("aws.region")

    assert (found.kind, str(found), found.key) == (kind, shown, "aws.region")


def test_the_level_that_counts_most_is_named(tmp_path: Path) -> None:
    found = origins(tmp_path, collection={"region": "x"}, runtime={"region": "y"}, project={})

    assert str(found.of_label("aws.region")) == "ci.yaml"


def test_null_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    found = origins(tmp_path, user={"region": "x"}, project={"region": None})

    assert str(found.of_label("aws.region")) == "/home/alice/.invoke.yaml"


def test_options_variables_and_defaults_need_no_file(tmp_path: Path) -> None:
    found = origins(tmp_path)

    assert str(found.of_label("--region")) == "--region"
    assert found.of_label("INVOKE_AWS_REGION").kind == "variable"
    assert str(found.of_label(None)) == "default"


def test_a_target_may_have_dots_in_its_name(tmp_path: Path) -> None:
    aws = {"targets": {"eu.prod": {"region": "x", "functions": {"hello": {"Timeout": 3}}}}}
    found = origins(tmp_path, "eu.prod", project=aws)

    key = "aws.targets.eu.prod.region"
    assert found.of_label(key) == Origin("file", "invoke.yaml", key, "eu.prod")
    overlays = Overlays(
        "aws.functions.hello", [Part("aws.targets.eu.prod.functions.hello", {"Timeout": 3})]
    )
    assert str(found.of_entry(overlays, ["Timeout"])) == "target eu.prod, invoke.yaml"
