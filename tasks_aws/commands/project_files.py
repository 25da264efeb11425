"""The files of a new project: a function, its test and its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..auth.partitions import partition_of
from ..aws_lambda.schema import make_schema
from ..ui.yaml_format import format_with_comments

SOURCE = "src"
SCHEMA = ".aws-schema.json"
TEST = "test_functions.py"
PYTEST = "pytest.ini"
IGNORE = ".gitignore"

_EXAMPLE_ACCOUNT = "123456789012"

_PYTHON = {
    "app.py": '''\
"""A Lambda function."""

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, str]:
    """Greet the name in the event."""
    return {"greeting": f"Hello, {event.get('name', 'world')}!"}
''',
    "requirements.txt": """\
# What the function needs on Lambda, such as humanize==4.14.0. The runtime has boto3.
""",
}
_NODE = {
    "index.mjs": """\
/** Greet the name in the event. */
export const handler = async (event) => ({ greeting: `Hello, ${event.name ?? "world"}!` });
""",
    "package.json": """\
{
  "private": true,
  "type": "module"
}
""",
}

_TEST = '''\
"""Tests on an AWS of their own: run `pytest` in this folder."""

import json

import pytest
from invoke.context import Context
from tasks_aws import deploy, invoke

pytest_plugins = ["tasks_aws.testing"]


@pytest.mark.usefixtures("aws_local")
def test_the_function_greets(
    aws_context: Context, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(aws_context)

    invoke(aws_context, payload='{"name": "Ada"}')

    assert json.loads(capsys.readouterr().out) == {"greeting": "Hello, Ada!"}
'''
_PYTEST = """\
# Makes this folder pytest's rootdir, where the tests find the settings.
[pytest]
"""
_IGNORE = """\
.pytest_cache/
.tasks_aws/
.venv/
__pycache__/
node_modules/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProject:
    """What is chosen for a new project, and what its profile says."""

    runtime: str
    name: str  # of the function
    region: str
    profile: str | None  # None: AWS's default credential chain
    account_id: str | None  # None: unknown

    @property
    def handler_file(self) -> str:
        """Return the path of the function's code."""
        return f"{SOURCE}/{next(iter(self._sources))}"

    @property
    def _sources(self) -> Mapping[str, str]:
        return _PYTHON if self.runtime.startswith("python") else _NODE

    def files(self, settings: str) -> dict[str, str]:
        """Return the texts of all files by path; `settings` is the path of the settings."""
        return {
            **{f"{SOURCE}/{name}": text for name, text in self._sources.items()},
            settings: self._settings(),
            SCHEMA: json.dumps(make_schema(), indent=1, ensure_ascii=False) + "\n",
            TEST: _TEST,
            PYTEST: _PYTEST,
            IGNORE: _IGNORE,
        }

    def _settings(self) -> str:
        """Return the settings, with comments for what a newcomer has to know of them."""
        partition = partition_of(self.region)
        role = f"arn:{partition}:iam::${{account_id}}:role/{self.name}"
        function = {
            "source": SOURCE,
            "Handler": f"{self.handler_file.removeprefix(f'{SOURCE}/').partition('.')[0]}.handler",
            "Runtime": self.runtime,
            "Role": role,
            "alias": "live",
        }
        aws: dict[str, Any] = {
            **({"profile": self.profile} if self.profile else {}),
            **({"account_id": self.account_id} if self.account_id else {}),
            "region": self.region,
            "functions": {self.name: function},
        }
        account = self.account_id or _EXAMPLE_ACCOUNT
        deployer = f"role_arn: arn:{partition}:iam::{account}:role/Deployer"
        guard = "" if self.account_id else f'account_id: "{account}", the only one allowed, and '
        comments = {
            "aws:": f"yaml-language-server: $schema={SCHEMA}",
            f"region: {self.region}": f"To deploy to your account, add {guard}"
            f"{deployer}, if there is a role to assume.",
            f"Role: {role}": "What the function runs with, in the account of the credentials.",
            "alias: live": "What callers use: deploy moves it to the new version, rollback back.",
        }
        return format_with_comments({"aws": aws}, comments)
