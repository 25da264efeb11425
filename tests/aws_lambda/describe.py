"""The project whose functions the tests deploy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import botocore.session

from tasks_aws.aws_lambda.clients import Account
from tasks_aws.config.settings import Settings
from tests.support import Project

ROLE = "arn:aws:iam::000000000000:role"
CODE = """
import os

def handler(event, context):
    return {"event": event, "stage": os.environ.get("STAGE")}
"""
HELLO = {
    "source": "src",
    "Handler": "app.handler",
    "Runtime": "python3.13",
    "Role": f"{ROLE}/hello",
    "MemorySize": 256,
    "Environment": {"Variables": {"STAGE": "test"}},
}


def account_in(
    account_id: str,
    region: str,
    *,
    key: str = "test",
    settings: Settings | None = None,
    **options: Any,
) -> Account:
    """Return a place that is seen with a key; MiniStack takes `test` for root's."""
    session = botocore.session.Session()
    session.set_credentials(key, key)
    return Account(
        settings or Settings(project=Path()),
        account_id=account_id,
        region=region,
        make_session=lambda: session,
        **options,
    )


def write_source(project: Project, text: str = CODE, folder: str = "src") -> None:
    """Write the code of a function."""
    (project.folder / folder).mkdir(exist_ok=True)
    (project.folder / folder / "app.py").write_text(text)


def describe(
    project: Project, *, role: str = "deployer", aws: dict[str, Any] | None = None, **changes: Any
) -> None:
    """Write invoke.yaml with the function `hello`, deployed with a role of the embedded AWS."""
    project.settings(
        **{
            "profile": "developer",
            "role_arn": f"{ROLE}/{role}",
            "account_id": "000000000000",
            "functions": {"hello": {**HELLO, **changes}},
            **(aws or {}),
        }
    )
