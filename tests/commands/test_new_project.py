"""`init` where there is nothing yet: a project that deploys, and whose test passes, at once."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cfnlint.api import lint

from tests.documents import ROOT, blocks, text
from tests.support import Project

TASKS = "from tasks_aws import *\nfrom tasks_aws.local import local\n"
SETTINGS = ("invoke.yaml", "invoke.yml", "invoke.json")


@pytest.fixture
def empty(project: Project) -> Iterator[Project]:
    """A folder with a tasks.py that does nothing but import; what it keeps ends with the test."""
    project.tasks(TASKS)
    (project.folder / "child.py").unlink()
    yield project
    if (project.folder / ".tasks_aws" / "local").exists():
        project.run("local", "--reset")


def files(project: Project) -> dict[str, str]:
    """Return the texts of a project's files, but for build output and the schema's."""
    return {
        name: path.read_text()
        for path in sorted(project.folder.rglob("*"))
        if path.is_file() and not (name := str(path.relative_to(project.folder))).startswith(".t")
    }


def commands(told: str) -> list[list[str]]:
    """Return the words of the commands that were told to go on with."""
    return [
        line.split("  ")[0].split()
        for line in re.findall(r"^next +invoke (.*)", told, re.MULTILINE)
    ]


def written(project: Project) -> dict[str, Any]:
    """Return the key `aws` of the settings."""
    found: dict[str, Any] = yaml.safe_load((project.folder / "invoke.yaml").read_text())["aws"]
    return found


def own_tests(project: Project) -> str:
    """Run a project's own tests, and return what pytest prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"],
        cwd=project.folder,
        env=project.environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return ran.stdout + ran.stderr


def tour(project: Project, told: str) -> None:
    """Deploy, invoke, change and roll back a new function with the commands that were told."""
    rehearse, keep, go_back, *_ = commands(told)
    hello = '{"greeting": "Hello, world!"}\n'
    code = project.folder / "src" / "app.py"

    assert project.run(*rehearse).out == hello
    assert project.run(*keep).out == hello
    code.write_text(code.read_text().replace("Hello", "Hello again"))
    changed = project.run(*keep)
    assert "Hello again" in changed.out
    assert "alias live, version 2" in changed.err
    back = project.run(*go_back)
    assert "live: 2 -> 1" in back.err
    assert back.out == hello


def test_an_empty_folder_becomes_a_function_that_is_deployed_changed_and_rolled_back(
    empty: Project, record_property: Callable[[str, object], None]
) -> None:
    started = time.monotonic()

    told = empty.run("init").err
    tour(empty, told)

    seconds = time.monotonic() - started
    record_property("figures", f"from an empty folder to a rollback: {seconds:.1f} s")


def test_on_a_terminal_it_asks_and_the_rest_is_the_same(
    empty: Project, record_property: Callable[[str, object], None]
) -> None:
    started = time.monotonic()

    terminal = empty.terminal("init")
    for question in ("Runtime [python", "Name of the function [project]: ", "Region [us-east-1]: "):
        terminal.expect_exact(question)
        terminal.sendline("")
    tour(empty, empty.finish(terminal))

    seconds = time.monotonic() - started
    record_property("figures", f"from an empty folder to a rollback, asked: {seconds:.1f} s")


def edit(project: Project, name: str, new: str, old: str) -> None:
    """Write something in a file in place of something else, which has to be there."""
    file = project.folder / name
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_the_tutorial(project: Project) -> None:
    tutorial = text(ROOT / "docs" / "tutorial.md")
    console = "".join(blocks("console", tutorial))
    write = next(line for line in console.splitlines() if line.startswith("$ printf "))
    subprocess.run(write.removeprefix("$ "), shell=True, cwd=project.folder, check=True)
    init, *commands = re.findall(r"^\$ invoke (.*)$", console, re.MULTILINE)

    edits = re.findall(r"In\s`(\S+)`, write `(.+?)` in place of `(.+?)`", tutorial)

    project.run(init)
    rehearsed, kept = (project.run(*words.split()) for words in commands[:2])
    edit(project, *edits[0])
    changed = project.run(*commands[1].split())
    back, _, planned, looked = (project.run(*words.split()) for words in commands[2:])

    for each in edits[1:]:
        edit(project, *each)

    assert "1 passed" in own_tests(project)
    assert [rehearsed.out] == [kept.out] == [back.out] == blocks("json", tutorial)
    assert changed.out == rehearsed.out.replace("Hello", "Good morning")
    assert "plan      project  create" in planned.err
    assert "live" in looked.out


