"""What AWS has of a function and its attachments is read so that a second plan finds nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber

from tasks_aws.aws_lambda.clients import Account
from tasks_aws.aws_lambda.parameters import split_parameters
from tasks_aws.aws_lambda.remote_state import read_remote_function, wait_until_settled
from tasks_aws.config.functions import Function
from tasks_aws.errors import FunctionError
from tests.aws_lambda.describe import HELLO, account_in, describe, write_source
from tests.conftest import EmbeddedAws
from tests.proxy import Handler, Proxy, Rule
from tests.support import Project

PUBLIC = ("FunctionURLAllowPublicAccess", "FunctionURLInvokeAllowPublicAccess")


@pytest.fixture
def queue(aws: EmbeddedAws) -> Any:
    client = aws.client("sqs")
    url = client.create_queue(QueueName="jobs")["QueueUrl"]
    attributes = client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return attributes["Attributes"]["QueueArn"]


def everything(queue: str, **changes: Any) -> dict[str, Any]:
    return {
        "alias": "live",
        "Tags": {"Team": "web"},
        "ReservedConcurrentExecutions": 5,
        "MaximumRetryAttempts": 0,
        "log_retention_days": 30,
        "url": {"AuthType": "NONE", "Cors": {"AllowOrigins": ["*"]}},
        "events": [{"EventSourceArn": queue, "BatchSize": 5}],
        "permissions": [
            {
                "StatementId": "bucket",
                "Action": "lambda:InvokeFunction",
                "Principal": "s3.amazonaws.com",
                "SourceArn": "arn:aws:s3:::uploads",
            }
        ],
        **changes,
    }


@pytest.fixture(autouse=True)
def _source(request: pytest.FixtureRequest) -> None:
    if "project" not in request.fixturenames:
        return
    project, queue = (request.getfixturevalue(name) for name in ("project", "queue"))
    write_source(project)
    describe(project, role="everything", **everything(queue))


NOTHING: dict[str, Any] = {
    **dict.fromkeys(("alias", "Tags", "ReservedConcurrentExecutions", "url"), "none"),
    **dict.fromkeys(("MaximumRetryAttempts", "log_retention_days"), "none"),
    "events": [],
    "permissions": [],
}


def statements(aws: EmbeddedAws, alias: str | None = "live") -> set[str]:
    client = aws.functions()
    qualifier: Any = {"Qualifier": alias} if alias else {}
    try:
        policy = client.get_policy(FunctionName="hello", **qualifier)["Policy"]
    except client.exceptions.ResourceNotFoundException:
        return set()
    return {each["Sid"] for each in json.loads(policy)["Statement"]}


def urls(aws: EmbeddedAws) -> list[str]:
    found = aws.functions().list_function_url_configs(FunctionName="hello")["FunctionUrlConfigs"]
    return [each["FunctionUrl"] for each in found]


def is_bare(aws: EmbeddedAws) -> bool:
    """Return whether nothing is attached to the function any more."""
    client, logs = aws.functions(), aws.client("logs")
    function = client.get_function(FunctionName="hello")
    (group,) = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/hello")["logGroups"]
    return not (
        urls(aws)
        or statements(aws, None)
        or client.list_event_source_mappings()["EventSourceMappings"]
        or client.list_aliases(FunctionName="hello")["Aliases"]
        or client.list_function_event_invoke_configs(FunctionName="hello")[
            "FunctionEventInvokeConfigs"
        ]
        or function.get("Concurrency")
        or function.get("Tags")
        or group.get("retentionInDays")
    )


def test_all_of_it_is_made_and_a_second_plan_finds_nothing(
    project: Project, aws: EmbeddedAws, queue: str
) -> None:
    project.run("deploy")
    client = aws.functions()

    (mapping,) = client.list_event_source_mappings()["EventSourceMappings"]
    assert (mapping["EventSourceArn"], mapping["BatchSize"]) == (queue, 5)
    assert mapping["FunctionArn"].endswith(":hello:live")
    assert statements(aws) == {*PUBLIC, "bucket"}
    assert client.get_function(FunctionName="hello")["Tags"] == {"Team": "web"}
    (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/hello")[
        "logGroups"
    ]
    assert group["retentionInDays"] == 30
    assert "unchanged" in project.run("plan", "--exit-code").err


def test_only_what_differs_is_changed(project: Project, aws: EmbeddedAws, queue: str) -> None:
    project.run("deploy")
    changes = {"Tags": {"Team": "api"}, "events": [{"EventSourceArn": queue, "BatchSize": 9}]}
    describe(project, role="everything", **everything(queue, **changes))

    planned = project.run("plan")
    project.run("deploy")

    lines = [line.strip() for line in planned.err.splitlines()[-2:]]
    assert lines == ["~ Tags.Team  web -> api", f"~ events.{queue}.BatchSize  5 -> 9"]
    assert "unchanged" in project.run("plan", "--exit-code").err
    versions = aws.functions().list_versions_by_function(FunctionName="hello")["Versions"]
    assert len(versions) == 2  # no new one: neither code nor configuration has changed


def test_what_is_none_is_removed_wherever_it_is(
    project: Project, aws: EmbeddedAws, queue: str
) -> None:
    project.run("deploy")
    describe(project, role="everything", **everything(queue, **NOTHING))

    planned = project.run("plan").err
    assert "- url of alias live  https://" in planned
    assert "- alias live  version 1" in planned
    assert "not in the settings" not in planned
    project.run("deploy")

    assert is_bare(aws)
    assert "unchanged" in project.run("deploy").err


def test_what_is_in_no_setting_is_mentioned_and_goes_only_with_prune(
    project: Project, aws: EmbeddedAws, queue: str
) -> None:
    project.run("deploy")
    describe(project, role="everything")

    planned = project.run("plan", "--exit-code").err
    deployed = project.run("deploy").err
    listed = project.run("plan", "--prune").err

    assert planned.splitlines()[-2:] == [
        "plan      hello  unchanged",
        "plan      hello  not in the settings: log_retention_days, Tags, "
        "ReservedConcurrentExecutions, MaximumRetryAttempts of alias live, 3 permissions of alias "
        "live, url of alias live, 1 event of alias live, alias live (removed by --prune)",
    ]
    assert deployed.splitlines()[-2:] == [  # what is known without another call
        "deploy    hello  not in the settings: Tags, ReservedConcurrentExecutions (removed by "
        "--prune)",
        "deploy    hello  unchanged",
    ]
    assert statements(aws) == {*PUBLIC, "bucket"}
    for each in ("permissions.bucket of alias live", f"events.{queue} of alias live"):
        assert f"  - {each}  " in listed

    pruned = project.run("deploy", "--prune").err

    assert "prune     hello  will lose what is not in the settings:" in pruned
    assert is_bare(aws)
    assert project.run("plan", "--prune").err.splitlines()[-1] == "plan      hello  unchanged"


def test_what_the_function_itself_has_beyond_the_settings_is_no_different(
    project: Project, aws: EmbeddedAws
) -> None:
    dead = {"TargetArn": "arn:aws:sqs:us-east-1:000000000000:jobs"}
    own: dict[str, Any] = {
        "Timeout": 30,
        "TracingConfig": {"Mode": "Active"},
        "DeadLetterConfig": dead,
    }
    describe(project, role="everything", alias="live", **own)
    project.run("deploy")
    describe(project, role="everything", alias="live", Timeout="none")

    planned = project.run("plan").err
    project.run("deploy", "--prune")

    assert "~ Timeout  30 -> 3" in planned
    assert "not in the settings: DeadLetterConfig, TracingConfig (removed by --prune)" in planned
    for qualifier in ("$LATEST", "live"):
        found = aws.functions().get_function(FunctionName="hello", Qualifier=qualifier)
        configuration = found["Configuration"]
        assert configuration["Timeout"] == 3
        assert configuration["TracingConfig"] == {"Mode": "PassThrough"}
        assert not configuration.get("DeadLetterConfig", {}).get("TargetArn")
    assert project.run("plan", "--prune").err.splitlines()[-1] == "plan      hello  unchanged"


def test_whoever_is_at_the_terminal_is_asked_before_anything_is_pruned(
    project: Project, aws: EmbeddedAws, queue: str
) -> None:
    project.run("deploy")
    describe(project, role="everything", **everything(queue, url=None, MemorySize=512))

    refused = project.terminal("deploy", "--prune")
    refused.expect_exact("- url  https://")
    refused.expect_exact("Remove all of this? [y/N] ")
    refused.sendline("")
    project.finish(refused, code=1)
    assert len(urls(aws)) == 1
    assert aws.functions().get_function(FunctionName="hello")["Configuration"]["MemorySize"] == 256

    agreed = project.terminal("deploy", "--prune", "--yes")
    assert "[y/N]" not in project.finish(agreed)
    assert urls(aws) == []
    assert statements(aws) == {"bucket"}


@pytest.mark.parametrize(("before", "after"), [(None, "live"), ("live", "prod"), ("live", None)])
def test_what_is_attached_moves_with_the_alias(
    project: Project, aws: EmbeddedAws, queue: str, before: str | None, after: str | None
) -> None:
    describe(project, role="everything", **everything(queue, alias=before))
    project.run("deploy")
    (old_url,) = urls(aws)
    (mapping,) = aws.functions().list_event_source_mappings()["EventSourceMappings"]
    describe(project, role="everything", **everything(queue, alias=after))

    planned = project.run("plan").err
    project.run("deploy")

    where = f"alias {before}" if before else "$LATEST"
    assert f"~ url of {where}  {old_url} -> a new address" in planned
    assert f"- permissions.bucket of {where}  " in planned
    name = f"hello:{after}" if after else "hello"
    (moved,) = aws.functions().list_event_source_mappings()["EventSourceMappings"]
    assert moved["UUID"] == mapping["UUID"]  # its position in the stream is kept
    assert moved["FunctionArn"].endswith(f":{name}")
    qualifier: Any = {"Qualifier": after} if after else {}
    url = aws.functions().get_function_url_config(FunctionName="hello", **qualifier)
    assert urls(aws) == [url["FunctionUrl"]] != [old_url]
    (retries,) = aws.functions().list_function_event_invoke_configs(FunctionName="hello")[
        "FunctionEventInvokeConfigs"
    ]
    assert retries["FunctionArn"].removesuffix(":$LATEST").endswith(f":{name}")
    assert statements(aws, after) == statements(aws, None) == {*PUBLIC, "bucket"}
    again = project.run("plan", "--exit-code").err.splitlines()
    mentioned = f"not in the settings: alias {before} (removed by --prune)"
    assert "unchanged" in again[-2 if before else -1]
    assert (mentioned in again[-1]) == bool(before)


@pytest.fixture
def beta(project: Project, aws: EmbeddedAws) -> str:
    """An alias that somebody has made by hand, next to `live`, and its URL."""
    describe(project, role="everything", alias="live")
    project.run("deploy")
    client = aws.functions()
    client.create_alias(FunctionName="hello", Name="beta", FunctionVersion="1")
    client.add_permission(
        FunctionName="hello",
        Qualifier="beta",
        StatementId="beta",
        Action="lambda:InvokeFunction",
        Principal="sns.amazonaws.com",
    )
    return str(
        client.create_function_url_config(
            FunctionName="hello", Qualifier="beta", AuthType="AWS_IAM"
        )["FunctionUrl"]
    )


def test_nothing_moves_to_an_alias_that_was_there_before_from_another(
    project: Project, aws: EmbeddedAws, beta: str
) -> None:
    describe(project, role="everything", alias="live", url={"AuthType": "AWS_IAM"})

    planned = project.run("plan").err
    project.run("deploy")

    assert "a new address" not in planned
    assert "url of alias beta" in planned.splitlines()[-1]  # which only `--prune` removes
    assert len(urls(aws)) == 2
    assert beta in urls(aws)


def test_a_new_alias_gets_only_what_one_other_has(
    project: Project, aws: EmbeddedAws, beta: str
) -> None:
    describe(project, role="everything", alias="live", url={"AuthType": "AWS_IAM"})
    project.run("deploy")
    describe(project, role="everything", alias="prod", url={"AuthType": "AWS_IAM"})

    project.run("deploy")  # either of the two may be the old one

    assert len(urls(aws)) == 3


def test_a_url_moves_although_an_answer_is_lost(
    project: Project, aws: EmbeddedAws, queue: str, proxy: Proxy
) -> None:
    describe(project, role="everything", **everything(queue, alias=None))
    project.run("deploy")
    (old_url,) = urls(aws)
    describe(project, role="everything", **everything(queue))

    def lose(handler: Handler) -> bool:
        handler.forwarded()
        handler.reset()
        return True

    proxy.rules.append(Rule("POST .*/url", lose))
    project.run("deploy")

    assert proxy.rules[0].times == 0
    (url,) = urls(aws)
    assert url != old_url


def test_what_another_target_has_on_its_alias_stays_there(
    project: Project, aws: EmbeddedAws, queue: str
) -> None:
    url = {"AuthType": "AWS_IAM"}
    beta = {"alias": "beta", "url": url, "permissions": None, "events": "none"}
    settings = {
        "functions": {"hello": {**HELLO, **everything(queue, url=url)}},
        "targets": {"beta": {"functions": {"hello": beta}}},
    }
    describe(project, role="everything", aws=settings)

    project.run("deploy")
    project.run("deploy", "--target", "beta", "--prune")

    assert len(urls(aws)) == 2
    assert len(aws.functions().list_event_source_mappings()["EventSourceMappings"]) == 1
    assert "live" in {
        each["Name"] for each in aws.functions().list_aliases(FunctionName="hello")["Aliases"]
    }


def test_a_url_that_is_not_public_any_more_loses_its_permissions(
    project: Project, aws: EmbeddedAws, queue: str
) -> None:
    project.run("deploy")
    url = aws.functions().get_function_url_config(FunctionName="hello", Qualifier="live")
    assert url["AuthType"] == "NONE"
    describe(project, role="everything", **everything(queue, url={"AuthType": "AWS_IAM"}))

    project.run("deploy")

    assert statements(aws) == {"bucket"}
    assert "unchanged" in project.run("plan", "--exit-code").err


def test_what_is_wrong_around_it_is_told_before_any_call(
    project: Project, aws: EmbeddedAws, queue: str
) -> None:
    wrong = {
        "MemorySize": 1,
        "ReservedConcurrentExecutions": -1,
        "events": [{"BatchSize": 0}],
        "permissions": [{"Action": "x"}],
        "url": {"AuthTyp": "NONE"},
    }
    describe(project, role="everything", **everything(queue, **wrong))

    err = project.run("deploy", code=1).err

    assert err.startswith("The settings have 9 mistakes:")
    for text in (
        "`aws.functions.hello.MemorySize` must be between 128 and",
        "`aws.functions.hello.ReservedConcurrentExecutions` must be at least 0, got -1.",
        "`aws.functions.hello.events[0].BatchSize` must be between 1 and",
        "`aws.functions.hello.events[0]` must contain EventSourceArn or SelfManagedEventSource.",
        "`aws.functions.hello.permissions[0].StatementId` is missing.",
        "`aws.functions.hello.permissions[0].Principal` is missing.",
        "`aws.functions.hello.url.AuthTyp` is not a parameter of the Lambda API. Did you mean",
        "`aws.functions.hello.url.AuthType` is missing.",
    ):
        assert text in err
    assert "assume" not in err


def test_everything_about_a_function_is_read_at_once(
    project: Project, aws: EmbeddedAws, queue: str, proxy: Proxy
) -> None:
    project.run("deploy")
    proxy.requests.clear()
    proxy.busiest, proxy.together = 0, 8

    assert "unchanged" in project.run("deploy").err
    assert len(proxy.requests) == 8
    assert proxy.busiest == 8

    proxy.requests.clear()
    proxy.together = 1
    assert "unchanged" in project.run("plan", "--exit-code").err
    # What no setting names: five more, the aliases, and after them what $LATEST has.
    assert len(proxy.requests) == 8 + 6 + 4


def test_of_many_functions_no_call_is_wasted_on_those_that_do_not_exist(
    project: Project, queue: str, proxy: Proxy
) -> None:
    names = [f"f{number}" for number in range(5)]
    functions = {key: {**HELLO, **everything(queue)} for key in names}
    describe(project, role="everything", aws={"functions": functions})

    project.run("plan")

    calls = [f"GET /2015-03-31/functions/{name}" for name in names]
    assert sorted(proxy.lambda_requests()) == calls


@pytest.fixture
def stubbed() -> Iterator[tuple[Account, Stubber]]:
    account = account_in("123456789012", "eu-west-1")
    with Stubber(account.client("lambda")) as stubber:
        yield account, stubber
        stubber.assert_no_pending_responses()


def test_an_update_that_does_not_end_is_an_error_with_its_state(
    stubbed: tuple[Account, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    account, stubber = stubbed
    now = iter([0.0, 601.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    in_progress = {"Configuration": {"State": "Active", "LastUpdateStatus": "InProgress"}}
    stubber.add_response("get_function", in_progress, {"FunctionName": "hello"})

    with pytest.raises(FunctionError) as raised:
        wait_until_settled("hello", account)

    assert str(raised.value).startswith(
        "Lambda is still updating hello after 10 min.\n  why: LastUpdateStatus is InProgress.\n"
    )


def test_variables_that_cannot_be_read_are_a_warning(
    stubbed: tuple[Account, Stubber], capsys: pytest.CaptureFixture[str]
) -> None:
    account, stubber = stubbed
    error = {"ErrorCode": "AccessDeniedException", "Message": "KMS says no."}
    answer = {"Configuration": {"State": "Active", "Environment": {"Error": error}}}
    stubber.add_response("get_function", answer, {"FunctionName": "hello"})
    function = Function(name="hello", key="aws.functions.hello", parameters={})

    remote = read_remote_function(split_parameters(function), account, ahead=True)

    assert remote
    assert remote.configuration["Environment"] == {"Variables": {}}
    said = capsys.readouterr().err
    assert said == (
        "warning   The environment of hello cannot be read and will be set again: KMS says no.\n"
    )
