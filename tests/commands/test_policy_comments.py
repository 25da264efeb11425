"""Each purpose of a statement has a comment of its own."""

from __future__ import annotations

import re
from pathlib import Path

import tasks_aws.aws_lambda
from tasks_aws.commands.policy_comments import PURPOSES

FOLDER = Path(tasks_aws.aws_lambda.__file__).parent


def test_each_purpose_beside_a_call_has_a_comment() -> None:
    texts = [path.read_text() for path in FOLDER.rglob("*.py")]
    found = {name for text in texts for name in re.findall(r'[Ss]cope\("([A-Za-z]+)"', text)}

    assert found == {*PURPOSES}
