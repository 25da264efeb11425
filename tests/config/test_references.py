"""References in settings: those that need no AWS are resolved at once, and mistakes named."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tasks_aws.aws_lambda.validation import validate_function
from tasks_aws.config.load import load
from tasks_aws.config.references import (
    LocalResolver,
    Reference,
    Unresolved,
    escape_references,
    replace_references,
)
from tasks_aws.config.settings import Settings
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


def test_variables_are_resolved_before_settings_are_checked() -> None:
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
    assert "`aws.role_arn` must be a role ARN" in refusal(environ={**environ, "ROLE": " "}, **aws)


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
def test_what_a_string_becomes(written: str, environ: dict[str, str], found: str) -> None:
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


def test_the_commit_is_asked_of_git(tmp_path: Path) -> None:
    aws = {"functions": {"hello": {**HELLO, "Description": "${git:sha}"}}}
    with pytest.raises(SettingsError, match=r"Description` uses \${git:sha}, but Git finds no"):
        load(aws, project=tmp_path, environ={})
    commit = ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"]
    for words in (["init", "-q"], commit):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)

    found = load(aws, project=tmp_path, environ={}).functions["hello"].parameters["Description"]

    assert len(found) == 40


WRONG: list[tuple[str, str]] = [
    ("${ev:A}", "`aws.profile` uses ${ev:A}, which is not a known reference.*`env`"),
    ("${HOME}", "Did you mean `${env:HOME}`?"),
    ("${aws:username}", "To write a literal `${`, use `$${`."),
    ("${}", "Use one of: ${env:NAME}, ${env:NAME:-default}, ${target}"),
    ("${env}", "Write ${env:NAME} or ${env:NAME:-default}"),
    ("${env:A-b}", "`aws.profile` uses ${env:A-b}, which is malformed"),
    ("${git:branch}", "Write ${git:sha}"),
    ("${region:x}", "Write ${region}"),
    ("${cfn:Stack}", "Write ${cfn:Stack.Output}"),
    ("${env:A", "`aws.profile` contains `${` without a closing `}`"),
    ("${env:A:-${env:B}}", "references cannot be nested"),
    ("${env:GONE}", "`aws.profile` uses ${env:GONE}, but the variable GONE is not set.*Set GONE"),
    ("${target}", "`aws.profile` uses ${target}, but no target is selected.*Pass --target"),
    ("${account_id}", "`aws.profile` uses ${account_id}, which only AWS can resolve"),
    ("${ssm:/x}", "needed before there are credentials"),
]


@pytest.mark.parametrize(("written", "says"), WRONG)
def test_a_wrong_reference_is_named_with_the_key_of_its_setting(written: str, says: str) -> None:
    message = refusal(profile=written)

    for part in says.split(".*"):
        assert part in message
    assert "fix: " in message


@pytest.mark.parametrize("key", ["source", "Runtime", "Handler", "alias", "build", "layers"])
def test_what_an_archive_is_made_of_needs_no_aws(key: str) -> None:
    functions = {"hello": {**HELLO, key: "${ssm:/x}"}}

    assert f"`aws.functions.hello.{key}` uses ${{ssm:/x}}" in refusal(functions=functions)


def test_another_targets_references_are_left_alone() -> None:
    aws = {"targets": {"prod": {"profile": "${env:GONE}"}, "dev": {"profile": "dev"}}}

    assert read(aws, "dev").profile == "dev"
    with pytest.raises(SettingsError, match=r"`aws.targets.prod.profile` uses"):
        read(aws, "prod")


def test_what_aws_has_yet_to_resolve_passes_all_checks() -> None:
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

    assert isinstance(function.bucket, Unresolved)
    with pytest.raises(SettingsError, match="Timeot"):
        validate_function(hello(Role="${ssm:/role}", Timeot=3))


def test_a_string_with_a_secret_in_it_is_a_secret() -> None:
    written = "${env:USER}:${secret:db}@${region} $${x}"
    pending = hello(environ={"USER": "u"}, Description=written).parameters["Description"]

    def find(reference: Reference, key: str) -> str:
        assert key == "aws.functions.hello.Description"
        return Secret("pw ${env:USER}") if reference.kind == "secret" else "here"

    found = replace_references(pending, "aws.functions.hello.Description", find)

    assert found == "u:pw ${env:USER}@here ${x}"
    assert repr(found) == "'***'"


def test_the_command_line_shows_it_without_a_traceback(project: Project) -> None:
    project.settings(profile="${env:PROFIL}")

    result = project.run("assume", code=1)

    assert "`aws.profile` uses ${env:PROFIL}, but the variable PROFIL is not set." in result.err
    assert "Traceback" not in result.err


@given(text=st.text("$${}{env:HOME}hidden \n"))
@example(text="${env:HOME}$${$$${${hidden}${")
def test_what_is_escaped_stands_for_itself(text: str) -> None:
    written = escape_references({"Description": text, "Tags": [{"Team": text}]})
    local = LocalResolver(Path("/nowhere"), None, {"HOME": "/home/alice"})

    assert local.resolve(written, "x", allow_aws=True) == {
        "Description": text,
        "Tags": [{"Team": text}],
    }
