"""The aliases that a function has beside the one in the settings."""

from __future__ import annotations

from tasks_aws.aws_lambda.attachments import aliases
from tests.aws_lambda.attachments.conftest import Deployed, keys, parameters


def test_only_aliases_that_are_in_no_setting_are_removed(deployed: Deployed) -> None:
    for name in ("beta", "old"):
        deployed.client.create_alias(FunctionName=deployed.name, Name=name, FunctionVersion="1")
    (attachment,) = aliases.ATTACHMENTS
    wanted = parameters(alias="live", aliases_of_others=frozenset({"beta", None}))

    (update,) = attachment.diff(wanted, attachment.read(wanted, deployed.account, {}))

    assert update.changes[0].format_line() == "- alias old  version 1"
    assert update.unnamed
    removed = keys(deployed.plan(aliases, alias="none"))
    assert {*removed} == {"alias beta", "alias live", "alias old"}