def test_a_new_project_has_no_mistakes_and_passes_its_own_test(empty: Project) -> None:
    _, _, _, policy, deploy = commands(empty.run("init").err)

    assert "no mistakes in 1 function" in empty.run("settings", "--check").err
    assert "1 passed" in own_tests(empty)
    for words in (["format", "--check"], ["check", "--select", "E,F,I,W"]):
        ruff = [sys.executable, "-m", "ruff", *words, "--isolated", "src", "test_functions.py"]
        subprocess.run(ruff, cwd=empty.folder, check=True)
    assert "Set `aws.account_id`" in empty.run(*policy, code=1).err
    assert deploy == ["assume", "deploy"]


def test_a_wrong_answer_is_asked_for_again(empty: Project) -> None:
    empty.profile("dev", sso_account_id="123456789012", sso_role_name="Dev", region="eu-west-1")
    empty.profile("prod", region="eu-west-3")
    terminal = empty.terminal("init")
    for question, wrong, says, right in (
        ("Runtime [python", "python3.31", "Did you mean `python3.1", "python3.13"),
        ("Name of the function [project]: ", "a b", "is not a valid name.", "hello"),
        ("Profile: dev, prod, or none [none]: ", "dve", "Did you mean `dev`?", "dev"),
        ("Region [eu-west-1]: ", "eu-wset-1", "Did you mean `eu-west-1`?", ""),
    ):
        terminal.expect_exact(question)
        terminal.sendline(wrong)
        terminal.expect_exact(says)
        terminal.expect_exact(question)
        terminal.sendline(right)
    told = empty.finish(terminal)

    assert "hello, python3.13, eu-west-1, dev  wrote src/app.py, src/requirements.txt, " in told
    settings = written(empty)
    assert {key: settings[key] for key in ("profile", "account_id", "region")} == {
        "profile": "dev",
        "account_id": "123456789012",
        "region": "eu-west-1",
    }
    assert settings["functions"]["hello"]["Role"] == "arn:aws:iam::${account_id}:role/hello"
    rehearsed = empty.run("local", "assume", "deploy", "invoke")
    assert rehearsed.out == '{"greeting": "Hello, world!"}\n'
    policy = commands(told)[3]
    assert policy == ["policy", "--trust", "sso:Dev", "--format", "cloudformation"]
    assert [str(each) for each in lint(empty.run(*policy).out)] == []


@pytest.mark.parametrize(
    ("folder", "name"), [("ünï", "hello"), ("café orders", "hello"), ("my  app!", "my-app")]
)
def test_the_default_name_is_that_of_the_folder_or_else_hello(
    empty: Project, folder: str, name: str
) -> None:
    empty.folder = empty.folder.rename(empty.folder.with_name(folder))

    empty.run("init")

    assert [*written(empty)["functions"]] == [name]


@pytest.mark.parametrize("runtime", ["python3.12", "nodejs22.x"])
def test_options_take_the_place_of_answers(empty: Project, runtime: str) -> None:
    if runtime.startswith("nodejs") and not shutil.which("node"):
        pytest.skip("Node.js is not installed")
    empty.profile("on", region="eu-west-3")
    words = ("--runtime", runtime, "--name", "yes", "--region", "cn-north-1")

    told = empty.finish(empty.terminal("init", *words, "--profile", "on"))

    assert f"yes, {runtime}, cn-north-1, on  wrote " in told
    settings = written(empty)
    assert settings["profile"] == "on"
    assert settings["functions"]["yes"]["Role"] == "arn:aws-cn:iam::${account_id}:role/yes"
    assert "no mistakes" in empty.run("settings", "--check").err
    rehearsed = empty.run("local", "assume", "deploy", "invoke")
    assert json.loads(rehearsed.out) == {"greeting": "Hello, world!"}
    assert "1 passed" in own_tests(empty)


