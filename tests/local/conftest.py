"""A project that is rehearsed: its settings name accounts and roles that nobody has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import TASKS, Project

ACCOUNT = "123456789012"
DEPLOYER = f"arn:aws:iam::{ACCOUNT}:role/ci/Deployer"
FUNCTION: dict[str, Any] = {
    "source": "src",
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Role": "arn:aws:iam::${account_id}:role/hello",
}
SETTINGS: dict[str, Any] = {
    "profile": "dev",
    "role_arn": DEPLOYER,
    "account_id": ACCOUNT,
    "region": "eu-central-1",
}


@pytest.fixture
def rehearsed(project: Project) -> Iterator[Project]:
    """A project with a function; what it keeps ends with the test."""
    (project.folder / "src").mkdir()
    (project.folder / "src" / "app.py").write_text(
        "import os\n\ndef handler(event, context):\n    print('called')\n"
        "    return {'stage': os.environ.get('STAGE'), 'token': os.environ.get('TOKEN')}\n"
    )
    project.tasks(f"{TASKS}\nfrom tasks_aws.local import local\n")
    project.settings(**SETTINGS, functions={"hello": FUNCTION})
    yield project
    if (project.folder / ".tasks_aws" / "local").exists():
        project.run("local", "--reset")
