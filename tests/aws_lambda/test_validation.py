"""Every problem of a function is found before any call, and said in one plain sentence."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from tasks_aws.aws_lambda.validation import validate_function, validate_functions
from tasks_aws.config.functions import Function
from tasks_aws.errors import SettingsError
from tasks_aws.secret import Secret

ROLE = "arn:aws:iam::123456789012:role/hello"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:jobs"
KEY = "aws.functions.hello"


def function(**settings: Any) -> Function:
    """Return a function; capitalised settings are the API's, None takes one away."""
    own = {key: value for key, value in settings.items() if key[0].islower()}
    api = {key: value for key, value in settings.items() if key[0].isupper()}
    given = {"Handler": "app.handler", "Runtime": "python3.13", "Role": ROLE, **api}
    parameters = {key: value for key, value in given.items() if value is not None}
    return Function(name="hello", key=KEY, parameters=parameters, **own)


def problem(**settings: Any) -> str:
    """Return the problem of a function that has just one."""
    with pytest.raises(SettingsError) as raised:
        validate_function(function(**settings))
    what, fix = str(raised.value).splitlines()
    assert fix.startswith("  fix: ")
    return what


PERMISSION = {"StatementId": "one", "Action": "lambda:InvokeFunction", "Principal": "*"}
PROBLEMS: list[tuple[dict[str, Any], str]] = [
    ({"MemorySize": "x"}, "`{}.MemorySize` must be an integer, got 'x'."),
    ({"MemorySize": True}, "`{}.MemorySize` must be an integer, got true."),
    ({"MemorySize": 1.5}, "`{}.MemorySize` must be an integer, got 1.5."),
    ({"MemorySize": date(2026, 1, 2)}, "`{}.MemorySize` must be an integer, got 2026-01-02."),
    ({"Description": 3}, "`{}.Description` must be a string, got 3."),
    (
        {"FunctionName": "hello:live"},
        "`{}.FunctionName` cannot end with :live: it names the function itself, and `alias` what "
        "callers use.",
    ),
    (
        {"PackageType": "Image"},
        "`{}.PackageType` is Image, and the code no container image (`Code.ImageUri`).",
    ),
    ({"Description": []}, "`{}.Description` must be a string, got a list."),
    (
        {"ReservedConcurrentExecutions": []},
        "`{}.ReservedConcurrentExecutions` must be an integer, got a list.",
    ),
    ({"Description": "x" * 257}, "`{}.Description` must have at most 256 characters, got 257."),
    ({"Layers": {"a": 1}}, "`{}.Layers` must be a list, got a mapping."),
    ({"Tags": ["a"]}, "`{}.Tags` must be a mapping, got a list."),
    ({"Architectures": []}, "`{}.Architectures` must have exactly 1 item, got 0."),
    (
        {"Environment": {"Variables": {"PORT": 80}}},
        "`{}.Environment.Variables.PORT` must be a string, got a number.",
    ),
    (
        {"Environment": {"Variables": {"A-B": "x"}}},
        "`{}.Environment.Variables.A-B`: the name must match [a-zA-Z]([a-zA-Z0-9_])+",
    ),
    (
        {"Environment": {"Variables": {"AWS_REGION": "x", "AWS_XRAY_TRACING_NAME": "x"}}},
        "`{}.Environment.Variables.AWS_REGION` cannot be set: Lambda reserves the name.",
    ),
    ({"Handler": None}, "`{}.Handler` is missing: set it, for example `Handler: app.handler`."),
    ({"Timeot": 3}, "`{}.Timeot` is not a parameter of the Lambda API. Did you mean `Timeout`?"),
    (
        {"Publish": True},
        "`{}.Publish` cannot be set: `deploy` publishes a version with `alias`, and with "
        "`CapacityProviderConfig` alone, $LATEST.PUBLISHED.",
    ),
    ({"Alias": "live"}, "`{}.Alias` is not a parameter of the Lambda API. Did you mean `alias`?"),
    (
        {"Environment": {"STAGE": "prod"}},
        "`{}.Environment.STAGE` is not a parameter of the Lambda API. Put it under `Variables`.",
    ),
    (
        {"Role": "hello"},
        "`{}.Role` must be an ARN, such as arn:aws:iam::123456789012:role/hello, got 'hello'.",
    ),
    ({"KMSKeyArn": "key"}, "`{}.KMSKeyArn` must be an ARN, such as arn:aws:…, got 'key'."),
    ({"Code": {"S3Key": "x"}}, "`{}.Code.S3Key` cannot be set: `deploy` sets it."),
    (
        {"ReservedConcurrentExecutions": -1},
        "`{}.ReservedConcurrentExecutions` must be at least 0, got -1.",
    ),
    (
        {"Code": {"S3ObjectStorageMode": "REFERENCE"}},
        "`{}.Code.S3ObjectStorageMode` is REFERENCE, which requires `bucket`: Lambda has to find "
        "the archive in S3.",
    ),
    (
        {
            "Code": {"S3ObjectStorageMode": "REFERENCE", "ImageUri": "x"},
            "Handler": None,
            "Runtime": None,
        },
        "`{}.Code.S3ObjectStorageMode` cannot be set for a container image.",
    ),
    (
        {"SnapStart": {"ApplyOn": "PublishedVersions"}},
        "`{}.SnapStart` requires `alias`: Lambda makes snapshots of published versions only.",
    ),
    (
        {"ProvisionedConcurrentExecutions": 1},
        "`{}.ProvisionedConcurrentExecutions` requires `alias`.",
    ),
    ({"url": {}}, "`{}.url.AuthType` is missing."),
    (
        {"url": {"AuthType": "NONE", "Qualifier": "x"}},
        "`{}.url.Qualifier` cannot be set: `deploy` sets it.",
    ),
    (
        {"events": ({"BatchSize": 1},)},
        "`{}.events[0]` must contain EventSourceArn or SelfManagedEventSource.",
    ),
    (
        {"events": ({"EventSourceArn": QUEUE, "StartingPositionTimestamp": "soon"},)},
        "`{}.events[0].StartingPositionTimestamp` must be a timestamp such as "
        "2026-01-31T12:00:00Z, got 'soon'.",
    ),
    (
        {"permissions": (PERMISSION, PERMISSION)},
        "`{}.permissions` contains StatementId one more than once.",
    ),
    (
        {"Timeout": 901},
        "`{}.Timeout` must be between 1 and 900, got 901; more is for functions with "
        "`CapacityProviderConfig`.",
    ),
    (
        {"MemorySize": 10_241},
        "`{}.MemorySize` must be between 128 and 10240, got 10241; more is for functions with "
        "`CapacityProviderConfig`.",
    ),
    ({"layers": ("a", "a")}, "`{}.layers` contains a layer twice."),
]


