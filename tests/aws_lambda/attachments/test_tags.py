"""The tags are those of the settings, and AWS's own."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
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


def test_tags_that_the_answer_lacks_are_asked_for(stubbed: tuple[Account, Stubber]) -> None:
    account, stubber = stubbed
    answer = {"Configuration": {"FunctionArn": ARN}}  # as without lambda:ListTags
    stubber.add_client_error(
        "list_tags", "AccessDeniedException", expected_params={"Resource": ARN}
    )

    with pytest.raises(ClientError, match="AccessDenied"):
        diff(tags, parameters(Tags={"Team": "one"}), account, answer)

    assert diff(tags, parameters(), account, answer) == []


def test_tags_that_cannot_be_read_are_set(stubbed: tuple[Account, Stubber]) -> None:
    answer = {"Configuration": {"FunctionArn": ARN}, "TagsError": {"Message": "No."}}

    updates = diff(tags, parameters(Tags={"Team": "one"}), stubbed[0], answer)

    assert calls(updates) == ["tag_resource"]
    assert updates[0].after_alias is False
