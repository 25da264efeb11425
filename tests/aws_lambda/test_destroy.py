"""`destroy` says what goes, has the name typed, and leaves nothing behind but the log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from botocore.stub import Stubber

from tasks_aws.aws_lambda.clients import Account
from tasks_aws.aws_lambda.destroy import DeletionPlan, EventSourceMappings, destroy
from tests.aws_lambda.conftest import Hello
from tests.aws_lambda.describe import account_in

UUID = "12345678-1234-1234-1234-123456789012"


def with_everything(hello: Hello) -> str:
    """Create the function with all that there may be around it; return the URL of its alias."""
    hello.create(versions=2)
    client, sqs = hello.aws.functions(), hello.aws.client("sqs")
    queue = sqs.create_queue(QueueName="jobs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    for name in ("hello", "hello:live"):
        client.create_event_source_mapping(
            FunctionName=name, EventSourceArn=arn["Attributes"]["QueueArn"]
        )
    client.add_permission(
        FunctionName="hello",
        StatementId="bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::uploads",
    )
    url = client.create_function_url_config(
        FunctionName="hello", Qualifier="live", AuthType="AWS_IAM"
    )
    return url["FunctionUrl"]


def test_all_that_goes_is_said_before_the_name_is_asked_for(hello: Hello) -> None:
    url = with_everything(hello)
    terminal = hello.project.terminal("destroy")

    terminal.expect_exact("Type hello to delete it: ")
    said = terminal.before
    assert hello.exists()
    terminal.sendline("hello")

    assert "its log stays in /aws/lambda/hello" in hello.project.finish(terminal)
    assert "account   000000000000, us-east-1, as arn:aws:sts::" in said
    for line in (
        "- versions 1, 2",
        "- alias  live",
        f"- URL  {url}",
        "- event source mapping  arn:aws:sqs:us-east-1:000000000000:jobs",
        "- permission for  s3.amazonaws.com  arn:aws:s3:::uploads",
    ):
        assert line in said
    assert not hello.exists()
    mappings = hello.aws.functions().list_event_source_mappings()["EventSourceMappings"]
    assert [each for each in mappings if each["State"] != "Deleting"] == []


def test_another_name_deletes_nothing(hello: Hello) -> None:
    hello.create()
    terminal = hello.project.terminal("destroy")
    terminal.expect_exact("Type hello to delete it: ")
    terminal.sendline("yes")

    assert "its name was not typed" in hello.project.finish(terminal, code=1)
    assert hello.exists()


def test_without_a_terminal_it_names_the_option_at_once(hello: Hello) -> None:
    hello.create()

    result = hello.project.run("destroy", code=1)

    assert result.err.startswith("`destroy` asks before it deletes")
    assert "--yes" in result.err
    assert hello.exists()


def test_nobody_is_asked_where_yes_is_said_and_twice_is_no_error(hello: Hello) -> None:
    hello.create()

    hello.project.run("destroy", "--yes")

    assert not hello.exists()
    assert "hello  does not exist" in hello.project.run("destroy", "--yes").err


def test_nothing_goes_under_dry(hello: Hello) -> None:
    hello.create(versions=1)

    result = hello.project.run("--dry", "destroy")

    assert "hello  would be deleted" in result.err
    assert hello.exists()


def test_nothing_goes_from_another_account(hello: Hello) -> None:
    hello.create()
    text = (hello.project.folder / "invoke.yaml").read_text()
    (hello.project.folder / "invoke.yaml").write_text(
        text.replace("account_id: '000000000000'", "account_id: '123456789012'")
    )

    assert "allows only 123456789012" in hello.project.run("destroy", "--yes", code=1).err
    assert hello.exists()


@pytest.fixture
def stubbed() -> Iterator[tuple[Account, Stubber]]:
    account = account_in("", "eu-west-1", key="x")
    with Stubber(account.client("lambda")) as stubber:
        yield account, stubber


def test_mappings_go_first_and_a_busy_one_is_waited_for(
    stubbed: tuple[Account, Stubber], monkeypatch: pytest.MonkeyPatch
) -> None:
    account, aws = stubbed
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    aws.add_client_error("delete_event_source_mapping", "ResourceInUseException")
    aws.add_response("delete_event_source_mapping", {}, {"UUID": UUID})
    aws.add_response("delete_function", {}, {"FunctionName": "hello"})

    plan = DeletionPlan(
        name="hello", versions=(), aliases=(), urls=(), mappings={UUID: "x"}, callers=()
    )
    destroy(plan, account)

    aws.assert_no_pending_responses()


def test_mappings_are_listed_once_for_all_functions_and_told_apart(
    stubbed: tuple[Account, Stubber],
) -> None:
    account, aws = stubbed
    arn = "arn:aws:lambda:eu-west-1:123456789012:function"
    listed = [
        {"UUID": f"{name:-<36}", "FunctionArn": f"{arn}:{name}", "State": state}
        for name, state in (
            *(("hello", "Enabled"), ("hello:live", "Disabled"), ("hello:old", "Deleting")),
            *(("hello2", "Enabled"), ("other:live", "Enabled")),
        )
    ]
    aws.add_response("list_event_source_mappings", {"EventSourceMappings": listed}, {})

    mappings = EventSourceMappings(account)

    assert [each.rstrip("-") for each in mappings.of(f"{arn}:hello")] == ["hello", "hello:live"]
    assert [each.rstrip("-") for each in mappings.of(f"{arn}:other")] == ["other:live"]
    assert [each.rstrip("-") for each in mappings.of(f"{arn}:none")] == []
