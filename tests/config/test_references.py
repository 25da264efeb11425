"""`${…}` in settings: what is known at once is put in, and what is wrong is told at once."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks_aws.aws_lambda.validation import validate_function
from tasks_aws.config.load import Settings, load
from tasks_aws.config.references import Pending, Reference, filled
from tasks_aws.errors import SettingsError
from tasks_aws.secret import Secret
from tests.support import Project

ACCOUNT_ROLE = "arn:aws:iam::123456789012:role"
HELLO = {"source": "src", "Handler": "app.handler", "Runtime": "python3.13"}


def read(aws: dict[str, Any], target: str | None = None, **environ: str) -> Settings:
    return load(aws, project=Path("/nowhere"), target=target, environ=environ)


def hello(target: str | None = None, environ: Mapping[str, str] = {}, **changes: Any) -> Any:
    """Return the function `hello` with these settings."""
    aws = {"functions": {"hello": {**HELLO, **changes}}, "targets": {"prod": {}}}
    return read(aws, target, **environ).functions["hello"]


def refusal(*, environ: Mapping[str, str] = {}, **aws: Any) -> str:
    with pytest.raises(SettingsError) as raised:
        read(aws, **environ)
    return str(raised.value)


def test_variables_are_put_in_before_settings_are_checked() -> None:
    aws: dict[str, Any] = {
        "role_arn": f"{ACCOUNT_ROLE}/${{env:ROLE}}",
        "duration_seconds": "${env:DURATION:-3600}",
        "session_tags": {"Team": "${env:TEAM}"},
        "policy_arns": ["arn:aws:iam::aws:policy/${env:POLICY}"],
    }

    environ = {"ROLE": "Deployer", "TEAM": "web", "POLICY": "ReadOnlyAccess"}

    settings = read(aws, **environ)

    assert settings.role_arn == f"{ACCOUNT_ROLE}/Deployer"
    assert settings.duration_seconds == 3600
    assert settings.session_tags == {"Team": "web"}
    assert settings.policy_arns == ("arn:aws:iam::aws:policy/ReadOnlyAccess",)
    assert "`aws.role_arn` is not a role ARN" in refusal(environ={**environ, "ROLE": " "}, **aws)


@pytest.mark.parametrize(
    ("written", "environ", "found"),
    [
        ("${env:A}", {"A": "x"}, "x"),
        ("<${env:A}|${env:B:-}|${target}>", {"A": "x"}, "<x||prod>"),
        ("${env:A:-a:-b}", {"A": ""}, "a:-b"),
        ("${env:A}", {"A": "${env:B} $${x}"}, "${env:B} $${x}"),
        ("$${env:A} costs $5 {or} $A", {}, "${env:A} costs $5 {or} $A"),
        ("${target:-dev}", {}, "prod"),
    ],
)
def test_what_a_text_becomes(written: str, environ: dict[str, str], found: str) -> None:
    function = hello("prod", environ, Description=written, events=[{"Topics": [written]}])

    assert function.parameters["Description"] == found
    assert function.events == ({"Topics": [found]},)


def test_a_target_has_a_default() -> None:
    assert hello(FunctionName="${target:-dev}-x").parameters["FunctionName"] == "dev-x"


def test_a_number_of_the_api_may_come_from_a_variable() -> None:
    changes: dict[str, Any] = {
        "MemorySize": "${env:MEMORY:-256}",
        "Environment": {"Variables": {"SIZE": "${env:MEMORY:-256}"}},
        "events": [
            {"EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:q", "Enabled": "${env:ON:-true}"}
        ],
    }

    found = validate_function(hello(**changes))

    assert found.create["MemorySize"] == 256
    assert found.create["Environment"] == {"Variables": {"SIZE": "256"}}
    assert found.function.events
    assert found.function.events[0]["Enabled"] is True
    with pytest.raises(SettingsError, match=r"MemorySize` must be an integer, got 'much'"):
        validate_function(hello(**changes, environ={"MEMORY": "much"}))


def test_git_is_asked_for_the_commit(tmp_path: Path) -> None:
    aws = {"functions": {"hello": {**HELLO, "Description": "${git:sha}"}}}
    with pytest.raises(SettingsError, match=r"`aws.functions.hello.Description` holds \${git:sha}"):
        load(aws, project=tmp_path, environ={})
    commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"]
    for words in (["init", "-q"], commit):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)

    found = load(aws, project=tmp_path, environ={}).functions["hello"].parameters["Description"]

    assert len(found) == 40


WRONG: list[tuple[str, str]] = [
    ("${ev:A}", "`aws.profile` holds ${ev:A}, which is no reference of tasks-aws.*`env`"),
    ("${HOME}", "Did you mean `${env:HOME}`?"),
    ("${aws:username}", "write `$${` for `${`"),
    ("${}", "Known are: ${env:NAME}"),
    ("${env}", "Write ${env:NAME} or ${env:NAME:-default}"),
    ("${env:A-b}", "says too little or too much"),
    ("${git:branch}", "Write ${git:sha}"),
    ("${region:x}", "Write ${region}"),
    ("${cfn:Stack}", "Write ${cfn:Stack.Output}"),
    ("${env:A", "has a `${` without its `}`"),
    ("${env:A:-${env:B}}", "there can be none within another"),
    ("${env:GONE}", "`aws.profile` holds ${env:GONE}, which has no value.*Set GONE"),
    ("${target}", "Give --target"),
    ("${account_id}", "`aws.profile` holds ${account_id}, which only AWS knows"),
    ("${ssm:/x}", "needed before there are credentials"),
]


@pytest.mark.parametrize(("written", "says"), WRONG)
def test_a_wrong_reference_is_told_with_the_key_of_its_setting(written: str, says: str) -> None:
    message = refusal(profile=written)

    for part in says.split(".*"):
        assert part in message
    assert "fix: " in message


@pytest.mark.parametrize("key", ["source", "Runtime", "Handler", "alias", "build", "layers"])
def test_what_an_archive_is_made_of_needs_no_aws(key: str) -> None:
    functions = {"hello": {**HELLO, key: "${ssm:/x}"}}

    assert f"`aws.functions.hello.{key}` holds ${{ssm:/x}}" in refusal(functions=functions)


def test_another_targets_references_are_left_alone() -> None:
    aws = {"targets": {"prod": {"profile": "${env:GONE}"}, "dev": {"profile": "dev"}}}

    assert read(aws, "dev").profile == "dev"
    with pytest.raises(SettingsError, match=r"`aws.targets.prod.profile` holds"):
        read(aws, "prod")


def test_what_aws_has_to_answer_passes_all_checks_until_then() -> None:
    function = hello(
        Role="${ssm:/role}",
        MemorySize="${ssm:/memory}",
        Layers=["${cfn:Shared.Layer}"],
        Environment={"Variables": {"URL": "${secret:db#url}" * 400}},
        bucket="artifacts-${account_id}",
        key_prefix="${region}",
        url={"AuthType": "${ssm:/auth}"},
    )

    validate_function(function)

    assert isinstance(function.bucket, Pending)
    with pytest.raises(SettingsError, match="Timeot"):
        validate_function(hello(Role="${ssm:/role}", Timeot=3))


def test_a_text_with_a_secret_in_it_is_a_secret() -> None:
    written = "${env:USER}:${secret:db}@${region} $${x}"
    pending = hello(environ={"USER": "u"}, Description=written).parameters["Description"]

    def find(reference: Reference, key: str) -> str:
        assert key == "aws.functions.hello.Description"
        return Secret("pw ${env:USER}") if reference.kind == "secret" else "here"

    found = filled(pending, "aws.functions.hello.Description", find)

    assert found == "u:pw ${env:USER}@here ${x}"
    assert repr(found) == "'***'"


def test_the_command_line_tells_it_without_a_traceback(project: Project) -> None:
    project.settings(profile="${env:PROFIL}")

    result = project.run("assume", code=1)

    assert "`aws.profile` holds ${env:PROFIL}, which has no value." in result.err
    assert "Traceback" not in result.err