@pytest.mark.parametrize(("settings", "expected"), PROBLEMS, ids=lambda value: str(value)[:40])
def test_a_problem_names_the_full_key_and_what_is_allowed(
    settings: dict[str, Any], expected: str
) -> None:
    assert problem(**settings) == expected.format(KEY)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        validate_function(function(Handler=None, MemorySize=1, url={}))

    assert str(raised.value).startswith(f"`{KEY}` has 3 problems:\n  - `{KEY}.Handler` is missing")


def test_a_string_that_does_not_match_is_shown_with_the_pattern() -> None:
    message = problem(Role="arn:aws:iam::1:role/hello")

    assert message.startswith(f"`{KEY}.Role` must match arn:")
    assert message.endswith(", got 'arn:aws:iam::1:role/hello'.")


def test_secrets_and_sensitive_values_are_not_shown() -> None:
    assert "hunter2" not in problem(Role=Secret("hunter2"))
    assert "123456" not in problem(Environment={"Variables": {"PIN": 123456}})


def test_an_environment_that_is_too_large_names_its_longest_variables() -> None:
    message = problem(Environment={"Variables": {"SHORT": "x", "LONG": "x" * 5000}})

    assert message == (
        f"`{KEY}.Environment.Variables` must be at most 4096 bytes, got 5023; "
        "the longest are: LONG 5000 B, SHORT 1 B."
    )


def test_variables_that_a_function_may_set_pass() -> None:
    names = ("TZ", "LANG", "PATH", "LD_LIBRARY_PATH", "NODE_PATH", "PYTHONPATH", "AWS_PROFILE")
    tracing = ("AWS_XRAY_CONTEXT_MISSING", "AWS_XRAY_DAEMON_ADDRESS", "AWS_LAMBDA_EXEC_WRAPPER")

    validate_function(function(Environment={"Variables": dict.fromkeys((*names, *tracing), "x")}))


@pytest.mark.parametrize(
    ("runtime", "hint"), [("python3.99", "Did you mean"), ("rust1.x", "It knows:")]
)
def test_a_value_that_a_newer_botocore_may_know_is_a_warning(
    runtime: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = validate_function(function(Runtime=runtime, alias="live"))

    assert parameters.create["Runtime"] == runtime
    said = capsys.readouterr().err
    assert f"`{KEY}.Runtime`: the installed botocore does not know '{runtime}'. {hint}" in said


@pytest.mark.parametrize("runtime", ["pyhton3.13", "Python3.13", "node22.x"])
def test_a_misspelt_language_is_refused_because_nothing_would_be_built(runtime: str) -> None:
    unknown = f"`{KEY}.Runtime`: the installed botocore does not know '{runtime}'."

    assert problem(Runtime=runtime).startswith(f"{unknown} Did you mean")


def test_a_function_without_problems_is_split_by_call() -> None:
    parameters = validate_function(function(MemorySize=256, events=({"EventSourceArn": QUEUE},)))

    assert parameters.configuration["MemorySize"] == 256


def test_one_error_has_the_problems_of_all_functions() -> None:
    with pytest.raises(SettingsError) as raised:
        validate_functions([function(MemorySize=1), function(), function(Timeout=0, Tags="x")])

    assert str(raised.value).startswith("The settings have 3 mistakes:\n- `aws.functions.hello")
    assert "Timeout" in str(raised.value)
    assert "Tags" in str(raised.value)
    assert [each.name for each in validate_functions([function()]).values()] == ["hello"]
