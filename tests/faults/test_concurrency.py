"""Many at once: they ask once, wait for each other, and nobody's work is mixed with another's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.aws_lambda.describe import HELLO, describe
from tests.conftest import EmbeddedAws
from tests.faults.works import Packaging
from tests.strict_sts import Device, Key, StrictSts
from tests.support import Project
from tests.taint import TAINT
from tests.warm import Ended, Warm

ASSUMES, DEPLOYS, PACKAGES = 50, 10, 6
BOUND_SECONDS = 120

CODE = """
import os

def handler(event, context):
    return [{number}, os.environ["STAGE"]]
"""


def all_at_once(warm: Warm, projects: list[Project], *words: str) -> list[Ended]:
    """Run a command in each project, side by side."""
    running = [warm.start(words, each.folder, each.environ) for each in projects]
    return [each.wait(BOUND_SECONDS) for each in running]


@pytest.fixture
def device(project: Project, sts: StrictSts, user: Key) -> Device:
    """An MFA device that the role demands; the STS takes its time."""
    device, role = sts.device(), sts.role("Deployer", mfa=True)
    project.settings(profile="dev", role_arn=role.arn, mfa_serial=device.serial)
    sts.delay = 0.5
    return device


def test_fifty_runs_ask_for_one_code_and_one_session(
    project: Project, sts: StrictSts, device: Device, warm: Warm, tmp_path: Path
) -> None:
    asked, code = tmp_path / "asked", tmp_path / "code"
    code.write_text(device.code())
    TAINT.own(code, device.code())
    settings = project.folder / "invoke.yaml"
    command = f"echo asked >> {asked}; cat {code}"
    settings.write_text(settings.read_text() + f'  mfa_command: "{command}"\n')

    ended = all_at_once(warm, [project] * ASSUMES, "assume")

    assert [each.err for each in ended if each.code] == []
    assert asked.read_text() == "asked\n"
    assert sts.count("AssumeRole") == 1
    assert len(project.cache_files()) == 1


def test_only_one_of_the_terminals_asks(project: Project, sts: StrictSts, device: Device) -> None:
    terminals = [project.terminal("assume") for _ in range(3)]
    asking = [
        each.expect(["waiting   for another", "MFA code for [^:]*:[^:]*"]) for each in terminals
    ]

    terminals[asking.index(1)].sendline(device.code())

    for each in terminals:
        assert "account" in project.finish(each)
    assert sorted(asking) == [0, 0, 1]
    assert sts.count("AssumeRole") == 1


@pytest.mark.parametrize(
    "exists", [False, pytest.param(True, marks=pytest.mark.long)], ids=["new", "existing"]
)
def test_one_of_many_deploys_is_what_there_is_then(
    project: Project,
    quick_aws: EmbeddedAws,
    warm: Warm,
    tmp_path: Path,
    exists: bool,
    record_property: Callable[[str, object], None],
) -> None:
    quick_aws.serve(project)
    name = "existing" if exists else "new"
    projects = [deploying(project, tmp_path, name, number) for number in range(DEPLOYS)]
    if exists:
        (first,) = all_at_once(warm, projects[:1], "deploy")
        assert first.code == 0, first.err

    ended = all_at_once(warm, projects, "deploy")

    codes = [each.code for each in ended]
    record_property("figures", f"at once {name:<24} {DEPLOYS} deploys: {codes.count(0)} succeeded")
    assert 0 in codes
    assert {*codes} <= {0, 1}
    for each in ended:
        assert "Traceback" not in each.err
        assert each.err.count("\n  fix: ") == each.code, each.err
    assert served(quick_aws, name) in [wished(number) for number in range(DEPLOYS)]
    (again,) = all_at_once(warm, projects[-1:], "deploy")
    assert again.code == 0, again.err
    assert served(quick_aws, name) == wished(DEPLOYS - 1)


def deploying(project: Project, root: Path, name: str, number: int) -> Project:
    """Make the project of one of those who deploy the same function."""
    folder = root / f"project {number}"
    shutil.copytree(project.folder, folder)
    (folder / "src").mkdir()
    (folder / "src" / "app.py").write_text(CODE.format(number=number))
    made = Project(folder, project.home, project.environ)
    variables = {"Variables": {"STAGE": str(number)}}
    function = {**HELLO, "MemorySize": 128 + number, "Environment": variables, "alias": "live"}
    function |= {"FunctionName": name}
    describe(made, role="everything", aws={"functions": {"hello": function}})
    return made


def wished(number: int) -> Any:
    return 128 + number, [number, str(number)]


def served(aws: EmbeddedAws, name: str) -> Any:
    """Return the memory of the version behind the alias, and what it answers."""
    client: Any = aws.functions()
    found = client.get_function(FunctionName=name, Qualifier="live")["Configuration"]
    answer = client.invoke(FunctionName=name, Qualifier="live")
    return found["MemorySize"], json.loads(answer["Payload"].read())


def test_a_folder_may_be_packaged_by_many(project: Project, warm: Warm) -> None:
    work = Packaging(project, ("package",))
    archive = project.folder / ".tasks_aws" / "hello.zip"
    work.prepare()
    project.run("package")
    alone = archive.read_bytes()
    shutil.rmtree(archive.parent)

    ended = all_at_once(warm, [project] * PACKAGES, "package")

    assert [each.err for each in ended if each.code] == []
    assert archive.read_bytes() == alone
    assert [*work.broken(), *work.left(), *work.missing()] == []
