"""A mistake behind `assume` is found before `assume` does anything."""

from __future__ import annotations

import sys

import pytest

from tests.strict_sts import Role, StrictSts
from tests.support import TASKS, Project

RUNNING = f"python{sys.version_info.major}.{sys.version_info.minor}"
OWN = """
@task
def add(c):
    c.config.aws.functions["late"] = dict(c.config.aws.functions["hello"])

@task
def write(c): c.run("echo {} > written.json")

@task
def deploys(c, shard="", function=""): print("mine", shard, function)
"""


@pytest.fixture
def configured(project: Project, role: Role) -> Project:
    (project.folder / "app.py").write_text("def handler(event, context): return 1\n")
    project.settings(
        **{"profile": "dev", "role_arn": role.arn},
        function_defaults={
            **{"source": ".", "Handler": "app.handler", "Runtime": RUNNING, "Role": role.arn}
        },
        functions={"hello": {}},
        targets={"prod": {}},
    )
    return project


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("deploy --shard 0/4", "`--shard` must be a shard such as 1/4"),
        ("noop deploy --parallel many", "`--parallel` must be"),
        ("logs --since soon", "`--since` must be"),
        ("whoami rollback --to newest", "`--to` must be"),
        ("prune --keep none", "`--keep` must be"),
        ("deploy invoke --payload {", "`--payload` is not JSON."),
        ("invoke --client-context {", "`--client-context` is not JSON."),
        ("invoke --client-context []", "`--client-context` must be a JSON object."),
        ("deploy --function helo", "There is no function `helo` under `aws.functions`."),
        ("deploy --function hello --function x", "There is no function `x`"),
        ("clean deploy --target prdo", "Did you mean `prod`?"),
        ("policy --target dev", "There is no target `dev` under `aws.targets`."),
        ("assume --duration soon", "`--duration` must be"),
        ("assume --for soon", "`--for` must be"),
        ("assume --role-arn x", "`--role-arn` must be"),
        ("assume --session-name a/b", "`--session-name` must be"),
        ("assume --end --fresh", "`--end` cannot be combined"),
        ("deploy --show-values", "`--show-values` needs `--dry-run` or `--json`"),
        ("deploy --watch --json", "`--watch` and `--json` cannot be combined"),
        ("deploy destroy", "`destroy` asks before it deletes, and there is no terminal."),
        ("deploy invoke --async --stream", "`--async` and `--stream` cannot be combined."),
        ("env --format bahs", "`--format` must be one of"),
        ("env --format github", "`--format github` needs the variable GITHUB_ENV"),
        ("init --name x --download", "`--name` and `--download` cannot be combined."),
        ("invoke --here --qualifier 3", "`--here` and `--qualifier` cannot be combined."),
        ("policy --format yml", "`--format` does not know 'yml'."),
        ("policy --task deplyo", "`--task` names 'deplyo'"),
        ("policy --trust everybody", "`--trust` does not know 'everybody'."),
        ("policy --explain --trust people", "cannot be combined."),
        ("settings --check --json", "`--check` and `--json` cannot be combined."),
    ],
)
def test_nobody_is_asked_for_credentials_before_a_mistake(
    configured: Project, sts: StrictSts, words: str, says: str
) -> None:
    configured.tasks(TASKS + OWN)

    refused = configured.run("assume", *words.split(), code=1)

    assert says in refused.err
    assert (refused.out, sts.calls) == ("", [])


def test_nobody_is_asked_for_credentials_that_a_terminal_would_show(
    configured: Project, sts: StrictSts
) -> None:
    terminal = configured.terminal("assume", "env")

    assert "does not print secrets to a terminal" in configured.finish(terminal, code=1)
    assert sts.calls == []


@pytest.mark.parametrize(
    "words",
    [
        "assume --target prod package --function hello --shard 1/2",
        "clean add package --function late",  # of a task of the user's, which adds it
        "clean write package invoke --here --payload @written.json",
        "assume deploys --shard 0/4 --function other",  # that task is not ours
    ],
)
def test_what_may_be_right_when_its_turn_comes_is_left_to_it(
    configured: Project, words: str
) -> None:
    configured.tasks(TASKS + OWN)

    configured.run(*words.split())


def test_the_message_names_key_and_file_as_they_are_written(project: Project) -> None:
    (project.folder / "invoke.json").write_text('{"aws": "mine", "tasks_aws": {"region": "x"}}')

    refused = project.run("assume", "status", "--target", "prod", code=1)

    assert "There is no target `prod` under `tasks_aws.targets`." in refused.err
    assert "Add it to invoke.json." in refused.err


def test_settings_may_be_in_a_collection(configured: Project, sts: StrictSts) -> None:
    configured.tasks(
        "from invoke import Collection\nimport tasks_aws\n"
        "ns = Collection()\nns.add_collection(tasks_aws, 'cloud')\n"
        "ns.configure({'aws': {'functions': {'hidden': {}}}})\n"
    )

    configured.run("cloud.package", "--function", "hidden")
    refused = configured.run("cloud.assume", "cloud.deploy", "--function", "hiden", code=1)

    assert "Did you mean `hidden`?" in refused.err
    assert sts.calls == []
