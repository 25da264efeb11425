"""A key that is twice in a file is refused: YAML would drop the first one in silence."""

from __future__ import annotations

import re

import pytest

from tests.support import Project

GUARDED = """\
aws:
  account_id: "123456789012"
  region: eu-central-1
"""


@pytest.mark.parametrize(
    ("text", "key", "lines"),
    [
        (f"{GUARDED}aws:\n  functions: {{}}\n", "aws", "1 and 4"),
        (f'{GUARDED}"aws":\n  functions: {{}}\n', "aws", "1 and 4"),
        (f"{GUARDED}  account_id: none\n", "aws.account_id", "2 and 4"),
        (
            f"{GUARDED}  functions:\n    a: {{Timeout: 3}}\n    b: {{}}\n    a: {{}}\n",
            "aws.functions.a",
            "5 and 7",
        ),
        (
            f"{GUARDED}  functions:\n    a: {{Timeout: 3, MemorySize: 128, Timeout: 9}}\n",
            "aws.functions.a.Timeout",
            "5 and 5",
        ),
        (
            f"{GUARDED}  functions:\n    a:\n      events:\n      - BatchSize: 1\n"
            "        Enabled: no\n        BatchSize: 2\n",
            "aws.functions.a.events[0].BatchSize",
            "7 and 9",
        ),
        (
            f"{GUARDED}  tags:\n    team:a: x\n    team:a: y\n",
            "aws.tags.team:a",
            "5 and 6",
        ),
    ],
)
def test_a_key_that_is_twice_is_refused(project: Project, text: str, key: str, lines: str) -> None:
    (project.folder / "invoke.yaml").write_text(text)

    refused = project.run("settings", code=1)

    assert f"`{key}` is twice in {project.folder / 'invoke.yaml'}, in lines {lines}." in refused.err
    assert "Merge them into one." in refused.err


@pytest.mark.parametrize(
    "text",
    [
        'aws: {region: "a",\n  region: "b"}\n',
        "aws:\n  ? region\n  : a\n  ? region\n  : b\n",
        'aws:\n  region: a\n  "re\\u0067ion": b\n',
        "aws:\n  region: a\n  &key region: b\n",
        "aws:\n  region: a\n  !!str region: b\n",
        "aws: {region: a, ? region : b}\n",
    ],
)
def test_so_is_one_in_a_rarer_style_of_yaml(project: Project, text: str) -> None:
    (project.folder / "invoke.yaml").write_text(text)

    assert "`aws.region` is twice" in project.run("settings", code=1).err


@pytest.mark.parametrize(
    "text",
    [
        '{"aws": {"region": "a", "region": "b"}}',
        '{\n"aws":{"region":"a","region":"b"}\n}',
        '{\n"aws":{"region":"a"},\n"aws":{"region":"b"},\n"run":{}}',
    ],
)
def test_a_key_that_is_twice_in_json_is_refused(project: Project, text: str) -> None:
    (project.folder / "invoke.yaml").unlink(missing_ok=True)
    (project.folder / "invoke.json").write_text(text)

    assert re.search(r"`aws(\.region)?` is twice", project.run("settings", code=1).err)


def test_what_only_looks_alike_is_accepted(project: Project) -> None:
    (project.folder / "invoke.yaml").write_text(
        """\
web: {port: 1, port: 2}  # not ours
same: &same
  Runtime: python3.13
  Handler: app.handler
aws:
  region: eu-central-1
  functions:
    a:
      <<: *same
      source: src
      Description: |
        source: one
        source: two
      events:
      - EventSourceArn: arn:aws:sqs:eu-central-1:123456789012:one
        BatchSize: 1
      - EventSourceArn: arn:aws:sqs:eu-central-1:123456789012:two
        BatchSize: 1
    b: {<<: *same, source: src, Environment: {Variables: {source: a, region: b}}}
"""
    )

    assert "eu-central-1" in project.run("settings").out