def test_the_schema_that_the_settings_name_is_beside_them(empty: Project) -> None:
    empty.run("init")

    first, *_ = (empty.folder / "invoke.yaml").read_text().splitlines()
    assert first == "# yaml-language-server: $schema=.aws-schema.json"
    schema = empty.run("settings", "--schema").out
    assert (empty.folder / ".aws-schema.json").read_text() == schema


@pytest.mark.parametrize(
    "there",
    [
        *([name] for name in SETTINGS),
        ["src/other.py"],
        ["invoke.yml", ".aws-schema.json", "test_functions.py", "src/app.py"],
    ],
    ids=lambda names: names[-1],
)
def test_nothing_is_written_where_anything_is_in_the_way(empty: Project, there: list[str]) -> None:
    for name in there:
        (empty.folder / name).parent.mkdir(exist_ok=True)
        (empty.folder / name).write_text("{}" if name.endswith(".json") else "")
    before = files(empty)

    message = empty.run("init", code=1).err

    assert [name for name in there if name not in message] == []
    assert "--function" in message
    assert files(empty) == before


def test_settings_in_python_are_in_the_way(empty: Project) -> None:
    (empty.folder / "invoke.py").touch()

    # `python -m invoke` would run that file.
    terminal = empty.terminal_running([str(Path(sys.executable).with_name("invoke")), "init"])

    assert "invoke.py exists already." in empty.finish(terminal, code=1)
    assert [*files(empty)] == ["invoke.py", "tasks.py"]


def test_a_link_that_leads_elsewhere_is_in_the_way(empty: Project, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (empty.folder / "src").symlink_to(tmp_path / "theirs")
    (empty.folder / "test_functions.py").symlink_to("nowhere")

    message = empty.run("init", code=1).err

    assert "test_functions.py, src exist already." in message
    assert list((tmp_path / "theirs").iterdir()) == []


def test_settings_of_git_and_pytest_stay(empty: Project) -> None:
    own = {".gitignore": "*.log\n", "pyproject.toml": "[tool.pytest.ini_options]\n"}
    for name, content in own.items():
        (empty.folder / name).write_text(content)

    told = empty.run("init").err

    assert ".gitignore" not in told
    found = files(empty)
    assert "pytest.ini" not in found
    assert {name: found[name] for name in own} == own
    assert "1 passed" in own_tests(empty)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--runtime", "pyton3.13"], "Did you mean `python3.13`?"),
        (["--runtime", "python3"], f"Did you mean `python3.{sys.version_info.minor}`?"),
        (
            ["--runtime", "python3.9"],
            "'python3.9' is not a runtime that projects are started with.",
        ),
        (["--runtime", "java21"], "'java21' is not a runtime that projects are started with."),
        (["--name", "../hello"], "`--name`: '../hello' is not a valid name."),
        (["--name", "-x"], "`--name`: '-x' is not a valid name."),
        (["--name", "local"], "`--name`: 'local' is the name of what `local --keep` keeps."),
        (["--region", "us-esat-1"], "Did you mean `us-east-1`?"),
        (["--region", "Frankfurt"], "`--region` must be an AWS region, got 'Frankfurt'."),
        (["--profile", "dve"], "There is no AWS profile `dve`.\n.*Did you mean `dev`?"),
        (["--profile", "none"], "There is no AWS profile `none`."),
        (["--name", ""], "`--name`: '' is not a valid name."),
        (["--name", "x", "--function", "hello"], "`--name` and `--function` cannot be combined."),
        (["--region", "eu-west-1", "--download"], "Pass --region to `assume`, before `init`."),
    ],
)
def test_a_mistake_is_told_before_anything_is_written(
    empty: Project, words: list[str], says: str
) -> None:
    empty.profile("dev", region="eu-west-1")

    message = empty.run("init", *words, code=1).err

    assert re.search(says.replace("?", r"\?").replace("(", r"\("), message, re.DOTALL), message
    assert "Traceback" not in message
    assert [*files(empty)] == ["tasks.py"]


def test_options_of_a_new_project_are_refused_where_there_is_one(empty: Project) -> None:
    empty.run("init", "--name", "hello")

    message = empty.run("init", "--name", "other", code=1).err

    assert "`--name` is for a new project, and this one has functions already: hello." in message


