"""Which programs see the session, and which do not, because they have no need of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.auth.test_sts import serving
from tests.packaging.support import FUNCTION
from tests.strict_sts import USER_ARN, Key, Role, StrictSts
from tests.support import Project


@pytest.fixture
def seen(project: Project, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Programs `uv`, `npm` and `look`, which only write down what they see.

    That is their environment, and their arguments as `words`.
    """
    (programs := tmp_path / "programs").mkdir()
    for name in ("uv", "npm", "look"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nenv words="$*" > "{tmp_path}/{name}.env"\n')
        program.chmod(0o755)
    project.environ["PATH"] = f"{programs}:{project.environ['PATH']}"

    def seen_by(name: str) -> dict[str, str]:
        lines = (tmp_path / f"{name}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    return seen_by


def write_source(project: Project, files: dict[str, str]) -> None:
    (project.folder / "src").mkdir()
    for name, text in files.items():
        (project.folder / "src" / name).write_text(text)


@pytest.mark.parametrize("task", ["build", "package"])
@pytest.mark.parametrize("program", ["uv", "npm", "look"])
def test_builds_and_installers_see_the_environment_of_before(
    project: Project,
    role: Role,
    seen: Callable[[str], dict[str, str]],
    program: str,
    task: str,
) -> None:
    python = {"app.py": "def handler(event, context): ...", "requirements.txt": "x==1"}
    node = {"app.js": "exports.handler = 1", "package-lock.json": "{}"}
    node["package.json"] = '{"dependencies": {"x": "1"}}'
    write_source(project, node if program == "npm" else python)
    changes: dict[str, dict[str, object]] = {
        "uv": {},
        "npm": {"Runtime": "nodejs22.x"},
        "look": {"requirements": "none", "build": ["look"]},
    }
    function = {**FUNCTION, **changes[program]}
    project.settings(profile="dev", role_arn=role.arn, functions={"hello": function})

    result = project.run("assume", task, "child", environ={"AWS_PROFILE": "dev"})

    environ = seen(program)
    assert environ["AWS_PROFILE"] == "dev"
    assert not [name for name in environ if name.startswith("AWS_S")]  # secret or session
    assert project.exported(result)["AWS_SESSION_TOKEN"]  # it is back for what follows


def test_builds_see_what_you_have_exported_yourself(
    project: Project, sts: StrictSts, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    write_source(project, {"app.py": "def handler(event, context): ..."})
    function = {**FUNCTION, "build": ["look"]}
    project.settings(role_arn=role.arn, region="eu-central-1", functions={"hello": function})
    environ = {"AWS_ACCESS_KEY_ID": "AKIAOWN", "AWS_SECRET_ACCESS_KEY": "your-own"}
    sts.keys["AKIAOWN"] = Key(id="AKIAOWN", secret="your-own", arn=USER_ARN)

    project.run("assume", "package", environ=environ)

    assert seen("look")["AWS_SECRET_ACCESS_KEY"] == "your-own"


def test_deploy_builds_without_the_session(
    project: Project, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    write_source(project, {"app.py": "def handler(event, context): ..."})
    function = {**FUNCTION, "Role": role.arn, "build": ["look"]}
    project.settings(profile="dev", role_arn=role.arn, functions={"hello": function})

    project.run("assume", "deploy", code=1)  # there is no Lambda here

    assert "AWS_SESSION_TOKEN" not in seen("look")


BESIDE = """
import os, subprocess, threading
from invoke import task
from tasks_aws import *

@task
def beside(c):
    own, children = [], []
    packaging = threading.Thread(target=package, args=(c,))
    packaging.start()
    child = ["sh", "-c", 'test -n "$AWS_SESSION_TOKEN" -a -z "$AWS_PROFILE"']
    while packaging.is_alive():
        children.append(subprocess.run(child).returncode)
        own.append("AWS_SESSION_TOKEN" in os.environ and "AWS_PROFILE" not in os.environ)
    print(len(children) > 9, set(children), set(own))
"""


def test_other_threads_and_their_children_keep_the_session_while_a_build_runs(
    project: Project, role: Role, seen: Callable[[str], dict[str, str]], tmp_path: Path
) -> None:
    for name in ("uv", "look"):  # slow ones
        with (tmp_path / "programs" / name).open("a") as program:
            program.write("sleep 1\n")
    write_source(project, {"app.py": "def handler(event, context): ...", "requirements.txt": "x"})
    project.tasks(BESIDE)
    function = {**FUNCTION, "build": ["look"]}
    project.settings(profile="dev", role_arn=role.arn, functions={"hello": function})

    result = project.run("assume", "beside", environ={"AWS_PROFILE": "dev"})

    assert result.out == "True {0} {True}\n"
    for name in ("uv", "look"):
        assert "AWS_SESSION_TOKEN" not in seen(name)
        assert seen(name)["AWS_PROFILE"] == "dev"


def test_a_credential_process_does_not_see_the_role_of_before(
    project: Project, sts: StrictSts, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    project.profile("process", credential_process="look", region="eu-central-1")

    project.run("assume", "assume", "--profile", "process", code=1)

    assert "AWS_SESSION_TOKEN" not in seen("look")


def test_a_command_for_codes_does_not_see_the_role_of_before(
    project: Project, sts: StrictSts, user: Key, seen: Callable[[str], dict[str, str]]
) -> None:
    first, second = sts.role("First"), sts.role("Second", mfa=True)
    guarded = {"role_arn": second.arn, "mfa_serial": sts.device().serial, "mfa_command": "look"}
    project.settings(profile="dev", role_arn=first.arn, targets={"guarded": guarded})

    project.run("assume", "assume", "--target", "guarded", code=1)

    assert "AWS_SESSION_TOKEN" not in seen("look")


def test_a_browser_has_the_url_and_not_the_session(
    project: Project, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    with serving(lambda path, headers: {"SigninToken": "x"}) as url:
        environ = {"AWS_ENDPOINT_URL_SIGNIN": url, "BROWSER": "look"}
        result = project.run("assume", "console", "--open", environ=environ)

    assert result.out == ""
    assert f"{url}/federation?Action=login" in seen("look")["words"]
    assert "AWS_SESSION_TOKEN" not in seen("look")


def test_what_exec_runs_has_the_session(
    project: Project, sts: StrictSts, role: Role, seen: Callable[[str], dict[str, str]]
) -> None:
    program = "import os; print(len(os.environ['AWS_SESSION_TOKEN']), end=' ')\n"
    program += "print(oct(os.stat('/proc/self/environ').st_mode & 0o777))"

    out = project.run("assume", "exec", "--", sys.executable, "-c", program).out

    _, token = sts.session_secrets()
    assert out == f"{len(token)} 0o400\n"
