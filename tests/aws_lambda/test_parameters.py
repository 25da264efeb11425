"""Settings are split by the API call that takes them, and made again from AWS's answers."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from tasks_aws.aws_lambda.parameters import (
    Parameters,
    add_layers,
    extract_parameters,
    split_parameters,
)
from tasks_aws.config.functions import Function

URI = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/hello:1"


def split(alias: str | None = None, **given: Any) -> Parameters:
    key = "aws.functions.hello"
    return split_parameters(Function(name="hello", key=key, parameters=given, alias=alias))


def test_each_call_gets_what_it_takes() -> None:
    found = split(
        FunctionName="other",
        MemorySize=256,
        Architectures=["arm64"],
        Tags={"Team": "web"},
        ReservedConcurrentExecutions=1,
    )

    assert found.name == "other"
    assert found.create.keys() == {"MemorySize", "Architectures", "Tags"}
    assert found.configuration == {"MemorySize": 256}
    assert found.code == {"Architectures": ["arm64"]}
    assert not found.image


def test_the_uri_of_an_image_goes_with_the_code() -> None:
    found = split(Code={"ImageUri": URI})

    assert found.image
    assert found.create["PackageType"] == "Image"
    assert found.code["ImageUri"] == URI


def test_calls_are_for_the_alias_if_there_is_one() -> None:
    assert split().qualifier == {}
    assert split(alias="live").qualifier == {"Qualifier": "live"}


def test_the_log_group_is_the_configured_one_or_lambdas_own() -> None:
    assert split().log_group == "/aws/lambda/hello"
    assert split(LoggingConfig={"LogGroup": "/shared"}).log_group == "/shared"


def test_layers_are_added_after_those_of_the_settings() -> None:
    found = add_layers(split(Layers=["one"]), ["two"])

    assert found.create["Layers"] == found.configuration["Layers"] == ["one", "two"]


def test_an_answer_becomes_settings_without_names_empty_values_and_defaults() -> None:
    answer = {
        "FunctionName": "hello",
        "Timeout": 3,
        "MemorySize": 512,
        "Layers": (),
        "Environment": {"Variables": {"EMPTY": "", "NONE": None}},
        "Description": "",
        "CodeSha256": "not a parameter",
    }

    assert extract_parameters("CreateFunction", answer, {"Timeout": 3}) == {
        "MemorySize": 512,
        "Environment": {"Variables": {"EMPTY": ""}},
    }


def test_times_are_text_that_yaml_and_the_api_take() -> None:
    answer = {"StartingPositionTimestamp": datetime(2026, 1, 31, tzinfo=timezone.utc)}

    assert extract_parameters("CreateEventSourceMapping", answer, {}) == {
        "StartingPositionTimestamp": "2026-01-31T00:00:00+00:00"
    }