def test_a_second_time_it_says_that_there_is_a_project_before_it_needs_credentials(
    empty: Project,
) -> None:
    empty.run("init", "--name", "hello")
    before = files(empty)

    err = empty.run("init", code=1).err

    assert "No AWS credentials were found." in err
    told, *_ = err.splitlines()
    assert "this project has functions already (hello): prints their settings as they are" in told
    assert files(empty) == before


def test_ctrl_c_and_the_end_of_file_leave_nothing(empty: Project) -> None:
    for end, code in (("sendintr", 130), ("sendeof", 1)):
        terminal = empty.terminal("init", "--runtime", "python3.13")
        terminal.expect_exact("Name of the function")
        getattr(terminal, end)()

        assert "Traceback" not in empty.finish(terminal, code=code)
        assert [*files(empty)] == ["tasks.py"]


def test_what_cannot_be_written_whole_is_not_left_in_part(empty: Project) -> None:
    init = f"{sys.executable} -B -m invoke init --runtime nodejs22.x --name x --region eu-west-1"

    # In KiB: the schema has more.
    terminal = empty.terminal_running(["bash", "-c", f"ulimit -f 64; exec {init}"])

    assert "Cannot write .aws-schema.json." in empty.finish(terminal, code=1)
    assert [*files(empty)] == ["tasks.py"]


def test_dry_says_what_it_would_write(empty: Project) -> None:
    told = empty.run("--dry", "init").err

    assert "would write src/app.py, src/requirements.txt, invoke.yaml, .aws-schema.json, " in told
    assert [*files(empty)] == ["tasks.py"]


def test_commands_are_told_as_they_are_typed_here(empty: Project) -> None:
    empty.tasks(
        "from invoke import Collection\nimport tasks_aws\nfrom tasks_aws.local import local\n"
        "ns = Collection(tasks_aws, local)\n"
    )
    assert commands(empty.run("--dry", "aws.init").err) == []

    told = commands(empty.run("aws.init").err)

    assert told[0] == ["local", "aws.assume", "aws.deploy", "aws.invoke"]
    assert told[2] == ["local", "--keep", "aws.rollback", "aws.invoke"]
    assert told[-1] == ["aws.assume", "aws.deploy"]


def test_commands_name_the_folder_and_settings_elsewhere_do_not_matter(empty: Project) -> None:
    empty.settings(profile="dev")
    new = empty.folder / "services" / "a new one"
    new.mkdir(parents=True)
    (empty.folder / "tasks.py").rename(new / "aws_tasks.py")
    where = ["--search-root", "services/a new one", "--collection", "aws_tasks"]

    told = empty.run(*where, "init").err

    lines = re.findall(r"^next +(.*)", told, re.MULTILINE)
    prefix = "invoke --search-root 'services/a new one' --collection aws_tasks "
    assert [each for each in lines if not each.startswith(prefix)] == []
    assert lines[0].startswith(f"{prefix}local assume deploy invoke  ")
    assert "warning" not in told
    assert "no mistakes in 1 function" in empty.run(*where, "settings", "--check").err


def test_tasks_that_are_missing_are_named(empty: Project) -> None:
    empty.tasks("from tasks_aws import assume, deploy, init, invoke\n")

    told = empty.run("init").err

    assert "add to your tasks: from tasks_aws import rollback, policy\n" in told
    assert "add to your tasks: from tasks_aws.local import local\n" in told


OTHER_PROGRAM = """
from invoke import Collection, Config, Program
import tasks
class OtherConfig(Config):
    prefix = "fabric"
Program(
    namespace=Collection.from_module(tasks), config_class=OtherConfig, name="Fabric", binary="fab",
    binary_names=["fab"],
).run(["fab", "init", "--runtime", "python3.13", "--name", "hello", "--region", "eu-west-1"])
"""


def test_another_program_finds_the_settings_under_its_own_name(empty: Project) -> None:
    told = empty.finish(empty.python_in_terminal(OTHER_PROGRAM))

    assert (empty.folder / "fabric.yaml").is_file()
    assert "fab local assume deploy invoke" in told
    assert "once `account_id` is in fabric.yaml" in told
