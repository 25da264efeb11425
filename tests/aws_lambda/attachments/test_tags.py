"""The tags are those of the settings, and AWS's own."""

from __future__ import annotations

from botocore.stub import Stubber

from tasks_aws.aws_lambda.attachments import tags
from tasks_aws.aws_lambda.clients import Account
from tests.aws_lambda.attachments.conftest import Deployed, calls, diff, keys, parameters

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:hello"


def found(deployed: Deployed) -> dict[str, str]:
    answer: dict[str, str] = deployed.client.get_function(FunctionName=deployed.name)["Tags"]
    return answer


def test_tags_are_added_changed_and_removed(deployed: Deployed) -> None:
    added = deployed.deploy(tags, Tags={"Team": "one", "Stage": "test", "Marker": ""})
    assert added == ["Tags.Team", "Tags.Stage", "Tags.Marker"]

    changed = deployed.deploy(tags, Tags={"Team": "two", "Marker": ""})

    assert changed == ["Tags.Team", "Tags.Stage"]
    assert found(deployed) == {"Team": "two", "Marker": ""}


def test_without_a_setting_tags_stay(deployed: Deployed) -> None:
    deployed.deploy(tags, Tags={"Team": "one"})

    assert deployed.deploy(tags) == []
    assert found(deployed) == {"Team": "one"}


def test_the_tags_of_aws_are_not_removed(stubbed: tuple[Account, Stubber]) -> None:
    answer = {
        "Configuration": {"FunctionArn": ARN},
        "Tags": {"aws:cloudformation:stack-name": "hello", "Old": "1"},
    }
    wanted = parameters(Tags={})

    updates = diff(tags, wanted, stubbed[0], answer, prune=True)

    assert keys(updates) == ["Tags.Old"]
    assert updates[0].calls[0].parameters == {"Resource": ARN, "TagKeys": ["Old"]}


def test_tags_that_may_not_be_read_are_set(stubbed: tuple[Account, Stubber]) -> None:
    wanted = parameters(Tags={"Team": "one"})
    answer = {"Configuration": {"FunctionArn": ARN}}  # without lambda:ListTags

    updates = diff(tags, wanted, stubbed[0], answer)

    assert calls(updates) == ["tag_resource"]
    assert updates[0].after_alias is False
